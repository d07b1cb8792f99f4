"""A demonstration network of real processes, for the integration tests beside this file.

Loopback only; ports as `assay network init` chose them; processes end by their own pid."""
import atexit, json, os, shutil, signal, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("ASSAY_BUILD") or os.path.join(ROOT, "build", os.environ.get("MODE", "release"))
NODES = ["acme-hq", "acme-sub", "globex-hq", "globex-sub", "fin-reg-1", "data-reg-1"]
ACME = ["acme-hq", "acme-sub", "fin-reg-1", "data-reg-1"]
passed = failed = 0


def check(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("%s %s%s" % ("ok" if good else "not ok", name, "" if good else "  -- " + str(detail)[:600]), flush=True)
    return bool(good)


def note(text):
    print("# " + text, flush=True)


def finish():
    print("%d passed, %d failed" % (passed, failed), flush=True)
    sys.exit(1 if failed else 0)


class Net:
    def __init__(self, nodes=NODES, name="net"):
        self.dir = tempfile.mkdtemp(prefix="assay-%s-" % name)
        self.procs, self.all = {}, nodes
        atexit.register(self.close)
        self.init(os.path.join(self.dir, "n"))
        self.base = os.path.join(self.dir, "n")

    def init(self, to):
        plan = os.path.join(ROOT, "genesis/demo/network.yaml")
        out = subprocess.run([BUILD + "/assay", "network", "init", plan, "--dir", to], capture_output=True, text=True)
        if out.returncode:
            raise SystemExit("network init: " + out.stdout + out.stderr)

    def home(self, node):
        return os.path.join(self.base, "nodes", node)

    def log(self, node):
        with open(os.path.join(self.dir, node + ".log"), errors="replace") as f:
            return f.read()

    def start(self, *nodes, prefix=()):
        for n in nodes or self.all:
            log = open(os.path.join(self.dir, n + ".log"), "ab")
            self.procs[n] = subprocess.Popen([*prefix, BUILD + "/assayd", "--home", self.home(n)], stderr=log, stdout=log)
        return self

    def kill(self, node, sig):
        self.procs[node].send_signal(sig)

    def stop(self, *nodes, sig=signal.SIGTERM, timeout=30):
        nodes = nodes or list(self.procs)
        for n in nodes:
            if self.procs[n].poll() is None:
                self.procs[n].send_signal(sig)
        codes = {}
        for n in nodes:
            try:
                codes[n] = self.procs[n].wait(timeout)
            except subprocess.TimeoutExpired:
                self.procs[n].kill()
                codes[n] = self.procs[n].wait()
                check("%s stops within %d s" % (n, timeout), False)
            del self.procs[n]
        return codes

    def alive(self, node):
        return node in self.procs and self.procs[node].poll() is None

    def close(self):
        for p in self.procs.values():
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
                p.wait()
        if os.environ.get("KEEP"):
            note("kept " + self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def probe(self, node, *args, timeout=60, **kw):
        return subprocess.run([BUILD + "/integration/probe", self.home(node), *map(str, args)], capture_output=True,
                              text=True, timeout=timeout, **kw)

    def probe_start(self, node, *args, seconds=60):
        env = dict(os.environ, SECONDS_MAX=str(seconds))
        return subprocess.Popen([BUILD + "/integration/probe", self.home(node), *map(str, args)], env=env,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def status(self, node, channel="acme"):
        try:
            doc = json.loads(self.probe(node, "call", "status", timeout=15).stdout)
            return next(c for c in doc["channels"] if c["name"] == channel)
        except (ValueError, StopIteration, subprocess.TimeoutExpired):
            return None

    def wait(self, nodes, good, seconds, channel="acme"):
        """Until good(status) holds at all nodes; the seconds that it took, or None."""
        begin, left = time.monotonic(), list(nodes)
        while time.monotonic() - begin < seconds:
            left = [n for n in left if not (lambda s: s and good(s))(self.status(n, channel))]
            if not left:
                return time.monotonic() - begin
            time.sleep(0.1)
        return None

    def wait_up(self, nodes=ACME, seconds=20, peers=3):
        return self.wait(nodes, lambda s: s["peers_up"] >= peers, seconds)

    def submit(self, node, channel, count, clients=1, seconds=60):
        """Submits; the acknowledged uids."""
        path = os.path.join(self.dir, "acks-%d" % time.monotonic_ns())
        p = self.probe_start(node, "submit", channel, count, clients, path, seconds=seconds)
        p.wait(seconds + 40)
        return acks(path)

    def ledger(self, node, channel="acme"):
        """Of a stopped node: {height: (size, root)}, [uid]."""
        out = self.probe(node, "ledger", channel)
        blocks, uids = {}, []
        for line in out.stdout.splitlines():
            w = line.split()
            if w[0] == "block":
                blocks[int(w[1])] = (w[2], w[3])
            else:
                uids.append(w[1])
        return blocks, uids if out.returncode == 0 else None

    def check_ledgers(self, acked, nodes=ACME, channel="acme"):
        """All nodes stopped: every acknowledged uid once on each, no duplicate, equal roots at equal heights."""
        first = None
        for n in nodes:
            blocks, uids = self.ledger(n, channel)
            if not check("%s: its ledger can be read" % n, uids is not None):
                continue
            seen = set(uids)
            check("%s: each of %d acknowledged records is there" % (n, len(acked)), set(acked) <= seen,
                  "missing %d" % len(set(acked) - seen))
            check("%s: none of %d records is there twice" % (n, len(uids)), len(seen) == len(uids))
            if first is None:
                first = blocks
            same = all(first[h] == blocks[h] for h in blocks if h in first)
            check("%s: blocks and roots equal those of %s (height %d)" % (n, nodes[0], len(blocks)), same)


def acks(path):
    try:
        with open(path) as f:
            return [line.split()[0] for line in f if len(line.split()) == 2]
    except FileNotFoundError:
        return []
