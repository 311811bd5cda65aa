#!/bin/sh
# Builds helm, with which the tests render and lint charts/qubesec, from the Go module in tools/helm, once, into the cache
# folder. Run it through tools/toolbox.sh.
#
#   tools/helm.sh build   build it if it is missing (two minutes)
#   tools/helm.sh bin     print the folder of the program, built or not
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
checkout=$(dirname -- "$here")
# shellcheck source=tools/common.sh
. "$here/common.sh"

module=$here/helm

compile() {
    env CGO_ENABLED=0 go build -C "$module" -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' \
        -o "$1/helm" helm.sh/helm/v4/cmd/helm
}

build() {
    [ ! -d "$bin" ] || { touch "$bin"; return; }
    lock helm "builds helm"
    [ ! -d "$bin" ] || return 0
    command -v go >/dev/null || fail "Go is missing: run this through tools/toolbox.sh run"
    rm -rf "$cache"/helm-*.part
    mkdir "$bin.part"
    started=$(date +%s)
    say "building helm, once: about two minutes"
    compile "$bin.part" >"$cache/helm.log" 2>&1 9>&- || {
        tail -n 15 "$cache/helm.log" >&2
        fail "go build of helm failed (its last lines are above); it needs a reachable Go module proxy"
    }
    mv -T "$bin.part" "$bin"
    say "helm ready after $(($(date +%s) - started)) s: $bin"
    drop_unused helm
}

use_go
key=$({ echo "1 $toolchain $(uname -m)"; cat "$module/go.mod" "$module/go.sum"; } | sha256sum | cut -c1-16)
bin=$cache/helm-$key
case ${1:-} in
build) build ;;
bin) echo "$bin" ;;
*) usage "$0" ;;
esac
