#!/usr/bin/env bash
# Records the requests that Stripe's Python SDK makes for the calls of our client, into tests/data/sdk_requests.json.
# The test `sdk` in tests/api compares ours with them.
#
#   scripts/sdk-requests.sh         fails when the recorded requests differ from the SDK's
#   scripts/sdk-requests.sh write   writes them
#
# Needs python3 with pip and its package registry; nothing of it stays. STRIPE_PYTHON names another version of the SDK.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

sdk=stripe==${STRIPE_PYTHON:-16.1.0}
recorded=tests/data/sdk_requests.json
scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-sdk-XXXXXXXX")
trap 'rm -rf "$scratch"' EXIT

if ! { installed python3 python3 && installed pip3 python3-pip; }; then
    echo "sdk-requests: python3 with pip must be installed" >&2
    exit 1
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    python3 -m pip install --quiet --target "$scratch/python" "$sdk"
PYTHONPATH=$scratch/python PYTHONDONTWRITEBYTECODE=1 python3 scripts/sdk-requests.py >"$scratch/requests.json"

if [[ ${1:-} == write ]]; then
    cp "$scratch/requests.json" "$recorded"
elif ! diff -u "$recorded" "$scratch/requests.json"; then
    echo "$sdk makes other requests than those in $recorded: run scripts/sdk-requests.sh write, then the tests" >&2
    exit 1
else
    echo "$sdk makes the requests in $recorded"
fi
