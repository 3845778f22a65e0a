#!/usr/bin/env bash
# The data in .sqlx/, which lets `query!` compile without a database.
#
#   scripts/sqlx-data.sh write   writes it from the migrations and the queries in the code
#   scripts/sqlx-data.sh check   fails when it differs from what `write` would write
#
# Starts its own Postgres, without a port, and removes it afterwards. Needs `psql`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$PWD/$target
# A separate build, compiled from scratch each time: data is written only for what is compiled.
build=$target/sqlx-data
made=$build/queries
log=$build/postgres.log

# Held open on descriptor 3 while the server should run; see the supervisor.
start_postgres() {
    local as_owner=() owner
    folder=$(mktemp -d "${TMPDIR:-/tmp}/clawback-XXXXXXXX")
    if [[ $(id -u) -eq 0 ]]; then
        # Postgres does not run as root.
        owner=$(getent passwd postgres nobody | head -n 1 | cut -d : -f 1)
        chown "$owner" "$folder"
        as_owner=(setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
    fi
    rm -f "$build/owner" && mkfifo "$build/owner"
    (
        supervisor=$(<src/dev/local_postgres/supervisor.sh)
        cd "$folder"
        exec ${as_owner[@]+"${as_owner[@]}"} sh -c "$supervisor" clawback-postgres "$folder" "$bin" \
            -c listen_addresses= -c "unix_socket_directories=$folder" -c fsync=off
    ) <"$build/owner" >"$log" 2>&1 &
    supervised=$!
    exec 3>"$build/owner"
    rm "$build/owner"
    echo scratch >&3
    export DATABASE_URL="postgres://clawback:scratch@localhost/postgres?host=$folder"
    trap stop_postgres EXIT
    until_ready
}

stop_postgres() {
    exec 3>&-
    wait "$supervised" || true
}

until_ready() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        psql "$DATABASE_URL" -qc 'select 1' >/dev/null 2>&1 && return
        kill -0 "$supervised" 2>/dev/null || break
        sleep 0.1
    done
    echo "Postgres did not become ready:" >&2
    tail -n 20 "$log" >&2
    exit 1
}

# Each migration in its own transaction, as sqlx does, unless it opts out.
migrate() {
    local migration transaction
    for migration in migrations/*.sql; do
        transaction=--single-transaction
        [[ $(head -n 1 "$migration") != '-- no-transaction'* ]] || transaction=
        PGOPTIONS='-c client_min_messages=warning' \
            psql "$DATABASE_URL" -q -v ON_ERROR_STOP=1 ${transaction:+"$transaction"} -f "$migration"
    done
}

describe_queries() {
    rm -rf "$made"
    mkdir -p "$made"
    cargo clean --quiet --locked --package clawback --target-dir "$build" 3>&-
    SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$made \
        cargo check --quiet --locked --all-targets --target-dir "$build" 3>&-
}

write_data() {
    rm -rf .sqlx
    [[ -n $(ls "$made") ]] || return 0
    cp -R "$made" .sqlx
}

check_data() {
    local ours=.sqlx
    if [[ ! -d .sqlx ]]; then
        ours=$build/none
        mkdir -p "$ours"
    fi
    diff -r "$ours" "$made" && return
    echo "The queries or the migrations have changed: run scripts/sqlx-data.sh write, and commit .sqlx" >&2
    return 1
}

mode=${1:-}
if [[ $mode != write && $mode != check ]]; then
    echo "usage: scripts/sqlx-data.sh write|check" >&2
    exit 2
fi
bin=$(scripts/postgres-bin.sh) || {
    echo "no Postgres found: run make setup" >&2
    exit 1
}
PATH=$bin:$PATH
mkdir -p "$build"
start_postgres
migrate
describe_queries
"${mode}_data"
echo "offline query data: $(find "$made" -name '*.json' | wc -l) queries, $mode: done"
