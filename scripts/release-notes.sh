#!/usr/bin/env bash
# Prints the section of CHANGELOG.md for a tag vX.Y.Z. Fails where Cargo.toml has another version, or the changelog has
# no entry for it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: release-notes.sh vX.Y.Z}
version=${version#v}
packaged=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
if [[ $packaged != "$version" ]]; then
    echo "release-notes: the tag says $version, Cargo.toml $packaged" >&2
    exit 1
fi
notes=$(awk -v heading="## [$version]" '
    index($0, heading) == 1 { found = 1; next }
    found && /^## / { exit }
    found { print }
' CHANGELOG.md)
if [[ -z ${notes//[[:space:]]/} ]]; then
    echo "release-notes: CHANGELOG.md has no entry for $version" >&2
    exit 1
fi
printf '%s\n' "$notes"
