#!/bin/sh
# The account of the official image: postgres is 999.
set -eu
for file in /etc/passwd /etc/group; do
  sed -i -e '/^postgres:/d' -e '/^[^:]*:[^:]*:999:/d' "$file"
done
echo 'postgres:x:999:999::/var/lib/postgresql:/bin/bash' >>/etc/passwd
echo 'postgres:x:999:' >>/etc/group
# The cluster that Debian's package makes.
rm -rf /var/lib/postgresql/1? /etc/postgresql/1?
mkdir -p /var/lib/postgresql/data /var/run/postgresql /docker-entrypoint-initdb.d
chown 999:999 /var/lib/postgresql /var/lib/postgresql/data /var/run/postgresql
ln -sf /usr/lib/postgresql/[1-9][0-9]/bin/* /usr/local/bin/
