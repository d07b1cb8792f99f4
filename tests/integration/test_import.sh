#!/bin/bash
# tests/integration/test_import.sh -- six real nodes on loopback: what a regulator publishes on the parent is imported
# into every channel, once, also by another regulator and after a restart. PROTOCOL 11.8.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${ASSAY_BUILD:-build/release}
case $build in /*) ;; *) build=$root/$build ;; esac
assay=$build/assay
dir=$(mktemp -d "${TMPDIR:-/tmp}/assay-import-XXXXXX")
declare -A pid
status=0 n=0

up() {
    "$build/assayd" --home "$dir/net/nodes/$1" 2>>"$dir/$1.log" &
    pid[$1]=$!
}
down() {
    kill -"$2" "${pid[$1]}" 2>/dev/null
    wait "${pid[$1]}" 2>/dev/null
    unset "pid[$1]"
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
# says NAME TEXT COMMAND...
says() {
    local name=$1 text=$2
    shift 2
    out=$("$@" 2>&1)
    if printf '%s' "$out" | grep -qF -- "$text"; then ok "$name"; else bad "$name" "did not say \"$text\": $out"; fi
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
list() { # CHANNEL NODE: "id version from-parent acknowledged" of each standard
    "$assay" standard list --channel "$1" --home "$dir/net/nodes/$2" --json | python3 -c 'import json, sys
for s in json.load(sys.stdin)["standards"]:
    print(s["id"], s["version"], s.get("from_parent", False), len(s.get("acked", [])))'
}
# imports CHANNEL WANTED: how many import entries the channel holds
imports() {
    out=$("$assay" query --kind import --count --channel "$1" --home "$dir/net/nodes/data-reg-1" --json 2>&1 |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["answers"][0]["count"])' 2>&1)
    if [ "$out" = "$2" ]; then ok "$1 holds $2 imports"; else bad "$1 holds $2 imports" "$out"; fi
}

"$assay" network init "$root/genesis/demo/network.yaml" --dir "$dir/net" >/dev/null || exit 1
nodes="acme-hq acme-sub globex-hq globex-sub fin-reg-1 data-reg-1"
for id in $nodes; do up "$id"; done
reg=$dir/net/nodes/fin-reg-1
for ch in acme globex; do eventually "$ch is founded" 30 "$ch: anchor key of epoch 1" cat "$dir/fin-reg-1.log"; done

says 'published on the parent' 'is published on parent' "$assay" standard publish "$root/genesis/demo/vocab.yaml" --parent \
    --home "$reg" --as 李监管
version=$(sed -n 's/^version: *//p' "$root/genesis/demo/vocab.yaml")
id=$(sed -n 's/^id: *//p' "$root/genesis/demo/vocab.yaml")
eventually 'counts in acme, all acknowledge' 20 "$id $version True 4" list acme acme-sub
eventually 'counts in globex, all acknowledge' 20 "$id $version True 4" list globex globex-hq
says 'the table says whence' 'parent' "$assay" standard list --channel acme --home "$reg"
says 'shown as imported' 'on the parent, imported as entry' "$assay" standard show "$id" --channel acme \
    --home "$dir/net/nodes/acme-hq"
says 'not published here again' 'published already' "$assay" standard publish "$root/genesis/demo/vocab.yaml" \
    --channel acme --home "$reg"

# what a channel has already is not imported into it; a successor follows, though the importer is killed meanwhile
says 'published on globex alone' 'is published on globex' "$assay" standard publish \
    "$root/genesis/demo/finance-ext.yaml" --channel globex --home "$reg"
sed "s/^version:.*/version: 9.0.0\nsupersedes: $version/" "$root/genesis/demo/vocab.yaml" >"$dir/next.yaml"
says 'two more on the parent' 'finance-ext 1.0.0 is published on parent' "$assay" standard publish "$dir/next.yaml" \
    "$root/genesis/demo/finance-ext.yaml" --parent --home "$reg"
down fin-reg-1 KILL
up fin-reg-1
for ch in acme globex; do eventually "$ch has the successor after a restart" 60 "$id 9.0.0 True" list "$ch" data-reg-1; done
eventually 'acme has the extension from the parent' 30 'finance-ext 1.0.0 True' list acme acme-hq
says 'globex has its own' 'finance-ext 1.0.0 False' list globex globex-hq
cat >"$dir/record.yaml" <<YAML
actor: {name: 王芳, type: staff}
objects:
  - {name: "1001", role: request, type: userid}
op: {activity_id: 99, class_id: unclassified, note: by hand, raw: GET /api/users}
server: portal
service: api
source: {id: by-hand, seq: 1}
time: $(date +%s)000
YAML
says 'and it governs records' 'finance-ext' "$assay" submit "$dir/record.yaml" --channel acme --home "$dir/net/nodes/acme-hq"
sleep 2
imports acme 3
imports globex 2
echo "1..$n"
exit $status
