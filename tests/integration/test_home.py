#!/usr/bin/env python3
"""A node's home: a full disk, a second process, another network's home, truncated and flipped files. About 60 s.
The full disk needs a mount of its own (root, a private mount namespace); where that is impossible it is skipped."""
import ctypes, os, shutil, signal, subprocess, sys, time
from net import ACME, BUILD, Net, acks, check, finish, note

NODE = "acme-hq"


def mount_small(path, size):
    """A tmpfs of its own in a private mount namespace of this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.makedirs(path, exist_ok=True)
    if libc.unshare(0x00020000) or libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None):  # NEWNS; REC|PRIVATE
        return False
    return libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, b"size=%d" % size) == 0


def run(home, seconds=10):
    """Starts assayd on a home; (exit status or None if it runs on, what it said)."""
    p = subprocess.Popen([BUILD + "/assayd", "--home", home], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace")
    try:
        out, _ = p.communicate(timeout=seconds)
        return p.returncode, out
    except subprocess.TimeoutExpired:
        p.terminate()
        out, _ = p.communicate()
        return None, out


net = Net(name="home")
acked = []

# ---- one process a home; the right home ----
net.start()
check("all nodes are up", net.wait_up() is not None)
code, out = run(net.home(NODE), 5)
check("a second process on the same home: status 3, naming the first", code == 3 and str(net.procs[NODE].pid) in out, out)
acked += net.submit(NODE, "acme", 300, 8, seconds=20)
codes = net.stop()
check("all stop with status 0", all(c == 0 for c in codes.values()), codes)

other = os.path.join(net.dir, "other")
net.init(other)
mixed = os.path.join(net.dir, "mixed")
shutil.copytree(net.home(NODE), mixed)
shutil.copy(os.path.join(other, "nodes", NODE, "genesis.assay"), mixed)
code, out = run(mixed, 5)
check("another network's genesis in the home: status %s" % code, code in (2, 4) and "genesis" in out, out)
shutil.rmtree(os.path.join(mixed, "keys"))
shutil.copytree(os.path.join(other, "nodes", NODE, "keys"), os.path.join(mixed, "keys"))
code, out = run(mixed, 5)
check("a home of another network: status 4", code == 4 and "network" in out, out)
shutil.rmtree(mixed)

# ---- a full disk ----
small = os.path.join(net.dir, "small")
if not mount_small(small, 12 << 20):
    note("skipped: no mount of its own is possible here; full disk not tested")
else:
    home = os.path.join(small, "home")
    shutil.copytree(net.home(NODE), home)
    moved = net.home(NODE) + ".old"
    os.rename(net.home(NODE), moved)
    os.symlink(home, net.home(NODE))
    net.start()
    check("the node on a small disk is up", net.wait_up() is not None)
    path = os.path.join(net.dir, "acks-full")
    client = net.probe_start(NODE, "submit", "acme", 1000000, 32, path, seconds=30)
    for _ in range(300):
        if not net.alive(NODE):
            break
        time.sleep(0.1)
    client.terminate()
    client.wait()
    check("disk full: the node stops", not net.alive(NODE))
    code = net.procs[NODE].poll()
    check("disk full: exit status 5, with a clear word", code == 5 and "no space left" in net.log(NODE)[-400:],
          (code, net.log(NODE)[-400:]))
    more = acks(path)
    acked += more
    note("%d records were acknowledged before the disk was full" % len(more))
    check("disk full: the others commit", len(net.submit("acme-sub", "acme", 20, 2, seconds=10)) >= 20)
    code, out = run(home, 5)
    check("still full: it does not start, status 5" if code == 5 else "still full: it starts or says why", code in (None, 5), out)
    ctypes.CDLL(None).mount(b"tmpfs", small.encode(), b"tmpfs", 0x20, b"size=%d" % (256 << 20))  # REMOUNT
    net.start(NODE)
    top = net.status("acme-sub")["height"]
    check("space freed: it starts and catches up",
          net.wait([NODE], lambda s: s["height"] >= top and s["outbox"] == 0, 20) is not None, net.log(NODE)[-400:])
    check("space freed: it takes records", len(net.submit(NODE, "acme", 10, 1, seconds=10)) >= 10)
    net.stop()
    net.check_ledgers(acked)
    os.unlink(net.home(NODE))
    os.rename(moved, net.home(NODE) + ".unused")
    shutil.copytree(home, net.home(NODE))

# ---- damaged files of a stopped node ----
stores = ["channels/acme/ledger", "channels/acme/index", "vault", "outbox/acme", "spool"]


def damage_truncate(path):
    size = os.path.getsize(path)
    os.truncate(path, size // 2 // 4096 * 4096)


def damage_short(path):
    os.truncate(path, 5000)


def damage_flip(path):
    with open(path, "r+b") as f:
        size = os.path.getsize(path)
        for at in range(8192 + 40, size, 4096 * 3):  # a bit in every third page, the two meta pages left alone
            f.seek(at)
            b = f.read(1)
            f.seek(at)
            f.write(bytes([b[0] ^ 0x10]))


def damage_meta(path):
    with open(path, "r+b") as f:
        for at in (24, 4096 + 24):
            f.seek(at)
            f.write(b"\xff" * 64)


for store in stores:
    for damage in (damage_truncate, damage_short, damage_flip, damage_meta):
        home = os.path.join(net.dir, "damaged")
        shutil.copytree(net.home(NODE), home)
        path = os.path.join(home, store)
        files = [os.path.join(path, f) for f in os.listdir(path) if f != "lock.mdb"] if os.path.isdir(path) else []
        for f in files:
            damage(f)
        code, out = run(home, 3)
        name = "%s %s" % (damage.__name__[7:], store)
        signalled = code is not None and code < 0
        check("%s: no death by a signal (%s)" % (name, "runs" if code is None else "status %d" % code), not signalled,
              (code, out[-400:]))
        if code is not None and not signalled:
            check("%s: says what is wrong" % name, code == 5 and "assayd: " in out, (code, out[-300:]))
        shutil.rmtree(home)
finish()
