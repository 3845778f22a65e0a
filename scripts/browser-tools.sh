#!/usr/bin/env bash
# Gets what the tests in a browser need: Chromium with its driver from the system's packages, and axe-core, which checks
# accessibility, into target/tools. What is there already is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

axe='axe-core@4.14.1'

# Both come from one source in one version, so they fit.
browser() {
    if ! { installed chromium chromium chromium-driver fonts-dejavu-core && installed chromedriver chromium-driver; }; then
        left_out "the console in a browser, because chromium or chromedriver is missing"
    fi
}

accessibility() {
    [[ ! -f $tools/axe.min.js ]] || return 0
    if ! installed npm npm; then
        left_out "accessibility, because npm is missing"
        return
    fi
    local scratch
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-axe-XXXXXXXX")
    npm install --prefix "$scratch" --no-save --no-package-lock --no-audit --no-fund --silent "$axe"
    mkdir -p "$tools"
    mv "$scratch/node_modules/axe-core/axe.min.js" "$tools/"
    rm -rf "$scratch"
}

browser
accessibility
