#!/usr/bin/env python3
"""A member with real keys sends what no honest node sends; clients submit bad records. The others go on. About 40 s."""
import os, subprocess
from net import ACME, BUILD, Net, check, finish

net = Net(name="hostile").start()
check("all nodes are up", net.wait_up() is not None)
acked = net.submit("fin-reg-1", "acme", 1, 1, seconds=3)
check("a regulator's node takes no raw logs", not acked and "NOT_ALLOWED" in net.probe("fin-reg-1", "send", "acme", "good").stdout)

# records that are wrong
for fault, code, text in [("no-subject", "MALFORMED", '"actor" is missing'), ("many-objects", "TOO_LARGE", "257 items"),
                          ("large", "TOO_LARGE", "at most 16384"), ("bad-text", "MALFORMED", "UTF-8"),
                          ("future", "BAD_TIME", "time"), ("unknown", "MALFORMED", '"bogus"'),
                          ("no-raw", "MALFORMED", '"raw" is missing')]:
    out = net.probe("acme-sub", "send", "acme", fault)
    check("record %s: %s" % (fault, code), out.returncode == 1 and out.stdout.startswith(code) and text in out.stdout,
          out.stdout + out.stderr)
check("and a good one is taken", net.probe("acme-sub", "send", "acme", "good").returncode == 0)
check("a channel of others is not known here", "NOT_FOUND" in net.probe("acme-sub", "send", "globex", "good").stdout)

# acme-hq lies; it has the least id, so it may dial any other
net.stop("acme-hq")
peers = ["acme-sub", "fin-reg-1", "data-reg-1"]


def hostile(kind, peer, count):
    out = subprocess.run([BUILD + "/integration/hostile", net.home("acme-hq"), peer, "acme", "globex", kind, str(count)],
                         capture_output=True, text=True, timeout=60)
    return out.stdout.strip()


def lies(kind, count, want, peer):
    before = net.status(peer)["height"]
    said = hostile(kind, peer, count)
    if want:
        check("%s: the liar is disconnected" % kind, said.startswith("closed"), said)
    uids = net.submit("acme-sub", "acme", 5, 1, seconds=8)
    check("%s: the others commit (%s)" % (kind, said[:60]), len(uids) >= 5 and net.status(peer)["height"] > before)
    check("%s: all run" % kind, all(net.alive(n) for n in peers))
    if want:  # back at once for the next test: the ban is of the peer's memory alone
        net.stop(peer)
        net.start(peer)
        check("%s: %s is up again" % (kind, peer), net.wait(peers, lambda s: s["peers_up"] >= 2, 15) is not None)


bans = ["garbage", "array-bomb", "oversized", "other-channel", "noncanonical", "bad-batch", "bad-block",
        "not-member"]
for i, kind in enumerate(bans):
    lies(kind, 40, True, peers[i % 3] if kind != "not-member" else "acme-sub")
for i, kind in enumerate(["replay-epoch", "gap-batch", "repeat-batch", "get-block", "get-range", "bad-vote"]):
    lies(kind, 400, False, peers[i % 3])
check("one in a ban is refused", hostile("garbage", "acme-sub", 40).startswith("closed") and
      hostile("garbage", "acme-sub", 1).startswith("refused"))

# honest again: it catches up (others may hold its ban for a while: it needs one of them)
net.start("acme-hq")
top = net.status("fin-reg-1")["height"]
check("the honest node of that identity catches up", net.wait(["acme-hq"], lambda s: s["height"] >= top, 40) is not None,
      net.status("acme-hq"))
for n in ["acme-hq", "acme-sub", "fin-reg-1", "data-reg-1"]:
    check("%s: nothing halted" % n, net.status(n)["halt"] == "", net.status(n))
codes = net.stop()
check("all stop with status 0", all(c == 0 for c in codes.values()), codes)
net.check_ledgers([])
finish()
