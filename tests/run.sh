#!/bin/sh
# Runs test programs one after another and adds up their cases: tests/run.sh PROGRAM...
# A program speaks TAP ("ok ...", "not ok ..."); one that exits with an error without a "not ok" counts as one failure,
# one that says nothing as one case. Each has 300 seconds. Closes with "N passed, N failed".
set -u
passed=0
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
export CMOCKA_MESSAGE_OUTPUT=TAP
for program in "$@"; do
    start=$(date +%s%N)
    case $program in
    *.py) timeout -k 10 300 python3 "$program" >"$out" 2>&1 </dev/null ;;
    *.sh) timeout -k 10 300 bash "$program" >"$out" 2>&1 </dev/null ;;
    *" "*) timeout -k 10 900 sh -c "$program" >"$out" 2>&1 </dev/null ;;
    *) timeout -k 10 300 "$program" >"$out" 2>&1 </dev/null ;;
    esac
    rc=$?
    took=$((($(date +%s%N) - start) / 1000000))
    ok=$(grep -c '^ok' "$out")
    bad=$(grep -c '^not ok' "$out")
    if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    if [ "$rc" -eq 0 ] && [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ]; then ok=1; fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    printf '%-60s %4d ok %3d failed %7d ms\n' "${program##*/}" "$ok" "$bad" "$took"
    grep -iE '^(#? ?)?skip' "$out" | sed 's/^/    /' | head -5
    if [ "$bad" -ne 0 ]; then
        echo "    exit status $rc; the end of its output:"
        grep -v '^ok' "$out" | tail -40 | sed 's/^/    | /'
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
