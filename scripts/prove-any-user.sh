#!/usr/bin/env bash
# Runs `make demo` and `make test` as an ordinary user, in a fresh clone of what is committed and with a CARGO_HOME of its
# own. Needs root, to switch users. Tests of sample events and of the contract, which are not in the repository, are
# skipped.
#
#   ANY_USER=nobody                  the user
#   ANY_USER_CARGO_HOME=FOLDER       an existing one of that user; otherwise an empty one is created
#   ANY_USER_TARGET=FOLDER           compiled dependencies to start from, copied; of use when they were
#                                    compiled with a CARGO_HOME of the same path
set -euo pipefail
cd "$(dirname "$0")/.."

user=${ANY_USER:-nobody}
group=$(id -g "$user")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-user-XXXXXXXX")
trap 'rm -rf "$scratch"' EXIT
cargo_home=${ANY_USER_CARGO_HOME:-$scratch/cargo}
rust=$(rustc --print sysroot)

as_user() {
    setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs "$@"
}

chmod 755 "$scratch"
git clone --quiet --no-hardlinks . "$scratch/clawback"
mkdir -p "$scratch/home" "$cargo_home"
if [[ -n ${ANY_USER_TARGET:-} ]]; then
    cp -a "$ANY_USER_TARGET" "$scratch/clawback/target"
fi
chown -R "$user:$group" "$scratch/home" "$scratch/clawback" "$cargo_home"

# The user cannot read a toolchain in root's home.
if ! as_user test -x "$rust/bin/cargo"; then
    mkdir "$scratch/rust"
    cp -a "$rust/bin" "$rust/lib" "$scratch/rust/"
    rust=$scratch/rust
fi

cd "$scratch/clawback"
for goal in demo test; do
    echo "=== make $goal, as $(as_user id -un)"
    as_user env -i HOME="$scratch/home" CARGO_HOME="$cargo_home" PATH="$rust/bin:/usr/local/bin:/usr/bin:/bin" make "$goal"
done
echo "make demo and make test work for $user, without the tests of sample events and of the contract"
