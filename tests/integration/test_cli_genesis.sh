#!/bin/sh
# tests/integration/test_cli_genesis.sh ASSAY -- founding by the built program: one machine at once, then the real way.
# Prints a line a check; exits 1 when one failed.
set -u
assay=${1:-${ASSAY_BUILD:-build/debug}/assay}
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/assay-genesis-XXXXXX")
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# check NAME STATUS TEXT COMMAND...: exit status, and TEXT somewhere in its output
check() {
    name=$1 want=$2 text=$3
    shift 3
    out=$("$@" 2>&1)
    got=$?
    if [ "$got" = "$want" ] && printf '%s' "$out" | grep -qF -- "$text"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s: status %s, wanted %s and "%s"; it said:\n%s\n' "$name" "$got" "$want" "$text" "$out"
    fi
}

plan=$root/genesis/demo/network.yaml
check 'network init' 0 'demonstration only' "$assay" network init "$plan" --dir "$dir/net"
check 'network init twice' 4 'founded once' "$assay" network init "$plan" --dir "$dir/net"
check 'verify' 0 'every founder has signed' "$assay" genesis verify "$dir/net/genesis.assay"
check 'show' 0 '顶点资产管理有限公司' "$assay" genesis show "$dir/net/genesis.assay"
check 'show --json' 0 '"can_fork":false' "$assay" genesis show "$dir/net/genesis.assay" --json
check 'key mode' 0 '600' stat -c %a "$dir/net/nodes/acme-hq/keys/consensus.key"
check 'tls key mode' 0 '600' stat -c %a "$dir/net/nodes/acme-hq/keys/tls.key"
check 'http key mode' 0 '600' stat -c %a "$dir/net/nodes/acme-hq/keys/http.key"
check 'tls certificate' 0 'OK' openssl verify -CAfile "$dir/net/orgs/acme/ca.pem" "$dir/net/nodes/acme-hq/keys/tls.pem"
check 'json init' 0 '"demonstration":true' "$assay" network init "$plan" --dir "$dir/net2" --json

# the real way: each organisation and node by itself
mkdir "$dir/req"
for org in acme globex fin-reg data-reg; do
    check "org init $org" 0 'founder key' "$assay" org init --id $org --dir "$dir/o/$org"
    cp "$dir/o/$org/org.request" "$dir/req/org-$org"
done
for pair in acme-hq:acme acme-sub:acme globex-hq:globex globex-sub:globex fin-reg-1:fin-reg data-reg-1:data-reg; do
    node=${pair%:*} org=${pair#*:}
    check "node init $node" 0 'never leave' "$assay" node init --home "$dir/n/$node" --id $node --org $org
    cp "$dir/n/$node/node.request" "$dir/req/node-$node"
done
check 'certify' 0 'certificate written' "$assay" org certify "$dir/req/node-acme-hq" --dir "$dir/o/acme" \
    --out "$dir/n/acme-hq/keys/tls.pem"
check 'certify for another' 1 'this is the CA of "globex"' "$assay" org certify "$dir/req/node-acme-hq" \
    --dir "$dir/o/globex" --out "$dir/no.pem"
check 'assemble without addresses' 2 'has no address' "$assay" genesis assemble "$plan" "$dir"/req/* --out "$dir/g"
awk '/id: [a-z0-9-]+, org:/ { sub(/}/, ", address: \"10.0.0.1:" 7000 + ++n "\"}") } { print }' "$plan" > "$dir/plan.yaml"
check 'assemble' 0 '0 of 4 founders' "$assay" genesis assemble "$dir/plan.yaml" "$dir"/req/* --out "$dir/g"
check 'assemble without a request' 2 'no request of organisation "acme"' "$assay" genesis assemble "$dir/plan.yaml" \
    --out "$dir/h"
check 'verify unsigned' 4 'the founder of "acme" has not signed' "$assay" genesis verify "$dir/g"
for org in acme globex fin-reg; do
    check "sign $org" 0 'signed' "$assay" genesis sign "$dir/g" --org $org --key "$dir/o/$org/founder.key"
done
check 'verify one missing' 4 'the founder of "data-reg" has not signed' "$assay" genesis verify "$dir/g"
check 'sign with a wrong key' 1 'not the founder key' "$assay" genesis sign "$dir/g" --org data-reg \
    --key "$dir/o/acme/founder.key"
check 'sign as nobody' 1 'no organisation "nobody"' "$assay" genesis sign "$dir/g" --org nobody \
    --key "$dir/o/acme/founder.key"
check 'sign with another key file' 4 'not a key file of purpose "founder"' "$assay" genesis sign "$dir/g" \
    --org acme --key "$dir/n/acme-hq/keys/consensus.key"
check 'sign data-reg' 0 '4 of 4 founders' "$assay" genesis sign "$dir/g" --org data-reg --key "$dir/o/data-reg/founder.key"
check 'verify complete' 0 '"complete":true' "$assay" genesis verify "$dir/g" --json
check 'node init twice' 4 'never overwritten' "$assay" node init --home "$dir/n/acme-hq" --id acme-hq --org acme

sed 's/    k: 2/    k: 1/' "$dir/plan.yaml" > "$dir/fork.yaml"
check 'a set that could fork' 2 'fork.yaml:33: channels[0].k: "acme" with its affiliates could fork this channel' \
    "$assay" genesis assemble "$dir/fork.yaml" "$dir"/req/* --out "$dir/f"
check 'unknown command' 2 'did you mean "assay genesis verify"' "$assay" genesis verfy x
check 'no such file' 1 'no such file' "$assay" genesis verify "$dir/nowhere"
check 'garbage' 4 '' "$assay" genesis verify "$assay"
check 'help' 0 'example:' "$assay" genesis sign --help

echo "test_cli_genesis: $passed passed, $failed failed"
[ "$failed" = 0 ]
