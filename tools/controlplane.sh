#!/bin/sh
# Builds the control plane of the demo and the tests (etcd, kube-apiserver, kube-controller-manager, kubectl) from
# the Go module in tools/controlplane, once, into the cache folder. Run it through tools/toolbox.sh.
#
#   tools/controlplane.sh build   build what is missing (minutes, the first time), with progress on stderr
#   tools/controlplane.sh bin     print the folder of the programs, built or not
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
checkout=$(dirname -- "$here")
# shellcheck source=tools/common.sh
. "$here/common.sh"

module=$here/controlplane
programs='etcd kube-apiserver kube-controller-manager kubectl'

package_of() {
    case $1 in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    *) echo "k8s.io/kubernetes/cmd/$1" ;;
    esac
}

# Becomes the compiler of program $1, for folder $2, with the version that upstream's own build stamps into it.
compile() {
    version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$module/go.mod")
    minor=${version#v1.}
    stamp="-X k8s.io/component-base/version.git"
    exec env CGO_ENABLED=0 go build -C "$module" -v -mod=readonly -trimpath -buildvcs=false -o "$2/$1" -ldflags \
        "-s -w ${stamp}Version=$version ${stamp}Major=1 ${stamp}Minor=${minor%%.*}" "$(package_of "$1")"
}

# Runs compile for program $1 into folder $2 and says every 15 s how far it is.
compile_with_progress() {
    compile "$1" "$2" >"$log" 2>&1 &
    compiler=$!
    trap 'kill $compiler 2>/dev/null; exit 130' INT
    trap 'kill $compiler 2>/dev/null; exit 143' TERM HUP
    ticks=0
    while kill -0 "$compiler" 2>/dev/null; do
        sleep 1
        ticks=$((ticks + 1))
        [ $((ticks % 15)) -ne 0 ] ||
            say "  $1: $(grep -cv '^go: ' "$log" || :) packages compiled, $(($(date +%s) - started)) s so far"
    done
    trap - INT TERM HUP
    wait "$compiler"
}

build() {
    if [ -d "$bin" ]; then
        touch "$bin"
        return
    fi
    lock controlplane "builds the control plane"
    [ ! -d "$bin" ] || return 0
    command -v go >/dev/null || fail "Go is missing: run this through tools/toolbox.sh run"
    rm -rf "$cache"/controlplane-*.part
    mkdir "$bin.part"
    log=$cache/controlplane.log
    started=$(date +%s)
    number=0
    say "building the control plane, once: about $((14 / $(nproc) < 3 ? 3 : 14 / $(nproc))) minutes on this machine's $(nproc) cores"
    for program in $programs; do
        number=$((number + 1))
        say "[$number/4] $program"
        if ! compile_with_progress "$program" "$bin.part" 9>&-; then
            tail -n 15 "$log" >&2
            fail "go build of $program failed (its last lines are above, all in $log); it needs a reachable Go module proxy"
        fi
    done
    mv -T "$bin.part" "$bin"
    say "control plane ready after $(($(date +%s) - started)) s: $bin"
    drop_unused controlplane
}

use_go
# Another module, or another way of building it (then the number here goes up), is another control plane.
key=$({ echo "1 $toolchain $(uname -m)"; cat "$module/go.mod" "$module/go.sum"; } | sha256sum | cut -c1-16)
bin=$cache/controlplane-$key
case ${1:-} in
build) build ;;
bin) echo "$bin" ;;
*) usage "$0" ;;
esac
