#!/usr/bin/env bash
# Sourced by other scripts: programs that a check needs and this machine may not have. As root on Debian they are
# installed from its packages; elsewhere the check is skipped with a message. In CI a skipped check fails.
#
#   installed PROGRAM PACKAGE…   installs the packages where PROGRAM is missing
#   install PACKAGE…             installs the packages
#   unpacked PROGRAM PACKAGE…    unpacks the first with PROGRAM under target/: installing a server's package
#                                would start the server
#   unpacked_system SUITE PACKAGE   unpacks a Debian of that suite with the package under target/, for a newer version
#                                   than this machine's; prints the folder
#   left_out WHAT                says what was not checked

tools=${CARGO_TARGET_DIR:-$PWD/target}/tools
PATH=$PATH:$tools/usr/bin

can_install() {
    [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null
}

installed() {
    command -v "$1" >/dev/null && return
    install "${@:2}"
}

install() {
    can_install || return
    echo "installing $*" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null
}

unpacked() {
    local package
    for package in "${@:2}"; do
        command -v "$1" >/dev/null && return
        can_install || return
        echo "unpacking $package" >&2
        unpack "$package"
    done
    command -v "$1" >/dev/null
}

# As root: apt's own user may not be able to write to the folder.
unpack() {
    mkdir -p "$tools"
    (cd "$tools" && apt-get update -qq && apt-get download -qq -o APT::Sandbox::User=root "$1" >/dev/null &&
        dpkg-deb -x "$1"_*.deb . && rm "$1"_*.deb)
}

unpacked_system() {
    local system=$tools/$1-$2
    if [[ ! -e $system/complete ]]; then
        can_install && installed debootstrap debootstrap || return
        echo "unpacking $2 of Debian $1" >&2
        rm -rf "$system"
        mkdir -p "$tools"
        debootstrap --variant=minbase --include="$2" "$1" "$system" >/dev/null || return
        touch "$system/complete"
    fi
    echo "$system"
}

left_out() {
    echo "not checked: $1" >&2
    [[ ${CI:-} != true ]]
}
