#!/usr/bin/env bash
# Holds the dependencies against deny.toml: licenses, duplicates and sources, and known vulnerabilities where the database
# of advisories can be fetched. The last line says which. Needs cargo-deny; CI on GitHub runs it by its own action.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo deny --version >/dev/null 2>&1 || {
    echo "cargo-deny is missing: run \`cargo install --locked cargo-deny\`" >&2
    exit 1
}
cargo deny --locked check licenses bans sources
if cargo deny fetch db; then
    cargo deny --locked check --disable-fetch advisories
    echo "licenses, bans, sources and advisories: checked"
else
    echo "licenses, bans and sources: checked; advisories: not checked, their database cannot be fetched"
fi
