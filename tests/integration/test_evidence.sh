#!/bin/bash
# tests/integration/test_evidence.sh -- six real nodes on loopback: standards reach all, evidence is demanded, given,
# judged, disputed and decided offline; the vault is forged, flipped, emptied; a node is killed. PROTOCOL 12, 13.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${ASSAY_BUILD:-build/release}
case $build in /*) ;; *) build=$root/$build ;; esac
assay=$build/assay
dir=$(mktemp -d "${TMPDIR:-/tmp}/assay-evidence-XXXXXX")
declare -A pid
status=0 n=0

up() {
    "$build/assayd" --home "$dir/net/nodes/$1" 2>>"$dir/$1.log" &
    pid[$1]=$!
}
stop_all() {
    for id in "${!pid[@]}"; do kill -TERM "${pid[$id]}" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$dir"
}
trap stop_all EXIT

ok() {
    n=$((n + 1))
    echo "ok $n - $1"
}
bad() {
    n=$((n + 1))
    status=1
    echo "not ok $n - $1"
    printf '%s\n' "$2" | sed 's/^/# /'
}
# check NAME STATUS TEXT COMMAND...
check() {
    local name=$1 want=$2 text=$3 got
    shift 3
    out=$("$@" 2>&1)
    got=$?
    if [ "$got" = "$want" ] && printf '%s' "$out" | grep -qF -- "$text"; then ok "$name"; else
        bad "$name" "status $got, wanted $want and \"$text\": $out"
    fi
}
# eventually NAME SECONDS TEXT COMMAND...
eventually() {
    local name=$1 end=$(($(date +%s) + $2)) text=$3
    shift 3
    while :; do
        out=$("$@" 2>&1)
        if printf '%s' "$out" | grep -qF -- "$text"; then
            ok "$name"
            return
        fi
        if [ "$(date +%s)" -ge $end ]; then
            bad "$name" "never said \"$text\": $out"
            return
        fi
        sleep 0.3
    done
}
field() { # FIELD of the newest case, as the asker lists it
    "$assay" evidence list --channel acme --home "$dir/net/nodes/fin-reg-1" --json |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["cases"][-1].get(sys.argv[1], ""))' "$1"
}

"$assay" network init "$root/genesis/demo/network.yaml" --dir "$dir/net" >/dev/null || exit 1
nodes="acme-hq acme-sub globex-hq globex-sub fin-reg-1 data-reg-1"
for id in $nodes; do up "$id"; done
reg=$dir/net/nodes/fin-reg-1 acme=$dir/net/nodes/acme-hq
for id in $nodes; do eventually "$id answers" 30 'acknowledged' "$assay" standard list --channel parent \
    --home "$dir/net/nodes/$id"; done
# the key grants come first, so that the records stand one behind another
for ch in acme globex; do eventually "$ch has its anchor key" 20 "$ch: anchor key of epoch 1" cat "$dir/fin-reg-1.log"; done
"$build/bench/load" --home "$acme" --channel acme --clients 1 --count 8 >/dev/null || bad 'records' 'load failed'

request() { "$assay" evidence request "$1" --reason '投诉 2026-17' --deadline "${2:-20s}" --wait "${3:-25s}" --as 王检查 \
    --channel acme --home "$reg"; }

# 12.1-12.4 demanded, answered, judged
check 'a good log is verified' 0 'verified' request 1
check 'the enterprise sees case and reason' 0 '投诉 2026-17' "$assay" evidence list --channel acme --home "$acme" --json
good=$(field case_id)
check 'judged again, log written' 0 'judged    again now: verified' "$assay" evidence verify "$good" --raw "$dir/raw" \
    --channel acme --home "$reg"
check 'the raw log came whole' 0 '"user":"emp' cat "$dir/raw"
check 'only the asker holds it' 4 'is with fin-reg-1' "$assay" evidence verify "$good" --channel acme \
    --home "$dir/net/nodes/data-reg-1"
check 'an enterprise may not ask' 4 'only a regulator' "$assay" evidence request 2 --reason x --channel acme \
    --home "$acme"
check 'a globex node is no member' 1 'not a member' "$assay" evidence list --channel acme \
    --home "$dir/net/nodes/globex-hq"

# what is done to the vault shows; each record's raw hash is read from a case on it that was verified before
tamper() { # ENTRY HOW
    request "$1" >/dev/null
    "$build/tools/vault_tool" "$acme" "$2" "$(field raw_hash)"
}
tamper 2 forge
check 'a forged log is a mismatch' 1 'mismatch' request 2
forged=$(field case_id)
tamper 3 flip
check 'a flipped byte is damage' 1 'damaged' request 3
tamper 4 delete
check 'a deleted log is missing' 1 'missing' request 4

# 12.6 disputed, decided offline by the case file and the genesis file alone
check 'the enterprise disputes' 0 'is disputed' "$assay" evidence dispute "$forged" --statement '日志未被改动' \
    --disclose --channel acme --home "$acme"
check 'a verdict is disputed once' 4 'no dispute may follow' "$assay" evidence dispute "$forged" --statement again \
    --channel acme --home "$acme"
check 'exported by the enterprise' 0 'decides it without a node' "$assay" evidence export "$forged" \
    --out "$dir/forged.assay-case" --channel acme --home "$acme"
check 'the answer was false' 0 'answer-false' "$assay" evidence adjudicate "$dir/forged.assay-case" \
    --genesis "$dir/net/genesis.assay"
"$assay" network init "$root/genesis/demo/network.yaml" --dir "$dir/other" >/dev/null
check 'of another network' 4 'does not found' "$assay" evidence adjudicate "$dir/forged.assay-case" \
    --genesis "$dir/other/genesis.assay"

# 12.5 late, and 12.7 killed: what was asked for meanwhile is answered after the start
kill -KILL "${pid[acme-hq]}"
wait "${pid[acme-hq]}" 2>/dev/null
check 'no answer in time is late' 1 'late' request 5 1s 30s
check 'asked while the node is down' 0 'none yet' request 6 60s 0
up acme-hq
eventually 'answered after the restart' 40 '"verdict":"verified"' bash -c \
    "'$assay' evidence list --channel acme --home '$reg' --json | python3 -c 'import json,sys; print(json.dumps([c for c in json.load(sys.stdin)[\"cases\"] if c[\"entry\"]==6][-1:],separators=(\",\",\":\")))'"
eventually 'the late answer is judged too' 40 '"verdict":"verified"' bash -c \
    "'$assay' evidence list --channel acme --home '$reg' --json | python3 -c 'import json,sys; print(json.dumps([c for c in json.load(sys.stdin)[\"cases\"] if c[\"entry\"]==5 and c.get(\"late\")][-1:],separators=(\",\",\":\")))'"

# 11.3.8 standards
check 'lint' 0 'well formed' "$assay" standard lint "$root/genesis/demo/finance-ext.yaml"
sed 's/mode: enforce/mode: maybe/' "$root/genesis/demo/finance-ext.yaml" >"$dir/bad.yaml"
check 'lint names the line' 2 'bad.yaml:7' "$assay" standard lint "$dir/bad.yaml"
check 'publish' 0 'is published on acme' "$assay" standard publish "$root/genesis/demo/finance-ext.yaml" \
    "$root/genesis/demo/vocab.yaml" --channel acme --home "$reg" --as 李监管
check 'published twice' 4 'published already' "$assay" standard publish "$root/genesis/demo/vocab.yaml" \
    --channel acme --home "$reg"
check 'an enterprise may not publish' 4 'may not issue' "$assay" standard publish "$root/genesis/demo/operations.yaml" \
    --channel acme --home "$acme"
eventually 'all acknowledge' 15 '4 of 4' "$assay" standard list --channel acme --home "$dir/net/nodes/acme-sub"
check 'show' 0 'real_name' "$assay" standard show finance-ext --channel acme --home "$acme"

# 12.5 what a standard flags becomes a finding, once
cat >"$dir/flag.yaml" <<'YAML'
id: desk-rules
kind: ext_std
version: 1.0.0
mode: flag
effective_from: 2026-01-01
body:
  elements:
    - element: actor
      fields:
        - {name: desk_no, type: str, required: true}
YAML
check 'a flag standard' 0 'is published on globex' "$assay" standard publish "$dir/flag.yaml" --channel globex --home "$reg"
"$build/bench/load" --home "$dir/net/nodes/globex-hq" --channel globex --clients 1 --count 3 >/dev/null
eventually 'findings are filed' 20 'desk_no' "$assay" findings --channel globex --home "$dir/net/nodes/globex-sub"
sleep 2
out=$("$assay" findings --channel globex --home "$reg" --json | grep -o '"kind":"conformance"' | wc -l)
if [ "$out" = 3 ]; then ok 'each once'; else bad 'each once' "$out findings on 3 records"; fi

# 13 anchors: the key was granted, nothing is amiss
check 'anchor key received' 0 'anchor key of epoch 1' grep -h 'anchor key' "$dir/acme-sub.log"
out=$("$assay" findings --channel acme --home "$reg" --json)
if printf '%s' "$out" | grep -q '"kind":"anchor"'; then bad 'anchors are right' "$out"; else ok 'anchors are right'; fi
echo "1..$n"
exit $status
