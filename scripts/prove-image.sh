#!/usr/bin/env bash
# Builds the image without a container engine and runs its contents: as uid 65532, on a read-only root file system,
# against a Postgres outside. Needs root on Debian, and buildah.
#
# Pulls the base image if it can. Otherwise it builds a stand-in from Debian's packages (debootstrap) and this machine's
# Rust, under a different name; the last line says which was used.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/scratch-postgres.sh
. scripts/scratch-postgres.sh

base=docker.io/library/$(sed -n 's/^FROM \(.*\) AS build$/\1/p' Dockerfile)
stand_in=localhost/clawback-stand-in-for-${base##*/}
image=localhost/clawback
limit=30000000

scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-image-XXXXXXXX")
root=$scratch/root
container=
service=
cleanup() {
    [[ -z $service ]] || kill -TERM "$service" 2>/dev/null || true
    umount "$root" 2>/dev/null || true
    [[ -z $container ]] || buildah rm "$container" >/dev/null || true
    stop_postgres
    rm -rf "$scratch"
}
trap cleanup EXIT

have() {
    buildah inspect --type image "$1" >/dev/null 2>&1
}

make_stand_in() {
    local rust made=$scratch/base
    rust=$(rustc --print sysroot)
    debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev bookworm "$made" >/dev/null
    # The CAs that this machine trusts, so that crates can be fetched as from here.
    cp -L /etc/ssl/certs/ca-certificates.crt "$made/etc/ssl/certs/"
    mkdir -p "$made/usr/local/rust" "$made/usr/local/cargo/bin"
    cp -a "$rust/bin" "$rust/lib" "$made/usr/local/rust/"
    ln -s /usr/local/rust/bin/cargo /usr/local/rust/bin/rustc "$made/usr/local/cargo/bin/"
    container=$(buildah from scratch)
    buildah add -q "$container" "$made" / >/dev/null
    buildah config --env CARGO_HOME=/usr/local/cargo \
        --env PATH=/usr/local/cargo/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit -q --format docker "$container" "$stand_in" >/dev/null
    buildah rm "$container" >/dev/null
    container=
    rm -rf "$made"
}

build() {
    from=$base
    if ! have "$base" && ! buildah pull -q "$base" 2>"$scratch/pull"; then
        tail -n 1 "$scratch/pull" >&2
        echo "$base cannot be pulled: built on a stand-in" >&2
        from=$stand_in
        have "$stand_in" || make_stand_in
    fi
    buildah bud --isolation chroot --pull-never --format docker --from "$from" \
        --build-arg "REVISION=$(git rev-parse --short HEAD)" --tag "$image" .
}

of_image() {
    buildah inspect --type image --format "{{$1}}" "$image"
}

# The command for a container engine; the rest of this script does the same by hand.
configuration() {
    local label='index .Docker.Config.Labels "org.opencontainers.image'
    expect "user of the image" 65532:65532 "$(of_image .Docker.Config.User)"
    expect "entry point" "[/clawback]" "$(of_image .Docker.Config.Entrypoint)"
    expect "command" "[serve]" "$(of_image .Docker.Config.Cmd)"
    expect "health check" "[CMD /clawback healthcheck]" "$(of_image .Docker.Config.Healthcheck.Test)"
    expect "label version" "$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)" "$(of_image "$label.version\"")"
    expect "label revision" "$(git rev-parse --short HEAD)" "$(of_image "$label.revision\"")"
}

# As a container engine would: a read-only root file system, the image's user, no privileges.
in_image() {
    exec chroot --userspec=65532:65532 "$root" /clawback "$@"
}

mount_read_only() {
    container=$(buildah from --pull-never "$image")
    mkdir "$root"
    mount --bind "$(buildah mount "$container")" "$root"
    mount -o remount,bind,ro "$root"
    if touch "$root/written" 2>/dev/null; then
        echo "the root file system can be written" >&2
        return 1
    fi
}

measure() {
    local size
    size=$(du -sb "$root" | cut -f 1)
    (cd "$root" && find . -type f -printf '%9s %P\n' | sort -rn)
    echo "image: $size bytes, at most $limit"
    [[ $size -le $limit ]]
}

# The crates of the binary, and none that only tests need.
materials() {
    python3 - "$root/sbom.json" <<'PYTHON'
import json
import sys

with open(sys.argv[1]) as file:
    sbom = json.load(file)
names = {component["name"] for component in sbom["components"]}
print(f"{sbom['bomFormat']} {sbom['specVersion']}: {len(names)} crates")
sys.exit(not ({"axum", "rustls", "sqlx"} <= names and names.isdisjoint({"insta", "proptest", "thirtyfour"})))
PYTHON
}

start_service() {
    local tries
    in_image serve >"$scratch/log" 2>&1 &
    service=$!
    for ((tries = 0; tries < 100; tries++)); do
        (in_image healthcheck --ready) 2>"$scratch/health" && return
        sleep 0.1
    done
    cat "$scratch/log" "$scratch/health" >&2
    return 1
}

query() {
    PATH=$bin:$PATH psql "$ADMIN_URL" -XAtc "$1"
}

expect() {
    [[ $2 == "$3" ]] || {
        echo "$1: expected $2, got $3" >&2
        return 1
    }
    echo "$1: $3"
}

build
configuration
mount_read_only
measure
materials
start_postgres "$scratch"
export STRIPE_WEBHOOK_SECRETS=whsec_scratch CLAWBACK_SIMULATE_SECRET=whsec_scratch CLAWBACK_MIGRATE=false CLAWBACK_ADMIN_LISTEN=127.0.0.1:0
CLAWBACK_LISTEN=127.0.0.1:$(free_port)
export CLAWBACK_LISTEN CLAWBACK_URL=http://$CLAWBACK_LISTEN/webhooks/stripe
(in_image migrate)
start_service
expect "user of the process" 65532 "$(stat -c %u "/proc/$service")"
(in_image healthcheck)
(in_image simulate full-refund --order image --shuffle --duplicate)
for ((tries = 0; tries < 100; tries++)); do
    [[ $(query 'select count(*) from clawback.pending_events') != 0 ]] || break
    sleep 0.1
done
expect "state of the order" refunded "$(query "select state from clawback_v1.orders where order_id = 'image'")"
expect "superuser" f "$(query "select rolsuper from pg_roles where rolname = 'clawback'")"
kill -TERM "$service"
wait "$service"
expect "exit code" 0 "$?"
service=
expect "health after the end" 1 "$( (in_image healthcheck) 2>/dev/null || echo "$?")"
echo "the image works; built on $from"
