#!/bin/sh
# Builds the benchmark's peer, an operator with Go's controller-runtime, from bench/peer-go, once, into the cache
# folder. Run it through tools/toolbox.sh.
#
#   tools/peer-go.sh build   build it if it is missing (two minutes)
#   tools/peer-go.sh where   print the folder of the program peer-go, built or not
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
checkout=$(dirname -- "$here")
# shellcheck source=tools/common.sh
. "$here/common.sh"

sources=$checkout/bench/peer-go

compile() {
    env CGO_ENABLED=0 go build -C "$sources" -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' -o "$1/peer-go" .
}

build() {
    [ ! -d "$peer" ] || { touch "$peer"; return; }
    lock peer-go "builds the Go operator"
    [ ! -d "$peer" ] || return 0
    command -v go >/dev/null || fail "Go is missing: run this through tools/toolbox.sh run"
    rm -rf "$cache"/peer-go-*.part
    mkdir "$peer.part"
    started=$(date +%s)
    say "building the Go operator, once: about two minutes"
    compile "$peer.part" >"$cache/peer-go.log" 2>&1 9>&- || {
        tail -n 15 "$cache/peer-go.log" >&2
        fail "go build of the Go operator failed (its last lines are above); it needs a reachable Go module proxy"
    }
    mv -T "$peer.part" "$peer"
    say "Go operator ready after $(($(date +%s) - started)) s: $peer"
    drop_unused peer-go
}

use_go
key=$({ echo "1 $toolchain $(uname -m)"; find "$sources" -type f | LC_ALL=C sort | xargs cat; } | sha256sum | cut -c1-16)
peer=$cache/peer-go-$key
case ${1:-} in
build) build ;;
where) echo "$peer" ;;
*) usage "$0" ;;
esac
