#!/bin/sh
# tests/integration/verify_by_hand.sh BUNDLE POLICY -- runs the very lines of docs/FORMATS.md 10 on a bundle.
# The lines must accept the bundle and refuse it with any one of its parts changed. Exit 0 if so, 77 if a tool lacks.
set -eu
bundle=$1 policy=$2
cd "$(dirname "$0")/../.."
for tool in python3 openssl sha256sum; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The fenced block behind the comment <!-- NAME --> of the document.
extract() {
    awk -v mark="<!-- $1 -->" '$0 == mark { found = 1; next }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' docs/FORMATS.md
}
extract verify.py >"$work/verify.py"
extract verify.sh >"$work/verify.sh"
lines=$(wc -l <"$work/verify.py")
[ "$lines" -gt 0 ] && [ "$lines" -le 40 ] || { echo "verify.py has $lines lines"; exit 1; }

echo "== the bundle as it is"
python3 "$work/verify.py" "$bundle" "$policy" "$work/parts"
(cd "$work/parts" && sh -eu ../verify.sh)

# One byte changed in the middle of each part, found by its own bytes in the file.
tamper() {
    python3 - "$bundle" "$work/bad" "$1" <<'PY'
import sys
whole, part = open(sys.argv[1], 'rb').read(), open(sys.argv[3], 'rb').read()
at = whole.index(part) + len(part) // 2
open(sys.argv[2], 'wb').write(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
PY
}
for part in checkpoint entry path raw.bytes raw.salt batch.sig batch.root batch.submitter network; do
    tamper "$work/parts/$part"
    if python3 "$work/verify.py" "$work/bad" "$policy" "$work/bad.parts" >"$work/out" 2>&1; then
        echo "accepted with $part changed"
        cat "$work/out"
        exit 1
    fi
    echo "refused with $part changed"
done
