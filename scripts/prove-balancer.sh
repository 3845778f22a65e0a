#!/usr/bin/env bash
# Puts nginx, with the configuration of docs/DEPLOY.md, in front of two replicas: it uses its connections again, also
# after pauses around both sides' idle times, and goes on while one replica is replaced.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/scratch-postgres.sh
. scripts/scratch-postgres.sh
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawback-balancer-XXXXXXXX")
declare -A replicas
cleanup() {
    local process
    [[ ! -e $scratch/nginx.pid ]] || kill -TERM "$(<"$scratch/nginx.pid")" || true
    for process in ${replicas[@]+"${replicas[@]}"}; do
        kill -TERM "$process" 2>/dev/null || true
    done
    wait
    stop_postgres
    rm -rf "$scratch"
}
trap cleanup EXIT

PATH=$PATH:$tools/usr/sbin:/usr/sbin
unpacked nginx nginx || {
    left_out "a load balancer, because nginx is missing"
    exit
}

# The documented configuration, for these ports and without TLS.
start_nginx() {
    local documented
    documented=$(sed -n '/^upstream clawback /,/^}$/p' docs/DEPLOY.md |
        sed "s/server 127.0.0.1:8080;/server $first; server $second;/; s/listen 443 ssl;/listen 127.0.0.1:$port;/")
    cat >"$scratch/nginx.conf" <<CONF
worker_processes 1;
pid $scratch/nginx.pid;
error_log $scratch/nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path $scratch/body;
    proxy_temp_path $scratch/proxy;
    fastcgi_temp_path $scratch/fastcgi;
    uwsgi_temp_path $scratch/uwsgi;
    scgi_temp_path $scratch/scgi;
$documented
}
CONF
    nginx -c "$scratch/nginx.conf" -e "$scratch/nginx.log"
}

start_replica() {
    CLAWBACK_LISTEN=$1 "$clawback" serve >>"$scratch/log" 2>&1 &
    replicas[$1]=$!
    until CLAWBACK_LISTEN=$1 "$clawback" healthcheck --ready 2>/dev/null; do
        kill -0 "${replicas[$1]}"
        sleep 0.1
    done
}

# Each delivery must be acknowledged; while a replica is replaced, as Stripe does it, at the second try.
deliver() {
    local story tries
    for ((story = 0; story < $1; story++)); do
        for ((tries = 0; ; tries++)); do
            "$clawback" simulate full-refund --order "order-$((orders + story))" --shuffle --duplicate \
                --url "http://127.0.0.1:$port/webhooks/stripe" >"$scratch/out" 2>&1 && break
            ((tries < $2)) || {
                tail -n 5 "$scratch/out" "$scratch/nginx.log" >&2
                return 1
            }
        done
    done
    orders=$((orders + $1))
}

unset STRIPE_WEBHOOK_SECRET STRIPE_WEBHOOK_SECRET_FILE STRIPE_WEBHOOK_SECRETS_FILE DATABASE_URL_FILE
export STRIPE_WEBHOOK_SECRETS=whsec_scratch CLAWBACK_SIMULATE_SECRET=whsec_scratch CLAWBACK_ADMIN_LISTEN=127.0.0.1:0
cargo build --release --locked --quiet
clawback=${CARGO_TARGET_DIR:-$PWD/target}/release/clawback
start_postgres "$scratch"
first=127.0.0.1:$(free_port) second=127.0.0.1:$(free_port) port=$(free_port) orders=0
start_replica "$first"
start_replica "$second"
start_nginx
# nginx closes idle connections after 5 seconds, a replica after 10.
for pause in 0 4.9 5 5.1 9.9 10 10.1; do
    sleep "$pause"
    deliver 5 0
done
kill -TERM "${replicas[$first]}"
deliver 20 1
wait "${replicas[$first]}"
start_replica "$first"
deliver 20 1
refunded=
for ((tries = 0; tries < 100; tries++)); do
    refunded=$(PATH=$bin:$PATH psql "$ADMIN_URL" -XAtc "select count(*) from clawback_v1.orders where state = 'refunded'")
    [[ $refunded != "$orders" ]] || break
    sleep 0.1
done
[[ $refunded == "$orders" ]] || {
    echo "$refunded orders of $orders are refunded" >&2
    exit 1
}
echo "behind $(nginx -v 2>&1 | sed 's/.*: //'): $orders orders of $orders refunded, no delivery refused but while a replica was replaced"
