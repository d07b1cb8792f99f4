#!/bin/bash
# tests/integration/test_api.sh [ASSAY] -- six real nodes: every question by command and by HTTP, offline proofs, fsck
# and repair. Loopback only. Speaks TAP.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${ASSAY_BUILD:-build/${MODE:-release}}
case $build in /*) ;; *) build=$root/$build ;; esac
assay=${1:-$build/assay}
[ -x "$assay" ] || { echo "not ok 1 - $assay is not built: make tests"; exit 1; }
export assay
dir=$(mktemp -d "${TMPDIR:-/tmp}/assay-api-XXXXXX")
count=0 failed=0
finish() {
    "$assay" network down --dir "$dir/net" >/dev/null 2>&1
    rm -rf "$dir"
}
trap finish EXIT
result() { # result STATUS NAME
    count=$((count + 1))
    if [ "$1" = 0 ]; then echo "ok $count - $2"; else
        failed=$((failed + 1))
        echo "not ok $count - $2"
    fi
}
# check NAME STATUS TEXT COMMAND...: exit status, and TEXT somewhere in its output
check() {
    local name=$1 want=$2 text=$3 out got
    shift 3
    out=$("$@" 2>&1)
    got=$?
    if [ "$got" = "$want" ] && printf '%s' "$out" | grep -qF -- "$text"; then result 0 "$name"; else
        result 1 "$name"
        printf '# status %s, wanted %s and "%s"; it said:\n%s\n' "$got" "$want" "$text" "$out" | head -20 | sed 's/^/# /'
    fi
}
# json NAME STATUS COMMAND...: its output is JSON, one document a line
json() {
    local name=$1 want=$2 got
    shift 2
    "$@" --json >"$dir/json" 2>"$dir/json.err"
    got=$?
    python3 -c 'import json,sys
lines=[json.loads(l) for l in open(sys.argv[1],encoding="utf-8") if l.strip()]
assert lines' "$dir/json" 2>/dev/null && [ "$got" = "$want" ]
    result $? "$name --json"
    [ "$got" = "$want" ] || echo "# status $got, wanted $want: $(head -c 300 "$dir/json.err")"
}

if ! "$assay" submit --help >/dev/null 2>&1; then
    result 1 "assay submit is there"
    exit 0
fi
net=$dir/net
hq="--home $net/nodes/acme-hq" reg="--home $net/nodes/fin-reg-1"
check 'no such network' 1 'no network' "$assay" network status --dir "$dir/none"
"$assay" network init "$root/genesis/demo/network.yaml" --dir "$net" >/dev/null || exit 1
cat >>"$net/nodes/acme-hq/node.yaml" <<'YAML'
ingest:
  sources:
    - {id: web, kind: http, server: portal, service: api, log_kind: other}
  map:
    - {server: portal, log_type: structured, extractors: [portal]}
  extractors:
    - id: portal
      type: json
      actor: {type: =user, name: who}
      time: {at: ts, format: rfc3339}
      op: api
      objects:
        - {type: =userid, name: id, role: request}
YAML
check 'unreachable' 3 'no node answers at' "$assay" channel list $hq
json 'unreachable' 3 "$assay" channel list $hq
check 'network status, all down' 3 'down' "$assay" network status --dir "$net"
check 'network up' 0 '6 nodes are up' "$assay" network up --dir "$net"
check 'network up again' 0 '(0 started now)' "$assay" network up --dir "$net"
check 'network status' 0 '6 of 6 nodes answer' "$assay" network status --dir "$net"
json 'network status' 0 "$assay" network status --dir "$net"

# 270 records: more than one full tile
record() { # record N
    printf 'actor: {name: "王芳", type: user}\nobjects:\n  - {name: "%s", role: request, type: userid}\n' "$1"
    printf 'op: {activity_id: 99, class_id: unclassified, note: by hand, raw: GET /api/users}\n'
    printf 'server: portal\nservice: api\nsource: {id: by-hand, seq: %s}\ntime: %s000\n' "$1" "$(date +%s)"
}
for i in $(seq 1000 1269); do record "$i" >"$dir/$i.yaml"; done
check 'submit without waiting' 0 'durable in the outbox' "$assay" submit "$dir/1000.yaml" $hq --channel acme --no-wait
seq 1001 1268 | xargs -P 4 -I{} "$assay" submit "$dir/{}.yaml" $hq --channel acme --no-wait >/dev/null 2>&1
check 'submit waits for finality' 0 '' "$assay" submit "$dir/1269.yaml" $hq --channel acme
total=0
for _ in $(seq 50); do
    total=$("$assay" query $reg --channel acme --kind record --count --json |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["answers"][0]["count"])')
    [ "$total" = 270 ] && break
    sleep 0.2
done
[ "$total" = 270 ]
result $? "all 270 records are final ($total)"
number=$("$assay" query $reg --channel acme --object userid:1042 --json |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["answers"][0]["hits"][0]["number"])')

# every command: help with an example, JSON
for words in 'network up' 'network down' 'network status' 'channel list' 'channel show' query show watch checkpoint \
    'proof inclusion' 'proof consistency' 'proof verify' 'bundle export' 'bundle verify' 'bundle explain' fsck; do
    check "$words --help" 0 'example:' "$assay" $words --help
done
check 'channel list' 0 'parent' "$assay" channel list $hq
check 'channel show' 0 'leads this view' "$assay" channel show acme $reg
check 'channel show, not a member' 1 'not a member' "$assay" channel show globex $hq
check 'query over all channels' 0 'userid 1042' "$assay" query $reg --object userid:1042
check 'query with proofs' 0 '1 proven here' "$assay" query $reg --object userid:1042 --proof
check 'query by name alone' 0 '1 entry' "$assay" query $reg --object-name 1042 --channel acme
check 'query follows cursors' 0 '270 entries; 270 proven' "$assay" query $reg --channel acme --kind record --all --proof --limit 100
check 'query nothing' 0 '0 entries' "$assay" query $reg --subject nobody
check 'query bad time' 2 'is no time' "$assay" query $reg --from yesterday
check 'query bad kind' 2 'is none' "$assay" query $reg --kind song
check 'query histogram' 0 '#' "$assay" query $reg --channel acme --histogram 3 --from 2020-01-01
check 'show begins with a sentence' 0 'user 王芳, at' "$assay" show "$number" $reg --channel acme
check 'show nothing' 1 'no entry' "$assay" show 999999 $reg --channel acme
check 'show of several channels' 2 'say which' "$assay" show 1 $reg
check 'watch what is there' 0 '王芳' "$assay" watch $reg --channel acme --since 1
json 'channel list' 0 "$assay" channel list $hq
json 'channel show' 0 "$assay" channel show acme $reg
json 'query' 0 "$assay" query $reg --object userid:1042 --proof
json 'show' 0 "$assay" show "$number" $reg --channel acme --proof
json 'show' 1 "$assay" show 999999 $reg --channel acme
json 'watch' 0 "$assay" watch $reg --channel acme --since 1
json 'checkpoint' 0 "$assay" checkpoint $reg --channel acme
json 'proof inclusion' 0 "$assay" proof inclusion "$number" $reg --channel acme

# watch follows, and ends on Ctrl-C
"$assay" watch $reg --channel acme >"$dir/watched" & watcher=$!
sleep 1
record 7777 >"$dir/7777.yaml"
"$assay" submit "$dir/7777.yaml" $hq --channel acme >/dev/null
for _ in $(seq 50); do grep -q 7777 "$dir/watched" && break; sleep 0.1; done
kill -INT $watcher
wait $watcher
result $? 'watch ends on an interrupt'
grep -q 'userid 7777' "$dir/watched"
result $? 'watch showed the new record'

# proofs, offline
"$assay" checkpoint $reg --channel acme >"$dir/cp"
"$assay" proof inclusion "$number" $reg --channel acme >"$dir/proof"
leaf=$("$assay" show "$number" $reg --channel acme --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["leaf"])')
check 'checkpoint verifies' 0 'proven' "$assay" proof verify "$dir/cp" --genesis "$net/genesis.assay"
check 'proof verifies' 0 'proven' "$assay" proof verify "$dir/proof" --genesis "$net/genesis.assay" --leaf "$leaf"
check 'proof of another leaf' 1 '' "$assay" proof verify "$dir/proof" --genesis "$net/genesis.assay" --leaf "${leaf//[0-7]/8}"
sed 's/^index .*/index 3/' "$dir/proof" >"$dir/proof2"
check 'proof of another place' 1 '' "$assay" proof verify "$dir/proof2" --genesis "$net/genesis.assay" --leaf "$leaf"
size=$(sed -n 2p "$dir/cp")
check 'proof consistency' 0 'extends' "$assay" proof consistency "$size" $reg --channel acme
check 'proof consistency from 0' 2 'nothing can be proven' "$assay" proof consistency 0 $reg --channel acme

# HTTP
url=http://$(sed -n 's/^ *listen: *\(127.*\)/\1/p' "$net/nodes/fin-reg-1/node.yaml" | tail -1)
key=$(cat "$net/nodes/fin-reg-1/keys/http.key")
get() { curl -s -m 10 -H "Authorization: Bearer $key" "$@"; }
check 'healthz' 0 'ok' curl -s -m 5 "$url/healthz"
check 'metrics' 0 'assay_channel_entries{channel="acme"} ' get "$url/metrics"
check 'records' 0 '"hits":[{' get "$url/v1/channels/acme/records?object=1042&proof=1"
check 'records, bad number' 0 '400' get -o /dev/null -w '%{http_code}' "$url/v1/channels/acme/records?limit=x"
check 'entry' 0 '王芳' get "$url/v1/channels/acme/entries/$number?proof=1"
check 'no key' 0 '401' curl -s -o /dev/null -w '%{http_code}' "$url/v1/channels/acme/records"
check 'no channel' 0 '404' get -o /dev/null -w '%{http_code}' "$url/v1/channels/none/checkpoint"
check 'no method' 0 '405' get -o /dev/null -w '%{http_code}' -X DELETE "$url/v1/channels/acme/checkpoint"
check 'a tile that is not there' 0 '404' get -o /dev/null -w '%{http_code}' "$url/v1/channels/acme/tile/0/x999/000"
check 'a tile by another name' 0 '404' get -o /dev/null -w '%{http_code}' "$url/v1/channels/acme/tile/00/000"
check 'events' 0 'id: 260' get "$url/v1/channels/acme/events?from=260&once=1"
check 'events resume' 0 'id: 262' get -H 'Last-Event-ID: 261' "$url/v1/channels/acme/events?once=1"
get -H 'Last-Event-ID: 261' "$url/v1/channels/acme/events?once=1" | grep -q '^id: 261$'
[ $? = 1 ]
result $? 'events resume behind the last one'
# logs in: what no extractor knows is refused, and nothing is taken; a regulator takes none
hq_url=http://$(sed -n 's/^ *listen: *\(127.*\)/\1/p' "$net/nodes/acme-hq/node.yaml" | tail -1)
hq_key=$(cat "$net/nodes/acme-hq/keys/http.key")
post() { curl -s -m 10 -w ' %{http_code}' -H "Authorization: Bearer $hq_key" -H 'Content-Type: application/x-ndjson' "$@"; }
check 'logs to a regulator' 0 '403' get -o /dev/null -w '%{http_code}' --data-binary '{}' "$url/v1/channels/acme/logs?source=s"
check 'logs without a source' 0 '400' post --data-binary '{}' "$hq_url/v1/channels/acme/logs"
check 'logs that no extractor knows' 0 'extractor' post --data-binary '{"a":1}' "$hq_url/v1/channels/acme/logs?source=s"
check 'logs with no key' 0 '401' curl -s -o /dev/null -w '%{http_code}' --data-binary '{}' "$hq_url/v1/channels/acme/logs?source=s"
for i in 1 2 3; do printf '{"who":"李雷","ts":"%s","api":"login","id":"post-%s"}\n' "$(date -u +%FT%TZ)" $i; done >"$dir/logs"
printf 'this is no JSON\n' >>"$dir/logs"
chunked() { post -T - -X POST -H 'Idempotency-Key: first' "$hq_url/v1/channels/acme/logs?source=web" <"${1:-$dir/logs}"; }
check 'logs in chunks' 0 '"logs":4' chunked
check 'the same again takes nothing twice' 0 '"repeated":true' chunked
head -1 "$dir/logs" >"$dir/logs2"
check 'the same key, other logs' 0 '409' chunked "$dir/logs2"
for _ in $(seq 50); do
    posted=$("$assay" query $reg --channel acme --subject-name 李雷 --all | tail -1)
    [ "$posted" = '3 entries' ] && break
    sleep 0.2
done
[ "$posted" = '3 entries' ]
result $? "posted logs are final, each once ($posted)"
check 'the one that is no JSON is a dead letter' 0 'could not be decoded' "$assay" query $reg --channel acme --kind dead-letter
# the tree, recomputed from entry bundles and from hash tiles, against the checkpoint
get "$url/v1/channels/acme/checkpoint" >"$dir/cp"
size=$(sed -n 2p "$dir/cp")
rest=$((size % 256))
for kind in entries 0; do
    get -o "$dir/tile.$kind.0" "$url/v1/channels/acme/tile/$kind/000"
    get -o "$dir/tile.$kind.1" "$url/v1/channels/acme/tile/$kind/001.p/$rest"
done
get -o "$dir/tile.1.0" "$url/v1/channels/acme/tile/1/000.p/1"
python3 - "$dir" "$size" <<'PY'
import base64, hashlib, sys
dir, size = sys.argv[1], int(sys.argv[2])
H = lambda b: hashlib.sha256(b).digest()
def mth(l):
    if len(l) == 1: return l[0]
    k = 1
    while k * 2 < len(l): k *= 2
    return H(b'\1' + mth(l[:k]) + mth(l[k:]))
leaves = []
for i in '01':
    b = open(f'{dir}/tile.entries.{i}', 'rb').read()
    while b:
        n = int.from_bytes(b[:2], 'big'); leaves.append(H(b'\0' + b[2:2+n])); b = b[2+n:]
hashes = b''.join(open(f'{dir}/tile.0.{i}', 'rb').read() for i in '01')
root = base64.b64decode(open(f'{dir}/cp', encoding='utf-8').read().split('\n')[2])
assert len(leaves) == size and hashes == b''.join(leaves)
assert mth(leaves) == root
assert open(f'{dir}/tile.1.0', 'rb').read() == mth(leaves[:256])
PY
result $? 'tiles give the root of the checkpoint'

# bundles: exported, then everything stopped, then verified
json 'bundle export' 0 "$assay" bundle export "$number" $hq --channel acme --raw --out "$dir/b.assay-bundle"
check 'no raw log at the regulator' 1 'keeps no raw logs' "$assay" bundle export "$number" $reg --channel acme --raw --out "$dir/c"
check 'fsck of a running node' 3 'is running' "$assay" fsck $hq
check 'network down' 0 'stopped' "$assay" network down --dir "$net"
check 'bundle verify' 0 'The bundle holds' "$assay" bundle verify "$dir/b.assay-bundle" --genesis "$net/genesis.assay"
check 'bundle explain' 0 'authorship' "$assay" bundle explain "$dir/b.assay-bundle" --genesis "$net/genesis.assay"
json 'bundle verify' 0 "$assay" bundle verify "$dir/b.assay-bundle" --genesis "$net/genesis.assay"
python3 - "$dir" <<'PY'
import sys
d = bytearray(open(sys.argv[1] + '/b.assay-bundle', 'rb').read())
d[d.find('王芳'.encode()) + 2] ^= 1
open(sys.argv[1] + '/bad.assay-bundle', 'wb').write(d)
PY
check 'altered bundle' 1 'FAILS' "$assay" bundle verify "$dir/bad.assay-bundle" --genesis "$net/genesis.assay"
json 'altered bundle' 1 "$assay" bundle verify "$dir/bad.assay-bundle" --genesis "$net/genesis.assay"
"$assay" genesis show "$net/genesis.assay" --policy acme >"$dir/policy"
sed -n '/<!-- verify.py -->/,/^```$/p' "$root/docs/FORMATS.md" | sed '1,2d;$d' >"$dir/verify.py"
check 'the lines of FORMATS.md agree' 0 'raw log matches' python3 "$dir/verify.py" "$dir/b.assay-bundle" "$dir/policy" "$dir/parts"

# one flipped byte of a stored block; fsck names it; the node repairs itself
sub="--home $net/nodes/acme-sub"
check 'fsck, all well' 0 'no fault' "$assay" fsck $sub
json 'fsck' 0 "$assay" fsck $sub
# some of the values found may lie in pages that are free by now: go on until fsck sees it
python3 - "$net/nodes/acme-sub" <<'PY'
import os, subprocess, sys
path = sys.argv[1] + '/channels/acme/ledger/data.mdb'
d, at, hits = open(path, 'rb').read(), -1, []
while (at := d.find(b'\x28\xb5\x2f\xfd', at + 1)) >= 0: hits.append(at + 20)
def flip(at):
    with open(path, 'r+b') as f:
        f.seek(at); byte = f.read(1)[0]; f.seek(at); f.write(bytes([byte ^ 1]))
for at in hits[len(hits) // 2:]:
    flip(at)
    if subprocess.run([os.environ['assay'], 'fsck', '--home', sys.argv[1], '--channel', 'acme'], capture_output=True).returncode == 5: break
    flip(at)
PY
check 'fsck names the place' 5 'channel acme: height ' "$assay" fsck $sub
json 'fsck with a fault' 5 "$assay" fsck $sub
check 'up again' 0 '6 nodes are up' "$assay" network up --dir "$net"
for _ in $(seq 100); do grep -q 'is repaired with the copy of' "$net/nodes/acme-sub/log" && break; sleep 0.1; done
check 'the node says that it repaired' 0 'is repaired with the copy of' tail -20 "$net/nodes/acme-sub/log"
check 'status tells it' 0 '1 blocks repaired' "$assay" channel show acme $sub
check 'one node down' 0 'acme-sub stopped' "$assay" network down --dir "$net" --node acme-sub
check 'fsck, all well again' 0 'no fault' "$assay" fsck $sub --channel acme
truncate -s 8192 "$net/nodes/acme-sub/channels/acme/ledger/data.mdb"
check 'fsck of a truncated file' 5 'signal' "$assay" fsck $sub --channel acme
check 'start with a truncated file' 5 'channel acme' "$(dirname "$assay")/assayd" $sub
"$assay" network down --dir "$net" >/dev/null
! grep -hE 'Sanitizer|runtime error' "$net"/nodes/*/log
result $? 'no sanitizer spoke in any node'
echo "1..$count"
[ "$failed" = 0 ]
