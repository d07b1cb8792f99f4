#!/usr/bin/env python3
"""Nodes are killed while clients submit: nothing acknowledged is lost, nothing is there twice, all ledgers agree.
Prints how long recovery takes. About 90 s."""
import os, random, signal, time
from net import ACME, NODES, Net, acks, check, finish, note

seed = int(os.environ.get("SEED", time.time_ns() % 100000))
rng = random.Random(seed)
note("seed %d" % seed)
net = Net(name="kill").start()
check("all nodes are up", net.wait_up() is not None)

# 1: twenty kills over all nodes, one at a time, while two enterprises' nodes submit
files = [os.path.join(net.dir, "acks-a"), os.path.join(net.dir, "acks-b")]
clients = [net.probe_start(n, "submit", "acme", 1000000, 4, f, seconds=45) for n, f in zip(["acme-hq", "acme-sub"], files)]
begin, recover = time.monotonic(), []
kills = 0
while kills < 20 and time.monotonic() - begin < 60:
    victim = rng.choice(ACME)
    time.sleep(rng.uniform(0.3, 1.5))
    net.stop(victim, sig=signal.SIGKILL)
    kills += 1
    if rng.random() < 0.5:
        time.sleep(rng.uniform(0, 0.7))
    at = time.monotonic()
    net.start(victim)
    if kills % 5 == 0:  # how long until it is level with the others and votes again
        others = [n for n in ACME if n != victim]
        top = max((net.status(n) or {"height": 0})["height"] for n in others)
        took = net.wait([victim], lambda s: s["height"] >= top and s["peers_up"] >= 3, 15)
        check("kill %d: %s is level again" % (kills, victim), took is not None)
        recover.append(time.monotonic() - at)
check("20 kills in %.0f s" % (time.monotonic() - begin), kills == 20)
for c in clients:
    c.wait(120)
acked = acks(files[0]) + acks(files[1])
check("records were acknowledged in between (%d)" % len(acked), len(acked) > 100)
note("a killed node is level again after %s s" % ", ".join("%.2f" % t for t in recover))

# 2: all at once
client = net.probe_start("acme-hq", "submit", "acme", 1000000, 8, os.path.join(net.dir, "acks-c"), seconds=12)
time.sleep(2)
for n in NODES:
    net.kill(n, signal.SIGKILL)
net.stop()
before = len(acks(os.path.join(net.dir, "acks-c")))
at = time.monotonic()
net.start()
more = None
while time.monotonic() - at < 20 and more is None:
    if len(acks(os.path.join(net.dir, "acks-c"))) > before:
        more = time.monotonic() - at
    time.sleep(0.05)
check("all nodes killed at once: the channel commits again", more is not None)
if more:
    note("all killed at once: the first new commit after %.2f s" % more)
client.wait(60)
acked += acks(os.path.join(net.dir, "acks-c"))

# 3: an outbox with unfinished batches: quorum gone, submit, kill the submitter, start all
net.stop("fin-reg-1", "data-reg-1")
client = net.probe_start("acme-hq", "submit", "acme", 1000000, 16, os.path.join(net.dir, "acks-d"), seconds=3)
time.sleep(2)
net.stop("acme-hq", sig=signal.SIGKILL)
net.start("acme-hq")
time.sleep(1)
held = net.status("acme-hq")
check("what waits for finality outlives a kill", held and held["outbox"] > 0, held)
net.start("fin-reg-1", "data-reg-1")
at = time.monotonic()
took = net.wait(["acme-hq"], lambda s: s["outbox"] == 0, 20)
check("unfinished batches become final after the restart", took is not None, net.status("acme-hq"))
if took:
    note("%d held entries final %.2f s after the quorum came back" % (held["outbox"], time.monotonic() - at))
client.wait(60)
acked += acks(os.path.join(net.dir, "acks-d"))

# 4: a stopped process, and one far behind
net.kill("fin-reg-1", signal.SIGSTOP)
acked += net.submit("acme-hq", "acme", 200, 4, seconds=10)
net.kill("fin-reg-1", signal.SIGCONT)
top = net.status("acme-hq")["height"]
took = net.wait(["fin-reg-1"], lambda s: s["height"] >= top, 25)
check("a node that was stopped for seconds catches up", took is not None, net.status("fin-reg-1"))
net.stop("acme-sub")
acked += net.submit("acme-hq", "acme", 3000, 32, seconds=20)
top = net.status("acme-hq")["height"]
net.start("acme-sub")
took = net.wait(["acme-sub"], lambda s: s["height"] >= top, 25)
check("a node far behind catches up (to height %d)" % top, took is not None, net.status("acme-sub"))
if took:
    note("catching up to height %d took %.2f s after the start" % (top, took))

# the sum
top = max(net.status(n)["height"] for n in ACME)
check("all are level in the end", net.wait(ACME, lambda s: s["height"] >= top and s["outbox"] == 0, 20) is not None)
want = net.submit("acme-hq", "parent", 5, 1, seconds=30)
check("members that do not vote follow the parent",
      len(want) >= 5 and net.wait(["acme-sub", "globex-sub"], lambda s: s["entries"] >= 5, 30, "parent") is not None)
codes = net.stop()
check("all stop with status 0", all(c == 0 for c in codes.values()), codes)
net.check_ledgers(acked)
finish()
