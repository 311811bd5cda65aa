#!/bin/sh
# The demo: a control plane and the operator, the key exchange of config/samples/key-exchange.yaml, and the proof that
# both parties hold the same key. All that it starts it stops. Run it through tools/toolbox.sh.
#
#   tools/demo.sh QUBESEC   QUBESEC is the built program
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
checkout=$(dirname -- "$here")
# shellcheck source=tools/common.sh
. "$here/common.sh"
[ $# -eq 1 ] || usage "$0"

binary=$1
sample=$checkout/config/samples/key-exchange.yaml
cluster="$here/cluster.py --dir $work/demo"

finish() {
    status=$?
    trap '' INT TERM HUP
    trap - EXIT
    $cluster stop
    case $status in
    0) ;;
    130 | 143) say "the demo was interrupted; all that it started is stopped" ;;
    *) say "the demo failed; its logs are in $work/demo/logs" ;;
    esac
    exit "$status"
}

if [ -t 1 ]; then
    title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
else
    title() { printf '\n%s\n' "$*"; }
fi

# One line for each derived key: its Secret, and the SHA-256 of the key in there. Never the key.
derived_keys() {
    kubectl get quantumderivedkeys --all-namespaces \
        -o jsonpath='{range .items[*]}{.metadata.namespace}{" "}{.status.secretRef.name}{"\n"}{end}' |
        while read -r namespace secret; do
            hash=$(kubectl get secret "$secret" --namespace "$namespace" -o jsonpath='{.data.key}' |
                base64 -d | sha256sum | cut -d' ' -f1)
            echo "$namespace/$secret $hash"
        done
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say "starting a control plane"
$cluster start
say "starting the operator"
$cluster operator "$binary"
eval "$($cluster env)"
export KUBECACHEDIR="$work/demo/cache"

title "kubectl apply --filename config/samples/key-exchange.yaml"
kubectl apply --filename "$sample"
kinds=$(kubectl api-resources --api-group=qubesec.io --output=name)
say "waiting until all are Ready"
kubectl wait --for=condition=Ready --timeout=120s --all --all-namespaces "$(echo "$kinds" | paste -sd,)" >/dev/null

for kind in $kinds; do
    table=$(kubectl get "$kind" --all-namespaces 2>/dev/null)
    [ -z "$table" ] || { title "kubectl get ${kind%%.*} --all-namespaces"; echo "$table"; }
done

title "SHA-256 of the derived keys in the parties' Secrets"
keys=$(derived_keys)
echo "$keys" | while read -r secret hash; do printf '%-24s %s\n' "$secret" "$hash"; done
parties=$(echo "$keys" | wc -l)
different=$(echo "$keys" | cut -d' ' -f2 | sort -u | wc -l)
if [ "$parties" -lt 2 ] || [ "$different" -ne 1 ]; then
    fail "the parties do not hold the same key"
fi
title "Both sides hold the same key."
