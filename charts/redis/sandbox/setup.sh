#!/bin/sh
# The account of the official image: redis is 999.
set -eu
for file in /etc/passwd /etc/group; do
  sed -i -e '/^redis:/d' -e '/^[^:]*:[^:]*:999:/d' "$file"
done
echo 'redis:x:999:999::/data:/bin/sh' >>/etc/passwd
echo 'redis:x:999:' >>/etc/group
# Debian's configuration directory is closed to the official image's account; the chart mounts its file there.
rm -rf /etc/redis /var/lib/redis /var/log/redis
mkdir -p /data
chown 999:999 /data
for program in server cli; do
  [ ! -x "/opt/valkey/bin/valkey-$program" ] || ln -sf "/opt/valkey/bin/valkey-$program" "/usr/local/bin/redis-$program"
done
