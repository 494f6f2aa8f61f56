#!/bin/sh
# The contract of the official image: options or a configuration file go to redis-server; data lies in /data.
set -e
case ${1:-} in
  -* | *.conf) set -- redis-server "$@" ;;
esac
[ "$1" != redis-server ] || umask 0077
exec "$@"
