#!/bin/sh
# The account of the official image: mysql is 999. Its configuration: listens everywhere, reads conf.d.
set -eu
for file in /etc/passwd /etc/group; do
  sed -i -e '/^mysql:/d' -e '/^[^:]*:[^:]*:999:/d' "$file"
done
echo 'mysql:x:999:999::/var/lib/mysql:/bin/false' >>/etc/passwd
echo 'mysql:x:999:' >>/etc/group
rm -rf /var/lib/mysql /etc/mysql
mkdir -p /var/lib/mysql /var/run/mysqld /etc/mysql/conf.d /docker-entrypoint-initdb.d
chown 999:999 /var/lib/mysql /var/run/mysqld
cat >/etc/mysql/my.cnf <<'CNF'
[client-server]
socket = /run/mysqld/mysqld.sock
[mysqld]
datadir = /var/lib/mysql
pid-file = /run/mysqld/mysqld.pid
skip-name-resolve
!includedir /etc/mysql/conf.d/
CNF
if [ -d /opt/mariadb ]; then
  # The programs look for the rest of theirs where they were built to lie. What is there for building programs stays away.
  rm -rf /opt/mariadb/libs /opt/mariadb/share/*.jar
  strip /opt/mariadb/bin/*
  for file in /opt/mariadb/bin/* /opt/mariadb/scripts/*; do
    chmod 755 "$file"
    ln -s "$file" /usr/local/bin/
  done
  printf '[mysqld]\nbasedir = /opt/mariadb\n' >>/etc/mysql/my.cnf
  ln -s /opt/mariadb/bin/mariadbd /usr/local/bin/mysqld
else
  ln -sf /usr/sbin/mariadbd /usr/local/bin/mysqld
fi
