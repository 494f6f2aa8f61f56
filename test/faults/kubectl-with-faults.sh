#!/bin/sh
# The real kubectl where no fault touches the command: most calls then cost no process of Node.
# KUBECTL_WITHOUT_FAULTS is the real one; FAULT_FILE holds the name of the fault, and may change between two calls.
if [ "$(cat "$FAULT_FILE")" = none ]; then exec "$KUBECTL_WITHOUT_FAULTS" "$@"; fi
case "$*" in
  *pg_dump* | *pg_restore* | *'--rdb -'* | *.lifeboat-generation.new*) exec "${0%.sh}.js" "$@" ;;
esac
exec "$KUBECTL_WITHOUT_FAULTS" "$@"
