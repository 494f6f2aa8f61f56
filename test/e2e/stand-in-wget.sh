#!/bin/bash
# For the stand-in of an image that has busybox: says whether the last argument, a URL of this machine, answers 200.
url=${*: -1}
[[ $url =~ ^http://([^:/]+):([0-9]+)(/.*)$ ]] || exit 2
exec 3<>"/dev/tcp/${BASH_REMATCH[1]}/${BASH_REMATCH[2]}" || exit 1
printf 'GET %s HTTP/1.0\r\n\r\n' "${BASH_REMATCH[3]}" >&3
read -r _ code _ <&3
[[ $code == 200 ]]
