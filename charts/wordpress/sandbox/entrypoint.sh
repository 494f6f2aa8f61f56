#!/bin/bash
# The contract of the official image: an empty /var/www/html gets the core and a wp-config.php that reads WORDPRESS_*.
set -euo pipefail

if [[ $1 == apache2* ]]; then
  cd /var/www/html
  # version.php is written last: a pod killed while it copies begins again.
  if [ ! -e wp-includes/version.php ]; then
    # By name: an entry for the directory itself makes tar change the mode of a volume that another account owns.
    find /usr/share/wordpress -mindepth 1 -maxdepth 1 ! -name .htaccess ! -name wp-config.php -printf '%P\0' |
      tar -C /usr/share/wordpress -ch --exclude=wp-includes/version.php --null --verbatim-files-from -T - | tar -xf - --no-same-permissions --no-overwrite-dir
    mkdir -p wp-content/uploads
    cp /usr/share/wordpress/wp-includes/version.php wp-includes/version.php.new
    mv wp-includes/version.php.new wp-includes/version.php
  fi
  if [ ! -e wp-config.php ]; then
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in
        *'put your unique phrase here'*) line=${line/put your unique phrase here/$(od -An -N 20 -tx1 /dev/urandom | tr -d ' \n')} ;;
      esac
      printf '%s\n' "$line"
    done </usr/src/wordpress/wp-config-docker.php >wp-config.php.new
    mv wp-config.php.new wp-config.php
  fi
fi
exec "$@"
