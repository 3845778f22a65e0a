#!/usr/bin/env bash
# Checks, in a fresh Debian without Postgres, that scripts/setup.sh installs it and leaves no server running and no
# cluster behind. Needs root on Debian, and debootstrap; uses a few hundred megabytes and removes them.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:-bookworm}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-setup-XXXXXXXX")
tree=$scratch/tree
trap 'rm -rf --one-file-system "$scratch"' EXIT

debootstrap --variant=minbase "$suite" "$tree" >"$scratch/debootstrap.log" || {
    tail -n 5 "$scratch/debootstrap.log" >&2
    exit 1
}
mkdir "$tree/clawback"
cp -R scripts Makefile "$tree/clawback/"
# No Rust is needed: setup.sh only checks that cargo exists.
printf '#!/bin/sh\n' >"$tree/usr/local/bin/cargo"
chmod +x "$tree/usr/local/bin/cargo"

# A PID namespace: what still runs at the end is visible, and ends with it.
unshare --mount --pid --fork --kill-child chroot "$tree" /bin/sh -eu <<'INSIDE'
mount -t proc proc /proc
cd /clawback

fail() {
    echo "$1" >&2
    exit 1
}

! scripts/postgres-bin.sh >/dev/null || fail 'there is a Postgres before anything was installed'

# Without root and sudo: one line that names the command, and nothing else.
if said=$(setpriv --reuid nobody --regid nogroup --clear-groups scripts/setup.sh 2>&1); then
    fail 'setup without rights and without Postgres succeeds'
fi
case $said in
'setup: no Postgres found: run once, to install it: sudo make setup') echo "without rights: $said" ;;
*) fail "setup without rights says: $said" ;;
esac

scripts/setup.sh >/tmp/setup.log 2>&1 || fail "$(cat /tmp/setup.log)"
echo "installed: $(scripts/postgres-bin.sh)"

for process in /proc/[0-9]*; do
    case $(cat "$process/comm" 2>/dev/null) in
    postgres*) fail 'a Postgres is running' ;;
    esac
done
echo 'servers running: none'
clusters=$(pg_lsclusters --no-header)
[ -z "$clusters" ] || fail "there is a cluster: $clusters"
echo 'clusters made: none'

said=$(scripts/setup.sh 2>&1)
[ -z "$said" ] || fail "a second time setup says: $said"
echo 'a second time: silent'
INSIDE
