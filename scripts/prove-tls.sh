#!/usr/bin/env bash
# Checks which sslmode encrypts and which verifies the server, against a Postgres whose certificate is signed by a CA
# created here. Needs openssl.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/scratch-postgres.sh
. scripts/scratch-postgres.sh
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-tls-XXXXXXXX")
cleanup() {
    stop_postgres
    rm -rf "$scratch"
}
trap cleanup EXIT

query() {
    PATH=$bin:$PATH psql "$ADMIN_URL" -XAtqc "$1"
}

authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj "/CN=$1" -keyout "$scratch/$1.key" -out "$scratch/$1.pem"
} 2>/dev/null

# Valid for the name localhost, not for an IP address.
certificate() {
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$data/server.key" -out "$scratch/server.csr"
    openssl x509 -req -in "$scratch/server.csr" -CA "$scratch/ours.pem" -CAkey "$scratch/ours.key" -CAcreateserial \
        -days 1 -extfile <(echo subjectAltName=DNS:localhost) -out "$data/server.crt"
    chmod 600 "$data/server.key"
    [[ $(id -u) -ne 0 ]] || chown "$owner" "$data/server.key" "$data/server.crt"
} 2>/dev/null

# The service's role must connect with TLS.
encrypt() {
    local tries
    sed -i '1i hostnossl all clawback all reject' "$data/pg_hba.conf"
    query 'alter system set ssl = on'
    query 'select pg_reload_conf()' >/dev/null
    for ((tries = 0; tries < 100; tries++)); do
        [[ $(query 'show ssl') != on ]] || return 0
        sleep 0.1
    done
    echo "Postgres does not begin to encrypt" >&2
    return 1
}

# Whether `clawback migrate` gets in: yes or no, host, settings.
expect() {
    local got=no url="postgres://clawback:scratch@$2:$port/clawback?$3"
    if DATABASE_URL=$url "$clawback" migrate >"$scratch/said" 2>&1; then got=yes; fi
    [[ $got == "$1" ]] || {
        echo "$2?${3//$scratch\//}: expected $1, got $got" >&2
        cat "$scratch/said" >&2
        return 1
    }
    printf '%-4s%-12s%s\n' "$got" "$2" "${3//$scratch\//}"
}

installed openssl openssl || {
    echo "tls-check: openssl must be installed" >&2
    exit 1
}
cargo build --release --locked --quiet
clawback=${CARGO_TARGET_DIR:-$PWD/target}/release/clawback
start_postgres "$scratch"
port=${DATABASE_URL##*:} port=${port%%/*}
authority ours
authority theirs
certificate
encrypt
expect yes localhost sslmode=prefer
expect no localhost sslmode=disable
expect no localhost sslmode=allow
expect yes localhost sslmode=require
expect yes localhost "sslmode=require&sslrootcert=$scratch/theirs.pem"
expect no localhost sslmode=verify-ca
expect yes 127.0.0.1 "sslmode=verify-ca&sslrootcert=$scratch/ours.pem"
expect no localhost "sslmode=verify-ca&sslrootcert=$scratch/theirs.pem"
expect no localhost sslmode=verify-full
expect yes localhost "sslmode=verify-full&sslrootcert=$scratch/ours.pem"
expect no 127.0.0.1 "sslmode=verify-full&sslrootcert=$scratch/ours.pem"
expect no localhost "sslmode=verify-full&sslrootcert=$scratch/theirs.pem"
