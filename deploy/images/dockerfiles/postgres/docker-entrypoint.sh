#!/bin/bash
# What we use of the public image: POSTGRES_PASSWORD (or …_FILE), POSTGRES_USER, POSTGRES_DB, scripts that run once in
# /docker-entrypoint-initdb.d, arguments for postgres, any other command as it is.
set -eu
[ "${1#-}" = "$1" ] || set -- postgres "$@"

initialise() {
  local password user=${POSTGRES_USER:-postgres}
  password=${POSTGRES_PASSWORD-$(cat "${POSTGRES_PASSWORD_FILE:?or POSTGRES_PASSWORD is needed}")}
  initdb --username="$user" --pwfile=<(printf '%s\n' "$password") --auth-local=trust --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C.UTF-8
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  # Until the scripts are done nobody can connect from outside, so being reachable means being ready.
  pg_ctl --wait start --options="-c listen_addresses= -c unix_socket_directories=/tmp"
  export PGHOST=/tmp PGUSER=$user PGDATABASE=${POSTGRES_DB:-$user}
  [ "$PGDATABASE" = postgres ] || createdb --maintenance-db=postgres "$PGDATABASE"
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
      *.sql) psql --set=ON_ERROR_STOP=1 --no-psqlrc --file="$script" ;;
    esac
  done
  unset PGHOST PGUSER PGDATABASE
  pg_ctl --wait stop --mode=fast
}

if [ "$1" = postgres ]; then
  [ -s "$PGDATA/PG_VERSION" ] || initialise
  set -- "$@" -c listen_addresses='*' -c unix_socket_directories=/tmp
fi
exec "$@"
