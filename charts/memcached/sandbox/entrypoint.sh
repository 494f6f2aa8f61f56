#!/bin/sh
# The contract of the official image: options go to memcached.
set -e
case ${1:-} in
  -*) set -- memcached "$@" ;;
esac
exec "$@"
