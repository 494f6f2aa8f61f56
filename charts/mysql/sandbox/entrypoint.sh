#!/bin/bash
# The contract of the official images: {MYSQL,MARIADB}_{ROOT_PASSWORD,ROOT_HOST,DATABASE,USER,PASSWORD}[_FILE],
# /docker-entrypoint-initdb.d, data in /var/lib/mysql.
set -euo pipefail

[ "${1:0:1}" != - ] || set -- mysqld "$@"
case $1 in
  mysqld | mariadbd) ;;
  *) exec "$@" ;;
esac

for name in ROOT_PASSWORD ROOT_HOST DATABASE USER PASSWORD; do
  for variable in "MARIADB_$name" "MYSQL_$name"; do
    file=${variable}_FILE
    if [ -n "${!file:-}" ]; then export "$variable=$(<"${!file}")"; fi
    if [ -n "${!variable:-}" ]; then export "MYSQL_$name=${!variable}"; fi
  done
done

data=/var/lib/mysql
# Where the server is not where its own programs look for it.
elsewhere=()
if [ -d /opt/mariadb ]; then elsewhere=(--basedir=/opt/mariadb); fi

quoted() {
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\'\'}"
}

sql() {
  MYSQL_PWD=${1-} mariadb --protocol=socket -uroot --batch
}

accounts() {
  local host=${MYSQL_ROOT_HOST:-%}
  # mariadb-install-db makes root of the host's name too, without a password.
  echo "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost'; DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost'; FLUSH PRIVILEGES;"
  echo "ALTER USER root@localhost IDENTIFIED BY $(quoted "$MYSQL_ROOT_PASSWORD");"
  if [ "$host" != localhost ]; then
    echo "CREATE USER root@$(quoted "$host") IDENTIFIED BY $(quoted "$MYSQL_ROOT_PASSWORD");"
    echo "GRANT ALL ON *.* TO root@$(quoted "$host") WITH GRANT OPTION;"
  fi
  if [ -n "${MYSQL_DATABASE:-}" ]; then echo "CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;"; fi
  if [ -n "${MYSQL_USER:-}" ]; then
    echo "CREATE USER $(quoted "$MYSQL_USER")@'%' IDENTIFIED BY $(quoted "$MYSQL_PASSWORD");"
    if [ -n "${MYSQL_DATABASE:-}" ]; then echo "GRANT ALL ON \`$MYSQL_DATABASE\`.* TO $(quoted "$MYSQL_USER")@'%';"; fi
  fi
}

# A pod killed in its first start begins again: the mark is written last.
initialise() {
  find "$data" -mindepth 1 -delete
  mariadb-install-db "${elsewhere[@]}" --datadir="$data" --auth-root-authentication-method=normal --skip-test-db >/dev/null
  "$@" --skip-networking &
  local server=$!
  until mariadb-admin --protocol=socket -uroot ping >/dev/null 2>&1; do
    kill -0 "$server"
    sleep 0.2
  done
  accounts | sql
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) if [ -x "$script" ]; then "$script"; else (. "$script"); fi ;;
      *.sql) sql "$MYSQL_ROOT_PASSWORD" <"$script" ;;
    esac
  done
  MYSQL_PWD=$MYSQL_ROOT_PASSWORD mariadb-admin --protocol=socket -uroot shutdown
  wait "$server"
  touch "$data/.initialised"
}

if [ ! -e "$data/.initialised" ]; then
  : "${MYSQL_ROOT_PASSWORD:?is required for an empty data directory}"
  initialise "$@"
fi
exec "$@"
