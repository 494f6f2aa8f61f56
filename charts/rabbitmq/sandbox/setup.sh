#!/bin/sh
# The account of the official image: rabbitmq is 999. Its tools run as that user, without Debian's wrapper.
set -eu
for file in /etc/passwd /etc/group; do
  sed -i -e '/^rabbitmq:/d' -e '/^[^:]*:[^:]*:999:/d' "$file"
done
echo 'rabbitmq:x:999:999::/var/lib/rabbitmq:/bin/sh' >>/etc/passwd
echo 'rabbitmq:x:999:' >>/etc/group
rm -rf /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq
mkdir -p /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq/conf.d
chown -R 999:999 /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq
for tool in /usr/lib/rabbitmq/bin/*; do
  ln -sf "$tool" "/usr/local/bin/$(basename "$tool")"
done
