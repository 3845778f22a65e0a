#!/usr/bin/env bash
# Sourced by other scripts: a private Postgres on loopback, with the service's role and database as docker-compose.yml
# creates them, and a free port for a service.
#
#   start_postgres FOLDER    sets DATABASE_URL and ADMIN_URL
#   stop_postgres            stops it; the folder is the caller's
#   free_port                prints one

free_port() {
    local port
    # Below the range of outgoing connections, whose ports look free but cannot be bound.
    while port=$((10000 + RANDOM % 20000)); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Postgres does not run as root.
as_owner() {
    if [[ $(id -u) -eq 0 ]]; then
        setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups "$@"
    else
        "$@"
    fi
}

start_postgres() {
    local port
    data=$1/data
    bin=$(scripts/postgres-bin.sh) || {
        echo "no Postgres found: run make setup" >&2
        return 1
    }
    owner=$(getent passwd postgres nobody | head -n 1 | cut -d : -f 1)
    port=$(free_port)
    mkdir "$data"
    [[ $(id -u) -ne 0 ]] || chown "$owner" "$1" "$data"
    (
        cd "$1" || exit
        as_owner "$bin/initdb" --no-sync --no-locale -E UTF8 --auth-local=trust --auth-host=scram-sha-256 \
            -U postgres -D "$data" >/dev/null
        as_owner "$bin/pg_ctl" -D "$data" -w -l "$1/postgres.log" \
            -o "-c listen_addresses=127.0.0.1 -p $port -k $1" start >/dev/null
    )
    PATH=$bin:$PATH PGHOST=$1 PGPORT=$port CLAWBACK_ROLE_PASSWORD=scratch deploy/compose/role.sh >/dev/null
    export DATABASE_URL=postgres://clawback:scratch@127.0.0.1:$port/clawback
    export ADMIN_URL="postgres://postgres@localhost/clawback?host=$1&port=$port"
}

stop_postgres() {
    [[ -z ${data:-} ]] || (cd / && as_owner "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null) || true
}
