#!/bin/sh
# The account of the official image: memcache is 11211.
set -eu
for file in /etc/passwd /etc/group; do
  sed -i -e '/^memcache:/d' "$file"
done
echo 'memcache:x:11211:11211::/nonexistent:/bin/false' >>/etc/passwd
echo 'memcache:x:11211:' >>/etc/group
