#!/bin/sh
# The real kubectl while there is no fault: most calls then cost no process of Node.
# KUBECTL_WITHOUT_FAULTS is the real one; FAULT_FILE holds the name of the fault, and may change between two calls.
if [ "$(cat "$FAULT_FILE")" = none ]; then exec "$KUBECTL_WITHOUT_FAULTS" "$@"; fi
exec "${0%.sh}.js" "$@"
