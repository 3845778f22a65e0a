#!/usr/bin/env bash
# Runs two replicas through PgBouncer in transaction mode, on fewer server connections than they have, and
# delivers stories to both. Needs pgbouncer 1.21 or newer: PGBOUNCER names the command, which is to run as an
# ordinary user; without it, root on Debian takes the one of a newer Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/scratch-postgres.sh
. scripts/scratch-postgres.sh
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

# Its loader runs a program of the other Debian with the libraries of that.
newer() {
    local system
    system=$(unpacked_system trixie pgbouncer) || return
    echo "setpriv --reuid 65534 --regid 65534 --clear-groups $system/lib64/ld-linux-x86-64.so.2" \
        "--library-path $system/lib/x86_64-linux-gnu:$system/usr/lib/x86_64-linux-gnu $system/usr/sbin/pgbouncer"
}

command=${PGBOUNCER:-$(newer || echo pgbouncer)}
read -r -a pgbouncer <<<"$command"
command -v "${pgbouncer[0]}" >/dev/null || {
    left_out "PgBouncer, which is missing"
    exit
}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-pooler-XXXXXXXX")
running=()
cleanup() {
    local process
    # Signal all before waiting for any: a pooler may wait until its clients are gone.
    for process in ${running[@]+"${running[@]}"}; do
        kill -TERM "$process" 2>/dev/null || true
    done
    for process in ${running[@]+"${running[@]}"}; do
        wait "$process" || true
    done
    stop_postgres
    rm -rf "$scratch"
}
trap cleanup EXIT

start_pooler() {
    local server=${DATABASE_URL##*:}
    port=$(free_port)
    # Fewer connections than the replicas have: each transaction may run on a different one.
    cat >"$scratch/pgbouncer.ini" <<INI
[databases]
clawback = host=127.0.0.1 port=${server%%/*} dbname=clawback password=scratch
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_round_robin = 1
max_prepared_statements = 200
INI
    sed -i 's/^\(clawback = .*\)$/\1 user=clawback/' "$scratch/pgbouncer.ini"
    chmod 755 "$scratch"
    "${pgbouncer[@]}" -q "$scratch/pgbouncer.ini" >"$scratch/pooler.log" 2>&1 &
    running+=($!)
}

start_replica() {
    local tries
    CLAWBACK_LISTEN=$1 DATABASE_URL=postgres://clawback@127.0.0.1:$port/clawback "$clawback" serve >"$scratch/log" 2>&1 &
    running+=($!)
    for ((tries = 0; tries < 10; tries++)); do
        CLAWBACK_LISTEN=$1 "$clawback" healthcheck --ready 2>/dev/null && return
        sleep 0.5
    done
    tail -n 5 "$scratch/pooler.log" "$scratch/log" >&2
    return 1
}

query() {
    PATH=$bin:$PATH psql "$ADMIN_URL" -XAtc "$1"
}

unset STRIPE_WEBHOOK_SECRET STRIPE_WEBHOOK_SECRET_FILE STRIPE_WEBHOOK_SECRETS_FILE DATABASE_URL_FILE
export STRIPE_WEBHOOK_SECRETS=whsec_scratch CLAWBACK_SIMULATE_SECRET=whsec_scratch CLAWBACK_MIGRATE=false CLAWBACK_ADMIN_LISTEN=127.0.0.1:0
cargo build --release --locked --quiet
clawback=${CARGO_TARGET_DIR:-$PWD/target}/release/clawback
start_postgres "$scratch"
"$clawback" migrate
start_pooler
first=127.0.0.1:$(free_port) second=127.0.0.1:$(free_port)
start_replica "$first"
start_replica "$second"
for ((story = 0; story < 20; story++)); do
    for replica in "$first" "$second"; do
        "$clawback" simulate full-refund --order "order-$story-$replica" --shuffle --duplicate \
            --url "http://$replica/webhooks/stripe" >/dev/null
    done
done
for ((tries = 0; tries < 100; tries++)); do
    [[ $(query 'select count(*) from clawback.pending_events') != 0 ]] || break
    sleep 0.1
done
refunded=$(query "select count(*) from clawback_v1.orders where state = 'refunded'")
[[ $refunded == 40 ]] || {
    echo "$refunded orders of 40 are refunded" >&2
    exit 1
}
! grep -E '"(WARN|ERROR)"' "$scratch/log" || exit 1
echo "through $("${pgbouncer[@]}" --version | head -n 1) in transaction mode: two replicas, 40 orders of 40 refunded"
