#!/bin/sh
# Checks that what `make` needs is there: cargo, and the programs of a Postgres server, which it installs from the
# system's packages. Prints nothing when there is nothing to do.
set -eu

create_cluster_conf=/etc/postgresql-common/createcluster.conf

give_up() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

# Debian's package creates a cluster and starts it on port 5432, unless configured beforehand. The last of several
# settings counts, so the rest of the file stays in force. Arguments: a prefix for each command, such as sudo.
keep_port_5432_free() {
    grep -qs '^create_main_cluster *= *false' "$create_cluster_conf" && return
    "$@" mkdir -p "${create_cluster_conf%/*}"
    echo 'create_main_cluster = false' | "$@" tee -a "$create_cluster_conf" >/dev/null
}

# `confold`: dpkg would otherwise ask about the file above.
install_with_apt() {
    echo 'setup: no Postgres found, installing the package postgresql' >&2
    keep_port_5432_free "$@"
    "$@" apt-get update -qq
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold postgresql >&2
}

install_postgres() {
    if ! command -v apt-get >/dev/null; then
        give_up 'no Postgres found: install its server, for instance: brew install postgresql@17'
    elif [ "$(id -u)" -eq 0 ]; then
        install_with_apt env
    elif sudo -n true 2>/dev/null; then
        install_with_apt sudo -n
    else
        give_up 'no Postgres found: run once, to install it: sudo make setup'
    fi
}

cd "$(dirname "$0")"

if ! ./postgres-bin.sh >/dev/null; then
    [ -z "${PG_BIN:-}" ] || give_up "PG_BIN=$PG_BIN does not hold both initdb and postgres"
    install_postgres
    ./postgres-bin.sh >/dev/null ||
        give_up 'Postgres is installed but still not found: set PG_BIN to the folder of initdb and postgres'
fi

# Not under sudo, which hides a user's own cargo and builds nothing.
if [ -z "${SUDO_USER:-}" ] && ! command -v cargo >/dev/null; then
    give_up 'no cargo found: install Rust (https://www.rust-lang.org/tools/install) or add ~/.cargo/bin to PATH'
fi
