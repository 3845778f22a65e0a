#!/usr/bin/env bash
# Runs the consumers in examples/ against a service with payments in it, and checks what they did in the database.
#
# Their dependencies come from the package registries: Python's into a virtual environment under target/, Node's into
# examples/node/node_modules, Go's from the module proxy or, where that is not reached, from Debian's packages.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

folder=${CARGO_TARGET_DIR:-$PWD/target}/examples
mkdir -p "$folder"

# Debian splits venv from Python.
has_venv() {
    python3 -c 'import ensurepip, venv' 2>/dev/null
}

prepare_python() {
    { installed python3 python3 python3-venv && { has_venv || install python3-venv; } && has_venv; } || return
    python3 -m venv "$folder/python"
    "$folder/python/bin/pip" install --quiet --disable-pip-version-check -r examples/python/requirements.txt
    export CLAWBACK_EXAMPLE_PYTHON=$folder/python/bin/python
}

prepare_node() {
    { installed node nodejs && installed npm npm; } || return
    npm ci --prefix examples/node --no-audit --no-fund --silent
    npm run --prefix examples/node --silent typecheck
    CLAWBACK_EXAMPLE_NODE=$(command -v node)
    export CLAWBACK_EXAMPLE_NODE
}

prepare_go() {
    installed go golang-go || return
    (cd examples/go && { timeout 300 go build -o "$folder/evidence" . 2>/dev/null || build_with_debians_driver; }) || return
    export CLAWBACK_EXAMPLE_GO=$folder/evidence
}

build_with_debians_driver() {
    local sources=/usr/share/gocode
    [[ -d $sources/src/github.com/lib/pq ]] || install golang-github-lib-pq-dev || return
    GO111MODULE=off GOPATH=$sources go build -o "$folder/evidence" .
}

for language in python node go; do
    "prepare_$language" || left_out "the example in $language, because its tools are missing"
done
cargo test --locked --test it examples::
