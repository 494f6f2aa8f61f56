#!/bin/sh
# The contract of the official image: RABBITMQ_* are read by the server itself; data lies in /var/lib/rabbitmq.
set -eu
export HOME=/var/lib/rabbitmq
exec "$@"
