#!/bin/sh
# Install distribution packages that tests use. Packages that cannot be installed are named, and
# their tests are skipped.
#     install_packages.sh PACKAGE[:PROOF]...
# PROOF shows that a package is installed: a command, or the path of a file (with * and ?). Without
# PROOF it is the command of the same name. apt-get is not called where every package is installed.
set -u

is_there() { # PROOF
    case $1 in
    /*) for file in $1; do [ -e "$file" ] && return 0; done; return 1 ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

packages_missing() { # PACKAGE[:PROOF]...
    for asked in "$@"; do
        is_there "${asked#*:}" || printf '%s ' "${asked%%:*}"
    done
}

missing=$(packages_missing "$@")
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed (no apt-get here): ${missing% } - their tests will be skipped"
    exit 0
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo -n"
export DEBIAN_FRONTEND=noninteractive

install() { # PACKAGE...
    $as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

$as_root apt-get update -qq >/dev/null 2>&1
# shellcheck disable=SC2086 # names of packages, one word each
if ! install $missing; then # apt-get installs none where one is unknown: find the known ones
    known=""
    for package in $missing; do
        apt-get install -s -qq --no-install-recommends "$package" >/dev/null 2>&1 &&
            known="$known $package"
    done
    [ -n "$known" ] && install $known
fi
missing=$(packages_missing "$@")
[ -z "$missing" ] || echo "not installed: ${missing% } - their tests will be skipped"
exit 0
