#!/usr/bin/env bash
# Compares signatures with Stripe's official SDKs, in both directions: the running service accepts what they sign, they
# accept what `clawback sign` signs, and both refuse the same, except for timestamps in the future. Then uses
# the double of Stripe with the Python SDK as its client. Prints each case; fails when one is not as expected.
#
# Needs node with npm, python3 with pip, and their package registries. Removes what it installs.
# STRIPE_NODE and STRIPE_PYTHON name other versions of the SDKs than those below.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

node_sdk=stripe@${STRIPE_NODE:-23.1.0}
python_sdk=stripe==${STRIPE_PYTHON:-16.1.0}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-sdk-XXXXXXXX")
service=
double=
cleanup() {
    local started
    for started in $service $double; do
        kill -TERM "$started" 2>/dev/null || true
        wait "$started" || true
    done
    rm -rf "$scratch"
}
trap cleanup EXIT

install_sdks() {
    npm install --prefix "$scratch/node" --no-save --no-package-lock --no-audit --no-fund --silent "$node_sdk"
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        python3 -m pip install --quiet --target "$scratch/python" "$python_sdk"
}

secret() {
    printf 'whsec_%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
}

# A service on a private Postgres and a free port.
start_service() {
    local tries
    # Created here, because the log is read before the service may have written to it.
    : >"$scratch/service.log"
    STRIPE_WEBHOOK_SECRETS=$FIRST,$SECOND CLAWBACK_LISTEN=127.0.0.1:0 CLAWBACK_ADMIN_LISTEN=127.0.0.1:0 \
        CLAWBACK_LOG_FORMAT=json "$CLAWBACK" dev >"$scratch/service.log" 2>&1 &
    service=$!
    for ((tries = 0; tries < 300; tries++)); do
        URL=$(awk '$1 == "endpoint" { print $2 }' "$scratch/service.log")
        if [[ -n $URL ]] && CLAWBACK_LISTEN=$(address "$URL") "$CLAWBACK" healthcheck --ready 2>/dev/null; then
            return
        fi
        kill -0 "$service" 2>/dev/null || break
        sleep 0.1
    done
    echo "the service did not become ready:" >&2
    tail -n 20 "$scratch/service.log" >&2
    exit 1
}

# A double of Stripe on a port that is free.
start_double() {
    local tries
    : >"$scratch/double.log"
    "$CLAWBACK" stripe-double --listen 127.0.0.1:0 >"$scratch/double.log" 2>&1 &
    double=$!
    for ((tries = 0; tries < 100; tries++)); do
        DOUBLE=$(awk '$1 == "files" { print $2 }' "$scratch/double.log")
        [[ -z $DOUBLE ]] || return 0
        kill -0 "$double" 2>/dev/null || break
        sleep 0.1
    done
    echo "the double did not start:" >&2
    tail -n 20 "$scratch/double.log" >&2
    exit 1
}

# host:port of a URL.
address() {
    local rest=${1#*://}
    printf '%s' "${rest%%/*}"
}

if ! { installed node nodejs && installed npm npm && installed python3 python3 && installed pip3 python3-pip; }; then
    echo "sdk-check: node with npm and python3 with pip must be installed" >&2
    exit 1
fi

# The caller's settings are for another service.
unset STRIPE_WEBHOOK_SECRET STRIPE_WEBHOOK_SECRET_FILE STRIPE_WEBHOOK_SECRETS_FILE DATABASE_URL CLAWBACK_TOLERANCE

cargo build --release --locked --quiet
CLAWBACK=${CARGO_TARGET_DIR:-$PWD/target}/release/clawback
FIRST=$(secret) SECOND=$(secret) WRONG=$(secret) MODULES=$scratch/node
export CLAWBACK FIRST SECOND WRONG MODULES URL DOUBLE
install_sdks
start_service
start_double

outcome=0
node tests/sdk/node.mjs || outcome=1
PYTHONPATH=$scratch/python PYTHONDONTWRITEBYTECODE=1 python3 tests/sdk/python.py || outcome=1
PYTHONPATH=$scratch/python PYTHONDONTWRITEBYTECODE=1 python3 scripts/sdk-double.py || outcome=1
[[ $outcome -eq 0 ]]
