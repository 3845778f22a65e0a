#!/bin/sh
# Creates the service's role, which owns its database and is no superuser. Runs in the Postgres container
# when its volume is created.
set -eu

# The password comes from the environment: arguments are visible to other processes.
psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres --no-psqlrc <<'SQL'
\getenv password CLAWBACK_ROLE_PASSWORD
create role clawback login nosuperuser nocreatedb nocreaterole noreplication password :'password';
create database clawback owner clawback encoding 'UTF8' template template0;
revoke all on database clawback from public;
SQL
