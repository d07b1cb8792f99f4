#!/bin/sh
# The layer rule: includes point down only. wire < consensus, ledger, genesis < (audit: wire, ledger) < node; tests: all.
# And consensus/ knows nothing of the transport.
set -u
bad=0
check() { # folder, allowed folders as a pattern
    found=$(grep -nE '^#include "' "$1"/*.[ch] "$1"/*/*.[ch] 2>/dev/null | grep -vE "#include \"($2)/")
    [ -z "$found" ] && return
    echo "layers: $1/ may include only $2:"
    echo "$found"
    bad=1
}
check wire 'wire'
check consensus 'consensus|wire'
check ledger 'ledger|wire'
check genesis 'genesis|wire'
check audit 'audit|ledger|wire'
check node 'node|audit|genesis|ledger|consensus|wire'
transport=$(grep -nE '#include "wire/(link|peers|rpc|tls|tap|envelope)' consensus/*.[ch])
[ -z "$transport" ] || { echo "layers: consensus/ includes the transport:"; echo "$transport"; bad=1; }
exit $bad
