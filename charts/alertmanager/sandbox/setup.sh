#!/bin/sh
# The contract of the official image: the server runs as nobody under its own name, data lies in /alertmanager.
set -eu
ln -s prometheus-alertmanager /usr/bin/alertmanager
ln -s /bin/busybox /usr/local/bin/wget
rm -rf /var/lib/prometheus
mkdir -p /alertmanager /etc/alertmanager
chown 65534:65534 /alertmanager
