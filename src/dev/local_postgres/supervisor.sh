#!/bin/sh
# Runs one Postgres for as long as the other end of standard input is held open, then stops it and
# removes its folder. However that end closes, by its owner's will, exit or SIGKILL, the server ends.
#
# usage: [CLAWBACK_KEEP=yes] local_postgres.sh FOLDER BIN [ARGUMENT FOR postgres]...
# The first line of standard input is the password of the user `clawback`.
# CLAWBACK_KEEP=yes: the folder is not removed, and a database that is there already is used.
set -u
umask 077

# Ctrl-C is for the owner: the server has to stay until the owner has shut down.
trap '' HUP INT QUIT TERM

folder=$1
bin=$2
shift 2

# Its entry in the folder around it may be the owner's alone to remove.
remove_folder() {
    [ -n "${CLAWBACK_KEEP:-}" ] || { cd / && rm -rf "$folder" 2>/dev/null; }
}

read -r password

if ! [ -x "$bin/initdb" ]; then
    echo "$(id -un) cannot run $bin/initdb: let that user in, or set PG_BIN to another folder" >&2
    remove_folder
    exit 1
fi

# Descriptor 3 is the owner's pipe. No child but the watcher below may hold it.
exec 3<&0 </dev/null

# Made under another name first, so that a crash leaves no half of a database.
make_database() {
    rm -rf "$folder/new" && printf '%s\n' "$password" >"$folder/new-password" || return
    "$bin/initdb" ${no_sync:+"$no_sync"} --no-locale -E UTF8 -A scram-sha-256 -U clawback \
        --pwfile="$folder/new-password" -D "$folder/new" >/dev/null 3<&- || return
    rm "$folder/new-password" && mv "$folder/new" "$folder/data"
}

no_sync=--no-sync
[ -z "${CLAWBACK_KEEP:-}" ] || no_sync=
if ! [ -d "$folder/data" ] && ! make_database; then
    remove_folder
    exit 1
fi

"$bin/postgres" -D "$folder/data" "$@" 3<&- &
server=$!

# SIGINT asks for a fast shutdown. It is repeated, since a server that has only just been started
# still ignores it; SIGQUIT is for one that has not ended after five seconds.
(
    while read -r _; do :; done
    tries=0
    while [ "$tries" -lt 50 ] && kill -INT "$server"; do
        tries=$((tries + 1))
        sleep 0.1
    done
    kill -QUIT "$server"
) <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&-

wait "$server"
status=$?
# KILL, because the watcher ignores the gentler signals as well.
kill -KILL "$watcher"
remove_folder
exit "$status"
