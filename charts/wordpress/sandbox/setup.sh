#!/bin/sh
# As in the official image: Apache with PHP on port 80, .htaccess allowed, logs on stdout and stderr, runs as uid 33.
set -eu
a2dismod -q -f mpm_event mpm_worker
a2enmod -q mpm_prefork php8.2 rewrite expires headers dir mime alias env filter deflate setenvif negotiation autoindex authz_core authz_host
a2ensite -q 000-default
a2disconf -q other-vhosts-access-log || true
cat >/etc/apache2/conf-enabled/wordpress.conf <<'CONF'
ServerName localhost
<Directory /var/www/>
  Options -Indexes
  AllowOverride All
</Directory>
CONF
chmod 1777 /var/log/apache2
ln -sf /dev/stdout /var/log/apache2/access.log
ln -sf /dev/stderr /var/log/apache2/error.log
[ -e /usr/bin/php ] || ln -s php8.2 /usr/bin/php
mkdir -p /var/run/apache2 /var/lock/apache2
chmod 1777 /var/run/apache2 /var/lock/apache2
rm -rf /var/www/html
mkdir -p /var/www/html
chown 33:33 /var/www/html
