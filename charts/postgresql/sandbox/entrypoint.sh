#!/bin/bash
# The contract of the official image: POSTGRES_{USER,PASSWORD,DB}[_FILE], PGDATA, /docker-entrypoint-initdb.d.
set -euo pipefail

[ "${1:0:1}" != - ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
  file=${name}_FILE
  if [ -n "${!file:-}" ]; then export "$name=$(<"${!file}")"; fi
done
export POSTGRES_USER=${POSTGRES_USER:-postgres}
export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}

# Built beside PGDATA and renamed when whole, so that a pod killed in its first start begins again;
# in place where PGDATA is the mount itself.
initialise() {
  local building=$PGDATA.initdb
  if [ -d "$PGDATA" ] && ! rmdir "$PGDATA" 2>/dev/null; then building=$PGDATA; else rm -rf "$building"; fi
  initdb -D "$building" -U "$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 \
    --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_ARGS:-}
  pg_ctl -D "$building" -w -t 300 -o "$(printf '%q ' "${@:2}") -c listen_addresses=''" start
  if [ "$POSTGRES_DB" != postgres ]; then
    psql -X -q -v ON_ERROR_STOP=1 -v database="$POSTGRES_DB" -U "$POSTGRES_USER" -d postgres <<<'CREATE DATABASE :"database";'
  fi
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) if [ -x "$script" ]; then "$script"; else (. "$script"); fi ;;
      *.sql) psql -X -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$script" ;;
    esac
  done
  pg_ctl -D "$building" -w -m fast stop
  [ "$building" = "$PGDATA" ] || mv -T "$building" "$PGDATA"
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?is required for an empty data directory}"
  mkdir -p "$(dirname "$PGDATA")"
  initialise "$@"
fi
exec "$@"
