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

use_go
key=$({ echo "1 $toolchain $(uname -m)"; find "$sources" -type f | LC_ALL=C sort | xargs cat; } | sha256sum | cut -c1-16)
peer=$cache/peer-go-$key
case ${1:-} in
build) build_once peer-go "the Go operator" "about two minutes" "$peer" ;;
where) echo "$peer" ;;
*) usage "$0" ;;
esac
