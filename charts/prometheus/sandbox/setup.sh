#!/bin/sh
# The contract of the official image: the server runs as nobody, data lies in /prometheus, wget is that of busybox.
set -eu
ln -s /bin/busybox /usr/local/bin/wget
rm -rf /var/lib/prometheus /etc/prometheus
mkdir -p /prometheus /etc/prometheus
chown 65534:65534 /prometheus
