#!/bin/sh
# Builds helm, with which the tests render, lint and install charts, and health, which tells them what others take an object's
# status for, from the Go module in tools/helm, once, into the cache folder. Run it through tools/toolbox.sh.
#
#   tools/helm.sh build   build both if they are missing (two minutes)
#   tools/helm.sh bin     print the folder of the programs, built or not
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
checkout=$(dirname -- "$here")
# shellcheck source=tools/common.sh
. "$here/common.sh"

module=$here/helm

compile() {
    env CGO_ENABLED=0 go build -C "$module" -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' \
        -o "$1/" helm.sh/helm/v4/cmd/helm ./health
}

use_go
key=$({ echo "1 $toolchain $(uname -m)"; find "$module" -type f | LC_ALL=C sort | xargs cat; } | sha256sum | cut -c1-16)
bin=$cache/helm-$key
case ${1:-} in
build) build_once helm helm "about two minutes" "$bin" ;;
bin) echo "$bin" ;;
*) usage "$0" ;;
esac
