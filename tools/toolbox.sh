#!/bin/sh
# Runs a command where the tools of tools/packages.txt are: on this host when its own packages are new enough,
# otherwise in a Debian 13 root (the toolbox) that is laid once in the cache folder and entered with bubblewrap.
#
#   tools/toolbox.sh run CMD...   run CMD natively or in the toolbox, which is laid first if it is missing
#   tools/toolbox.sh lay          lay the toolbox (or install the packages natively) and stop there
#   tools/toolbox.sh where        print "native", or the folder of the toolbox
#   tools/toolbox.sh packages [PURPOSE]   print the package list: runtime, build, image, test, lint or all of them
set -eu

suite=trixie
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
checkout=$(dirname -- "$here")
# shellcheck source=tools/common.sh
. "$here/common.sh"

packages() {
    awk -v purpose="${1:-}" '!/^#/ && NF == 2 && (purpose == "" || $1 == purpose) { print $2 }' "$here/packages.txt"
}

# What the host lacks to build and test natively, one word each; empty when it lacks nothing.
missing_here() {
    for tool in cmake ninja make gcc clang clang-format clang-tidy go openssl python3 pmccabe shellcheck gdb setsid umoci valgrind jq xxd; do
        command -v "$tool" >/dev/null || echo "$tool"
    done
    for module in 'openssl 3.5' 'libcurl 8.0' 'libevent_openssl 2.1.12' 'yyjson 0.10' 'yaml-0.1 0.2' 'cmocka 1.1' 'zlib 1.2'; do
        pkg-config --atleast-version="${module#* }" "${module% *}" 2>/dev/null || echo "$module" | tr ' ' '-'
    done
    for compiler in 'gcc 14' 'clang 19'; do
        major=$("${compiler% *}" -dumpversion 2>/dev/null | cut -d. -f1)
        [ "${major:-0}" -ge "${compiler#* }" ] || echo "$compiler" | tr ' ' '-'
    done
    [ -e /usr/share/zoneinfo/Europe/Zurich ] || echo tzdata
    python3 - <<'PROBE' 2>/dev/null || echo python3-modules
import importlib.util, sys
sys.exit(any(importlib.util.find_spec(name) is None for name in ("pytest", "pytest_timeout", "kubernetes", "yaml")))
PROBE
}

# Does this distribution ship packages that are new enough, once they are installed?
distribution_is_new_enough() {
    [ -r /etc/os-release ] || return 1
    # shellcheck disable=SC1091
    (. /etc/os-release
    case ${ID:-} in
    debian) [ "${VERSION_ID:-0}" -ge 13 ] ;;
    ubuntu) [ "$(printf '%s\n' 25.10 "${VERSION_ID:-0}" | sort -V | head -n 1)" = 25.10 ] ;;
    *) false ;;
    esac) 2>/dev/null
}

install_natively() {
    list=$(packages | tr '\n' ' ')
    if [ "$(id -u)" -ne 0 ]; then
        fail "these are missing here: $(missing_here | tr '\n' ' ')
run this once as root, then try again:
    apt-get install --no-install-recommends $list"
    fi
    say "installing the packages of tools/packages.txt"
    # shellcheck disable=SC2086
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $list; } >&2 ||
        fail "apt-get could not install the packages of tools/packages.txt (its own message is above)"
    still=$(missing_here | tr '\n' ' ')
    [ -z "$still" ] || fail "the packages are installed, but these are still missing or too old: $still"
}

# The two programs that lay and enter the toolbox.
need_laying_tools() {
    absent=
    command -v mmdebstrap >/dev/null || absent="$absent mmdebstrap"
    command -v bwrap >/dev/null || absent="$absent bubblewrap"
    [ -n "$absent" ] || return 0
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "installing$absent on this host"
        # shellcheck disable=SC2086
        { apt-get update -qq || say "apt-get update failed, trying to install all the same"
          DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $absent; } >&2 && return 0
    fi
    fail "this host's packages are too old to build QubeSec (needed: OpenSSL 3.5, gcc 14, clang 19, see tools/packages.txt),
and the Debian 13 toolbox that would be used instead needs:$absent
install them (on Debian and Ubuntu, as root: apt-get install mmdebstrap bubblewrap uidmap), then try again"
}

# A new list, or a new way of laying (then the number here goes up), is a new toolbox.
toolbox_dir() {
    key=$({ echo "3 $suite"; packages; } | sha256sum | cut -c1-16)
    echo "$cache/toolbox-$key"
}

# Lays a Debian root as folder $1. Without root mmdebstrap unpacks in a user namespace and hands the result out as a
# tar file, so that all files of the toolbox are the caller's own. (OpenJDK's packages link into man1 and fail without it.)
# shellcheck disable=SC2016
lay_root() {
    set -- "$1" --variant=minbase --include="$(packages | paste -sd,)" --dpkgopt=force-unsafe-io \
        --essential-hook='mkdir -p "$1/usr/share/man/man1"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --aptopt='Acquire::Retries "3"' "$suite"
    part=$1
    shift
    if [ "$(id -u)" -eq 0 ]; then
        setsid mmdebstrap "$@" "$part" >"$part.log" 2>&1 &
        await $! || return 1
    else
        setsid mmdebstrap --mode=unshare "$@" "$part.tar" >"$part.log" 2>&1 &
        await $! || return 1
        mkdir "$part" && tar -C "$part" -xf "$part.tar" --exclude='./dev/*' || return 1
    fi
    rm -f "$part/etc/resolv.conf" && : >"$part/etc/resolv.conf" || return 1
    rm -f "$part.tar" "$part.log"
}

# Waits for the session of process $1, and ends all of it when this script is told to end.
await() {
    trap 'give_up "$1" 130' INT
    trap 'give_up "$1" 143' TERM HUP
    result=0
    wait "$1" || result=$?
    trap - INT TERM HUP
    return "$result"
}

give_up() {
    kill -s TERM -- "-$1" || :
    wait "$1" || :
    rm -rf --one-file-system "$toolbox".part*
    exit "$2"
}

lay() {
    [ ! -d "$toolbox" ] || return 0
    need_laying_tools
    lock toolbox "lays the toolbox"
    if [ ! -d "$toolbox" ]; then
        rm -rf --one-file-system "$cache"/toolbox-*.part* # left by a run that was cut off: whoever makes one holds the lock
        say "laying the Debian 13 toolbox (once, half a minute to a few, by the mirror's speed)"
        started=$(date +%s)
        if ! lay_root "$toolbox.part" 9>&-; then
            [ ! -f "$toolbox.part.log" ] || tail -n 15 "$toolbox.part.log" >&2
            fail "mmdebstrap could not lay the toolbox (its last lines are above); it needs a reachable Debian mirror,
and without root also user namespaces and the package uidmap"
        fi
        mv -T "$toolbox.part" "$toolbox"
        say "toolbox ready after $(($(date +%s) - started)) s: $toolbox"
        drop_unused toolbox
    fi
    exec 9>&-
}

# Enters the toolbox. The host's environment, home folder, DNS and CA certificates are visible inside, so that a
# machine behind a proxy with a CA of its own works as it does outside. The process table and the network are the
# host's, so a server started inside outlives the call. setpriv: a signal that ends bwrap reaches the command too.
enter() {
    case ${HOME:-/} in / | "") fail "HOME is not set, or is the root folder" ;; esac
    bundle=
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=\/.*/\1/p'); do
        case $name in *CERT* | *_CA_* | *CAINFO*) ;; *) continue ;; esac
        value=$(printenv "$name")
        [ -e "$value" ] || continue
        set -- --ro-bind "$value" "/run/host/$name" --setenv "$name" "/run/host/$name" "$@"
    done
    for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem; do
        [ -r "$bundle" ] || continue
        set -- --ro-bind "$(readlink -f "$bundle")" /etc/ssl/certs/ca-certificates.crt "$@"
        break
    done
    for file in /etc/resolv.conf /etc/hosts; do
        [ ! -r "$file" ] || set -- --ro-bind "$(readlink -f "$file")" "$file" "$@"
    done
    vectors=${QUBESEC_VECTORS:-$checkout/../shared/vectors}
    if [ -d "$vectors" ]; then
        vectors=$(CDPATH='' cd -- "$vectors" && pwd)
        set -- --ro-bind "$vectors" "$vectors" "$@"
    fi
    exec bwrap \
        --ro-bind "$toolbox/usr" /usr --ro-bind "$toolbox/etc" /etc --ro-bind "$toolbox/var" /var \
        --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
        --dev /dev --proc /proc --ro-bind-try /sys /sys --bind /tmp /tmp --bind /tmp /var/tmp --tmpfs /run \
        --bind "$HOME" "$HOME" --bind "$cache" "$cache" --bind "$checkout" "$checkout" --chdir "$PWD" \
        --setenv PATH /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --setenv LC_ALL C.UTF-8 \
        --setenv PYTHONNOUSERSITE 1 --unsetenv PYTHONPATH --unsetenv PYTHONHOME --unsetenv GOROOT --unsetenv LD_LIBRARY_PATH \
        "$@"
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in packages) packages "$@" && exit ;; run | lay | where) ;; *) usage "$0" ;; esac

toolbox=$(toolbox_dir)
if [ -z "$(missing_here)" ]; then
    native=yes
elif distribution_is_new_enough; then
    native=yes
    [ "$verb" = where ] || install_natively
else
    native=no
    [ "$verb" = where ] || lay
fi
case $verb$native in
whereyes) echo native ;;
whereno) echo "$toolbox" ;;
runyes) exec "$@" ;;
runno) touch "$toolbox" && enter setpriv --pdeathsig TERM "$@" ;;
esac
