#!/bin/sh
# Prints the folder that holds `initdb` and `postgres`; exits 1 when there is none.
# Looks where the binary looks: src/dev/local_postgres/binaries.rs.
set -u

use_if_complete() {
    if [ -f "$1/initdb" ] && [ -f "$1/postgres" ]; then
        printf '%s\n' "$1"
        exit 0
    fi
}

# The bin folders whose parents match, newest version first: the name's last number decides.
newest_first() {
    for folder in "$@"; do
        [ -d "$folder/bin" ] || continue
        version=${folder##*[!0-9]}
        printf '%s %s\n' "${version:-0}" "$folder/bin"
    done | sort -rn | cut -d ' ' -f 2-
}

# A folder given in PG_BIN is the only one searched.
if [ -n "${PG_BIN:-}" ]; then
    use_if_complete "$PG_BIN"
    exit 1
fi

old_ifs=$IFS
IFS=:
for folder in $PATH; do
    case $folder in
    /*) use_if_complete "$folder" ;;
    esac
done
IFS=$old_ifs

if command -v pg_config >/dev/null; then
    use_if_complete "$(pg_config --bindir)"
fi

for folder in $(newest_first /usr/lib/postgresql/* /opt/homebrew/opt/postgresql* /usr/local/opt/postgresql*); do
    use_if_complete "$folder"
done
exit 1
