#!/usr/bin/env python3
"""Checks docs/PROTOCOL.md against the tree; part of `make lint`. Run from the project's root.

1. Clauses are numbered in order, none twice; each ends with [tests: ...], [definition] or [not tested].
2. Every test that a clause names exists: stem/case is test_<case> in tests/unit/test_<stem>.c, sim/<word> a word of
   tests/sim, integration/<stem> and scenario/<stem> a file there.
3. Every clause that a test or a source file cites exists (a chapter or section will do: "PROTOCOL 11.6").
Prints what is wrong, and how many clauses have a test. Exit status 1 when anything is wrong."""
import glob
import re
import sys

DOC = "docs/PROTOCOL.md"
text = open(DOC, encoding="utf-8").read()
wrong = []


def read(pattern):
    return {f: open(f, encoding="utf-8").read() for f in sorted(glob.glob(pattern, recursive=True))}


# 1
clauses = re.findall(r"^- \*\*(\d+(?:\.\d+)+)\*\* (.*?)(?=^- \*\*|^#|\Z)", text, re.S | re.M)
known = set(re.findall(r"^#+ (\d+(?:\.\d+)*) ", text, re.M))
last, seen = [], set()
for number, body in clauses:
    key = [int(n) for n in number.split(".")]
    if number in seen:
        wrong.append(f"clause {number} stands twice")
    if key < last:
        wrong.append(f"clause {number} is out of order")
    if number.rsplit(".", 1)[0] not in known:
        wrong.append(f"clause {number} has no heading above it")
    seen.add(number)
    last = key
known |= seen

# 2
sims = "\n".join(read("tests/sim/*.[ch]").values())
units = read("tests/unit/test_*.c")
counts = {"tests": 0, "definition": 0, "not tested": 0}
for number, body in clauses:
    marks = re.findall(r"\[(tests|definition|not tested)(?:: ([^\]]*))?\]", body)
    if len(marks) != 1:
        wrong.append(f"clause {number} has {len(marks)} of [tests: ...], [definition], [not tested]")
        continue
    counts[marks[0][0]] += 1
    for name in (n.strip() for n in marks[0][1].split(",") if n.strip()):
        stem, _, case = name.partition("/")
        if stem == "sim":
            there = re.search(rf"\b{re.escape(case)}\b", sims) or case == "worlds"
        elif stem in ("integration", "scenario"):
            there = glob.glob(f"tests/{stem}/{case}") + glob.glob(f"tests/{stem}/{case}.*")
        else:
            there = re.search(rf"\btest_{re.escape(case)}\b", units.get(f"tests/unit/test_{stem}.c", ""))
        if not case or not there:
            wrong.append(f"clause {number} names a test that is not there: {name}")

# 3
cite = re.compile(r"PROTOCOL(?:\.md)?[ *\n]+(\d+(?:\.\d+)*(?:(?:-| to |, | and )\d+(?:\.\d+)*)*)")
files = {}
for top in ("wire", "consensus", "ledger", "audit", "genesis", "node", "tests"):
    files.update(read(f"{top}/**/*.[ch]"))
files.update(read("tests/scenario/*.txt"))
for name, source in files.items():
    for found in cite.finditer(source):
        for number in re.findall(r"\d+(?:\.\d+)*", found.group(1)):
            if number not in known:
                line = source.count("\n", 0, found.start()) + 1
                wrong.append(f"{name}:{line}: cites PROTOCOL {number}, which is not there")

for w in wrong:
    print(f"{DOC}: {w}")
print(f"{DOC}: {len(clauses)} clauses: {counts['tests']} with tests, {counts['definition']} definitions, "
      f"{counts['not tested']} not tested")
sys.exit(1 if wrong else 0)
