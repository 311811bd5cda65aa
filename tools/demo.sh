#!/bin/sh
# The demo: a control plane and the operator; the key exchange of config/samples/key-exchange.yaml, and the proof that
# both parties hold the same key; then all nine resources of config/samples/complete-workflow.yaml, and a TLS connection to
# an nginx that has the certificate. All that it starts it stops. Run it through tools/toolbox.sh.
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
workflow=$checkout/config/samples/complete-workflow.yaml
cluster="$here/cluster.py --dir $work/demo"
server= # the process of nginx

finish() {
    status=$?
    trap '' INT TERM HUP
    trap - EXIT
    [ -z "$server" ] || kill "$server" || :
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

wait_for_all() {
    say "waiting until all are Ready"
    kubectl wait --for=condition=Ready --timeout=120s --all --all-namespaces "$(echo "$kinds" | paste -sd,)" >/dev/null
}

# The certificate's Secret as files, as a Pod mounts it.
mount_certificate() {
    mkdir -p "$site"
    for entry in tls.crt tls.key ca.crt; do
        kubectl get secret workflow-certificate-secret -o "jsonpath={.data.$(echo $entry | sed 's/\./\\./')}" | base64 -d >"$site/$entry"
    done
}

# Serves with the certificate on a free port, which is printed.
start_nginx() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$site/nginx.conf" <<CONF
daemon off;
pid $site/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $site; proxy_temp_path $site; fastcgi_temp_path $site; uwsgi_temp_path $site; scgi_temp_path $site;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $site/tls.crt;
        ssl_certificate_key $site/tls.key;
        ssl_protocols TLSv1.3;
        ssl_ecdh_curve X25519MLKEM768;
        location / { return 200 "Hello, post-quantum world\n"; }
    }
}
CONF
    nginx -p "$site" -c "$site/nginx.conf" 2>"$site/nginx.log" &
    server=$!
    until [ -s "$site/nginx.pid" ]; do
        kill -0 "$server" 2>/dev/null || fail "nginx did not start: $(cat "$site/nginx.log")"
        sleep 0.1
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
wait_for_all

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

title "kubectl apply --filename config/samples/complete-workflow.yaml"
kubectl apply --filename "$workflow"
wait_for_all
for kind in quantumsignaturekeypairs quantumsignmessages quantumverifysignatures quantumcertificates; do
    title "kubectl get $kind"
    kubectl get "$kind"
done
[ "$(kubectl get qvs workflow-verified -o 'jsonpath={.status.status}')" = Valid ] || fail "the signature does not verify"

site=$work/demo/site
mount_certificate
start_nginx
title "curl --cacert ca.crt https://localhost:$port, from an nginx with tls.crt and tls.key of the certificate's Secret"
curl --silent --show-error --noproxy '*' --cacert "$site/ca.crt" "https://localhost:$port/"
title "openssl s_client"
openssl s_client -connect "127.0.0.1:$port" -CAfile "$site/ca.crt" -verify_hostname localhost -verify_return_error </dev/null 2>/dev/null |
    grep -E '^(Peer signature type|Negotiated TLS1.3 group|Verif)' || fail "the TLS connection failed"
