#!/bin/bash
# A database and a role for each service, and nobody else may connect. PostgreSQL's image runs it when it makes the cluster;
# run it again after a service was added:  kubectl exec <instance>-postgresql-0 -- /docker-entrypoint-initdb.d/databases.sh
set -euo pipefail
psql() { command psql --username=postgres --dbname=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"; }
psql <<'SQL'
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
SQL
for name in {{ include "trial.services" . | fromJsonArray | join " " }}; do
  password=POSTGRES_PASSWORD_${name^^}
  psql --set=name="$name" --set=password="${!password}" <<'SQL'
SELECT format('CREATE ROLE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %1$I TEMPLATE template0 ENCODING ''UTF8'' LOCALE_PROVIDER builtin LOCALE ''C.UTF-8''', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
