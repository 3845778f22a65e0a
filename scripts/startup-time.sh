#!/usr/bin/env bash
# Measures the time from process start to the first 200 of /readyz, on a migrated
# database: scripts/startup-time.sh [RUNS]. Prints each run and the median, in milliseconds.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/scratch-postgres.sh
. scripts/scratch-postgres.sh

runs=${1:-15}
limit=${STARTUP_LIMIT_MS:-200}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-startup-XXXXXXXX")
service=
cleanup() {
    [[ -z $service ]] || kill -TERM "$service" 2>/dev/null || true
    stop_postgres
    rm -rf "$scratch"
}
trap cleanup EXIT

microseconds() {
    echo "${EPOCHREALTIME/[.,]/}"
}

is_ready() {
    local status
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    read -r _ status _ <&3 || status=none
    exec 3>&-
    [[ $status == 200 ]]
} 2>/dev/null

one_run() {
    local port began
    port=$(free_port)
    began=$(microseconds)
    CLAWBACK_LISTEN=127.0.0.1:$port CLAWBACK_ADMIN_LISTEN=127.0.0.1:0 "$clawback" serve >"$scratch/log" 2>&1 &
    service=$!
    until is_ready "$port"; do
        kill -0 "$service" || { cat "$scratch/log" >&2 && return 1; }
        read -rt 0.002 <> <(:) || true
    done
    took=$(($(microseconds) - began))
    kill -TERM "$service"
    wait "$service"
    service=
}

unset STRIPE_WEBHOOK_SECRET STRIPE_WEBHOOK_SECRET_FILE STRIPE_WEBHOOK_SECRETS_FILE DATABASE_URL_FILE
export STRIPE_WEBHOOK_SECRETS=whsec_scratch
cargo build --release --locked --quiet
clawback=${CARGO_TARGET_DIR:-$PWD/target}/release/clawback
start_postgres "$scratch"
"$clawback" migrate >/dev/null

for ((run = 0; run < runs; run++)); do
    one_run
    echo "$took"
done >"$scratch/taken"
sort -n "$scratch/taken" >"$scratch/times"
median=$(sed -n "$((runs / 2 + 1))p" "$scratch/times")
awk '{ printf "%.0f ms\n", $1 / 1000 }' "$scratch/times" | paste -sd ' '
echo "start-up: median $((median / 1000)) ms of $runs runs, at most $limit"
[[ $((median / 1000)) -le $limit ]]
