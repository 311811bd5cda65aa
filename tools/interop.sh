#!/bin/sh
# Sets up the peers of tests/interop, pinned, once, in the cache folder: a Go program with the linter zlint, Bouncy Castle's
# jars with a Java program, and a Python environment with cryptography. Run it through tools/toolbox.sh.
#
#   tools/interop.sh build   set up what is missing
#   tools/interop.sh where   print the peers' folder, set up or not
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
checkout=$(dirname -- "$here")
# shellcheck source=tools/common.sh
. "$here/common.sh"

sources=$checkout/tests/interop/peers

build_go() {
    env CGO_ENABLED=0 go build -C "$sources/go" -mod=readonly -trimpath -buildvcs=false -o "$1/peer" .
}

# Java trusts whom the host trusts, through a store of its own kind. The jars are those of jars.sha256, or nothing is set
# up.
build_java() {
    openssl pkcs12 -export -nokeys -jdktrust anyExtendedKeyUsage -in /etc/ssl/certs/ca-certificates.crt \
        -out "$1/trust.p12" -passout pass:changeit
    export MAVEN_OPTS="-Djavax.net.ssl.trustStore=$1/trust.p12 -Djavax.net.ssl.trustStorePassword=changeit"
    mvn --quiet --batch-mode --file "$sources/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1"
    (cd "$1" && sha256sum --quiet --strict --check "$sources/java/jars.sha256")
    [ "$(find "$1" -name '*.jar' | wc -l)" -eq "$(wc -l <"$sources/java/jars.sha256")" ]
    javac -Xlint:all -Werror -cp "$1/*" -d "$1" "$sources/java/Peer.java"
}

# The environment stands where it will be used, since it holds its own path.
build_python() {
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --require-hashes --only-binary :all: --requirement "$sources/python/requirements.txt"
}

build() {
    [ ! -e "$peers/complete" ] || { touch "$peers"; return; }
    lock interop "sets up the peers"
    [ ! -e "$peers/complete" ] || return 0
    rm -rf "$peers"
    mkdir -p "$peers/go" "$peers/java"
    started=$(date +%s)
    for peer in go java python; do
        say "setting up the peer in $peer, once"
        "build_$peer" "$peers/$peer" >"$peers/log" 2>&1 9>&- || {
            tail -n 15 "$peers/log" >&2
            fail "the peer in $peer could not be set up (the last lines are above); it needs a reachable package registry"
        }
    done
    : >"$peers/complete"
    say "peers ready after $(($(date +%s) - started)) s: $peers"
    drop_unused interop
}

use_go
key=$({ echo "1 $toolchain $(uname -m)"; find "$sources" -type f | LC_ALL=C sort | xargs cat; } | sha256sum | cut -c1-16)
peers=$cache/interop-$key
case ${1:-} in
build) build ;;
where) echo "$peers" ;;
*) usage "$0" ;;
esac
