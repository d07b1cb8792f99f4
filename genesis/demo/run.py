#!/usr/bin/env python3
"""The demonstration: the main job of Assay, end to end, with six real nodes on this machine.

`make demo` runs it. Nine steps, in order; each says what it shows, prints the commands as you could type them, and what
came of it. A tick stands only after the answer has been checked, from --json output or an exit status. The program ends
with 0 only if every check held.

All of it lives in ./demo-home, which is removed at the next start. `make demo KEEP=1` leaves the network running,
`make demo-stop` ends it.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

HOME = "demo-home"
LOGS_IN_ALL = 20000        # records to be read, of all sources together
LOGS_GLOBEX = 3000
DPKG_LOG = "/var/log/dpkg.log"
DPKG_MOST = 8000           # a longer package log is read from its tail
GENESIS_DEMO = os.path.dirname(os.path.relpath(__file__))
NODES = ["acme-hq", "acme-sub", "globex-hq", "globex-sub", "fin-reg-1", "data-reg-1"]

# globex has people of its own, so that nothing of acme's has a reason to lie with it. In the order of people.csv.
GLOBEX_PEOPLE = [
    ("fenggang", "冯刚"), ("jiangmei", "蒋梅"), ("shenbin", "沈斌"), ("hanxue", "韩雪"), ("qinlan", "秦岚"),
    ("xuning", "许宁"), ("hefeng", "何峰"), ("lvliang", "吕亮"), ("shijun", "施俊"), ("kongfan", "孔凡"),
    ("caoying", "曹颖"), ("yanbo", "严博"), ("huaqing", "华清"), ("jinhui", "金辉"), ("weilai", "魏来"),
    ("taoran", "陶然"), ("shangguanyun", "上官云"), ("muronghai", "慕容海"),
]
SURNAMES = str.maketrans("王李张刘陈杨黄赵吴周徐孙马朱胡欧", "冯蒋沈韩秦许何吕施孔曹严华金魏上")


def node_home(node):
    return f"{HOME}/nodes/{node}"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


# ---- what the reader sees ----

class Failed(Exception):
    """A step cannot go on."""


class Report:
    """Headings, commands, ticks; counts what did not hold."""

    def __init__(self):
        self.colour = sys.stdout.isatty()
        self.failures = []
        self.ticks = 0
        self.seconds = {}
        self.step = ""

    def style(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def line(self, text=""):
        print(text, flush=True)

    def heading(self, number, title, why):
        self.step = f"{number} {title}"
        self.line()
        self.line(self.style("1", f"{number}. {title}"))
        for part in why.strip().splitlines():
            self.line("   " + part.strip())

    def command(self, words):
        text = words if isinstance(words, str) else " ".join(shlex.quote(w) for w in words)
        self.line("   " + self.style("36", "$ " + text))

    def output(self, text, most=14):
        lines = text.rstrip().splitlines()
        for i, part in enumerate(lines):
            if i == most and len(lines) > most + 1:
                self.line(f"     … and {len(lines) - most} lines more")
                break
            self.line("     " + part)

    def check(self, holds, text, why=""):
        if holds:
            self.ticks += 1
            self.line("   " + self.style("32", "✓") + " " + text)
        else:
            self.failures.append(f"step {self.step}: {text}")
            self.line("   " + self.style("31", "✗") + " " + text + (f"  ({why})" if why != "" else ""))
        return holds


# ---- running programs ----

class Tools:
    def __init__(self, build, report):
        self.build = build
        self.report = report

    def run(self, words, timeout=90):
        """Runs a program of the build; words[0] is its name."""
        try:
            return subprocess.run([os.path.join(self.build, words[0])] + words[1:], capture_output=True, text=True,
                                  timeout=timeout, check=False)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{' '.join(words)}: no end after {timeout} s") from late

    def tool(self, *words):
        """A helper of the demonstration; its failure ends the step."""
        done = self.run(list(words))
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def show(self, *words, most=14, expect=0):
        """An assay command whose text is shown to the reader."""
        words = ["assay"] + list(words)
        self.report.command(words)
        done = self.run(words)
        self.report.output(done.stdout, most)
        if done.returncode != expect:
            raise Failed(f"it ended with {done.returncode} instead of {expect}: {done.stderr.strip()}")
        return done.stdout

    def ask(self, *words, expect=0):
        """The same question with --json, for a check. expect None: any exit status."""
        done = self.run(["assay"] + list(words) + ["--json"])
        if expect is not None and done.returncode != expect:
            raise Failed(f"assay {' '.join(words)} ended with {done.returncode} instead of {expect}: "
                         f"{done.stderr.strip() or done.stdout.strip()[:300]}")
        try:
            documents = [json.loads(part) for part in done.stdout.splitlines() if part.strip()]
        except ValueError as bad:
            raise Failed(f"assay {' '.join(words)}: --json is not JSON: {done.stdout[:200]}") from bad
        documents = [d for d in documents if list(d) != ["error"]] or documents  # a "no" says why beside its answer
        return documents[0] if len(documents) == 1 else documents

    def wait(self, what, seconds, question):
        """Asks until the answer is true; returns it, or fails."""
        until = time.monotonic() + seconds
        while True:
            try:
                answer = question()
                why = ""
            except Failed as no:
                answer, why = None, f": {no}"
            if answer:
                return answer
            if time.monotonic() > until:
                raise Failed(f"{what}: not within {seconds} s{why}")
            time.sleep(0.1)

    def channel(self, name, node):
        return self.ask("channel", "show", name, "--home", node_home(node))["status"]


# ---- the logs ----

def globex_text(text, people):
    """The logs of the generator, told of other users, staff, machines and funds."""
    for (account, _, _), (own, _) in zip(people, GLOBEX_PEOPLE):
        text = re.sub(rf'"{account}"', f'"{own}"', text)
    text = re.sub(r"\bU1(\d{5})\b", r"K7\1", text)
    text = text.replace("10.8.", "10.9.").replace("F0001", "F0009")
    return text.translate(SURNAMES)


def globex_tables(people):
    rows = ["account,name,position,contracting_entity,staff_no"]
    for i, ((_, _, position), (account, name)) in enumerate(zip(people, GLOBEX_PEOPLE)):
        rows.append(f"{account},{name},{position},环球证券股份有限公司,GX{60000 + i}")
    hosts = read(f"{GENESIS_DEMO}/hosts.csv").replace("10.8.", "10.9.").replace("AS-07", "GX-90")
    funds = read(f"{GENESIS_DEMO}/funds.csv").replace("F0001", "F0009").replace("顶点", "环球")
    return {"people.csv": "\n".join(rows) + "\n", "hosts.csv": hosts, "funds.csv": funds}


def table(path):
    rows = [line.split(",") for line in read(path).splitlines()]
    return [dict(zip(rows[0], row)) for row in rows[1:]]


class Logs:
    """Makes both enterprises' logs and configurations; knows what must come out."""

    def __init__(self, tools):
        self.tools = tools
        self.dpkg = 0
        self.acme = self.globex = None

    def make(self):
        config = read(f"{GENESIS_DEMO}/ingest-acme.yaml")
        config = self.dpkg_source(config)
        self.acme = self.generate("acme-hq", LOGS_IN_ALL - LOGS_GLOBEX - self.dpkg, 7)
        for name in ("people.csv", "hosts.csv", "funds.csv"):
            shutil.copy(f"{GENESIS_DEMO}/{name}", node_home("acme-hq"))
        self.configure("acme-hq", config)

        self.globex = self.generate("globex-hq", LOGS_GLOBEX, 8)
        people = [(r["account"], r["name"], r["position"]) for r in table(f"{GENESIS_DEMO}/people.csv")]
        for name in ("crm.jsonl", "trade.jsonl"):
            path = f"{node_home('globex-hq')}/logs/{name}"
            write(path, globex_text(read(path), people))
        for name, text in globex_tables(people).items():
            write(f"{node_home('globex-hq')}/{name}", text)
        self.configure("globex-hq", re.sub(r"    - id: dpkg.*?(?=\n  map:)", "", config, flags=re.S))

    def dpkg_source(self, config):
        try:
            with open(DPKG_LOG, "rb") as f:
                lines = f.read().splitlines(keepends=True)
        except OSError:
            return config
        self.dpkg = min(len(lines), DPKG_MOST)
        if len(lines) <= DPKG_MOST:
            return config
        os.makedirs(f"{node_home('acme-hq')}/logs", exist_ok=True)
        with open(f"{node_home('acme-hq')}/logs/dpkg-tail.log", "wb") as f:
            f.writelines(lines[-DPKG_MOST:])
        return config.replace(DPKG_LOG, "logs/dpkg-tail.log")

    def generate(self, node, count, seed):
        where = f"{node_home(node)}/logs"
        os.makedirs(where, exist_ok=True)
        self.tools.tool("make_logs", where, str(count), str(seed))
        expected = json.loads(read(f"{where}/expected.json"))
        os.remove(f"{where}/expected.json")
        return expected

    def configure(self, node, ingest):
        with open(f"{node_home(node)}/node.yaml", "a", encoding="utf-8") as f:
            f.write("\n" + ingest)

    def acme_values(self):
        """Names that stand in acme's logs and tables, and nowhere in what all share."""
        lines = []
        for name in ("crm.jsonl", "trade.jsonl"):
            for part in read(f"{node_home('acme-hq')}/logs/{name}").splitlines():
                try:
                    json.loads(part)
                    lines.append(part)
                except ValueError:
                    pass  # cut on purpose: a dead letter, whose content is in no record
        text = "\n".join(lines)
        values = set(re.findall(r"\bU1\d{5}\b", text))
        for row in table(f"{GENESIS_DEMO}/people.csv"):
            if f'"{row["account"]}"' in text:
                values |= {row["account"], row["name"], row["staff_no"]}
        for row in table(f"{GENESIS_DEMO}/funds.csv"):
            if row["fund_code"] in text:
                values |= {row["fund_code"], row["fund_name"]}
        for row in table(f"{GENESIS_DEMO}/hosts.csv"):
            if f'"{row["ip"]}"' in text:
                values |= {row["ip"], row["asset_no"]}
        return sorted(v for v in values if len(v.encode()) >= 6)  # shorter ones occur by chance

    def globex_values(self):
        text = read(f"{node_home('globex-hq')}/logs/trade.jsonl")
        return sorted(set(re.findall(r"\bK7\d{5}\b", text)))


# ---- the nine steps ----

class Demo:
    def __init__(self, build, keep):
        self.report = Report()
        self.tools = Tools(build, self.report)
        self.logs = Logs(self.tools)
        self.keep = keep
        self.latency = {}
        self.ingest_seconds = 0.0
        self.records = []      # answers of step 5: records about the user
        self.bundle = f"{HOME}/one-record.assay-bundle"
        self.ledger_bytes = self.blocks = self.entries = 0

    def run(self):
        steps = [self.found, self.standards, self.ingest, self.come_back, self.who_touched, self.evidence,
                 self.offline, self.repair, self.isolation]
        self.clean()
        began = time.monotonic()
        for step in steps:
            at = time.monotonic()
            try:
                step()
            except Failed as no:
                self.report.check(False, str(no))
            except (OSError, LookupError, TypeError, ValueError) as odd:  # an answer that is not as documented
                self.report.check(False, f"{type(odd).__name__}: {odd}")
            self.report.seconds[self.report.step] = time.monotonic() - at
            if step == self.found and self.report.failures:
                break
        if self.keep:
            self.stay()
        else:
            self.down()
            shutil.rmtree(f"{HOME}/capture", ignore_errors=True)
        self.summary(time.monotonic() - began)
        return 1 if self.report.failures else 0

    def up(self, *more):
        """Starts nodes. Their messages' plain text is written to files, which step 9 searches."""
        return self.tools.show("network", "up", "--dir", HOME, "--capture", f"{HOME}/capture", *more)

    def down(self):
        if os.path.isdir(f"{HOME}/nodes"):
            self.tools.run(["assay", "network", "down", "--dir", HOME])

    def clean(self):
        self.down()
        shutil.rmtree(HOME, ignore_errors=True)

    # -- 1
    def found(self):
        self.report.heading(1, "Found a network", """
            Two enterprises (acme, globex) with two nodes each, two regulators with one. Each enterprise has a channel of
            its own; both regulators are in both. Demonstration only: one party makes all keys here; the real way is
            assay node init, genesis assemble, sign, verify.""")
        self.tools.show("network", "init", f"{GENESIS_DEMO}/network.yaml", "--dir", HOME, most=40)
        genesis = self.tools.ask("genesis", "show", f"{HOME}/genesis.assay")
        self.report.check(bool(genesis), "the founding document is signed by all four organisations and reads back")
        self.up()
        status = self.tools.ask("network", "status", "--dir", HOME)
        peers = [sum(p["up"] for p in n["status"]["peers"]) for n in status["nodes"] if n["up"]]
        self.report.check(peers == [5] * 6, "six processes run, each connected to the five others by mutual TLS", peers)
        self.measure_latency()

    def measure_latency(self):
        """Fifty records, one after the other, each waited for; before any standard asks for more fields."""
        out = self.tools.tool("bench/load", "--home", node_home("acme-sub"), "--channel", "acme", "--count", "50")
        self.latency = json.loads(out)
        self.report.check(self.latency["failed"] == 0,
                          f"a lone record is final after {self.latency['p50_ms']} ms (median of 50, synced to disk)")

    # -- 2
    def standards(self):
        self.report.heading(2, "The regulator publishes three standards", """
            What an institution must report beyond the four elements (who, when, what, to what), one name for each type
            of thing whatever a system calls it, and a classification of operations. Every member fetches them from the
            channel and acknowledges them with its signature; from then on records are held to them.""")
        files = [f"{GENESIS_DEMO}/{name}.yaml" for name in ("finance-ext", "vocab", "operations")]
        self.tools.show("standard", "publish", *files, "--channel", "acme", "--channel", "globex", "--home",
                        node_home("fin-reg-1"), "--as", "李监管")
        for channel in ("acme", "globex"):
            home = node_home(f"{channel}-sub")
            listed = self.tools.wait("acknowledgements", 20, lambda c=channel, h=home: self.all_acknowledged(c, h))
            self.report.check(len(listed) == 3, f"channel {channel}: three standards active, acknowledged by all four nodes")
        self.tools.show("standard", "list", "--channel", "acme", "--home", node_home("acme-sub"))

    def all_acknowledged(self, channel, home):
        listed = self.tools.ask("standard", "list", "--channel", channel, "--home", home)["standards"]
        done = all(s["life"] == "active" and len(s.get("acked", [])) == s["members"] for s in listed)
        return listed if len(listed) == 3 and done else None

    # -- 3
    def ingest(self):
        self.report.heading(3, "Read real logs", f"""
            acme reads {DPKG_LOG}, which names no user, so that its configuration assigns one, marked as assigned;
            and the logs of two HTTP systems of its own, of which one says userid and the other user_account. globex has
            logs of its own. Half-way a node of acme will be killed: that is step 4.""")
        self.logs.make()
        acme, globex = self.logs.acme, self.logs.globex
        if self.logs.dpkg == 0:
            self.report.line(f"   Note: {DPKG_LOG} is not there (or empty); the other logs are more instead.")
        self.ingest_globex(globex["crm"] + globex["trade"])
        expect = acme["crm"] + acme["trade"] + self.logs.dpkg
        self.ingest_acme(expect)
        answer = self.tools.ask("query", "--home", node_home("fin-reg-1"), "--channel", "acme", "--kind", "record",
                                "--count")
        count = answer["answers"][0]["count"] - self.latency["count"]
        self.report.check(count == expect - acme["broken"],
                          f"{count} records of acme are final: every log but {acme['broken']} that are cut in the middle", expect)
        dead = self.tools.ask("query", "--home", node_home("fin-reg-1"), "--channel", "acme", "--kind", "dead-letter",
                              "--count")["answers"][0]["count"]
        self.report.check(dead == acme["broken"], f"those {dead} are committed as dead letters, with the reason")
        if self.logs.dpkg:
            hits = self.tools.ask("query", "--home", node_home("fin-reg-1"), "--channel", "acme", "--source", "dpkg",
                                  "--limit", "1")["answers"][0]["hits"]
            self.report.check(len(hits) == 1 and hits[0]["body"]["actor"].get("assigned") is True,
                              "records of the package log say that their subject was assigned")

    def ingest_globex(self, expect):
        words = ["ingest", "run", "--home", node_home("globex-hq"), "--once", "--expect", str(expect)]
        self.tools.show(*words, most=6)
        answer = self.tools.ask("query", "--home", node_home("data-reg-1"), "--channel", "globex", "--kind", "record",
                                "--count")
        count = answer["answers"][0]["count"]
        self.report.check(count == expect - self.logs.globex["broken"], f"{count} records of globex are final", expect)

    def ingest_acme(self, expect):
        words = ["assay", "ingest", "run", "--home", node_home("acme-hq"), "--once", "--expect", str(expect)]
        self.report.command(words)
        began = time.monotonic()
        with subprocess.Popen([os.path.join(self.tools.build, words[0])] + words[1:]) as reading:
            try:
                self.kill_half_way(expect, reading)
                reading.wait(timeout=120)
            except subprocess.TimeoutExpired as late:
                raise Failed("not all logs were final after 120 s") from late
            finally:
                if reading.poll() is None:
                    reading.terminate()
        self.ingest_seconds = time.monotonic() - began
        if reading.returncode != 0:
            raise Failed(f"it ended with {reading.returncode}")

    # -- 4
    def kill_half_way(self, expect, reading):
        self.killed_at = 0
        while reading.poll() is None:
            now = self.tools.channel("acme", "fin-reg-1")
            if now["entries"] > expect // 5:
                os.kill(int(read(f"{node_home('acme-sub')}/pid")), signal.SIGKILL)
                self.killed_at = now["height"]
                return
            time.sleep(0.02)

    def come_back(self):
        self.report.heading(4, "A validator is killed, and comes back", """
            While acme's logs were read, its subsidiary's node got SIGKILL. Three of four validators are enough; the
            channel went on. Now the node starts again and fetches what it missed.""")
        self.report.command("kill -9 $(cat " + node_home("acme-sub") + "/pid)")
        after = self.tools.channel("acme", "fin-reg-1")
        self.report.check(0 < self.killed_at < after["height"],
                          f"killed at block {self.killed_at}; without it the channel went on to block {after['height']}")
        status = self.tools.ask("network", "status", "--dir", HOME)
        dead = [n["id"] for n in status["nodes"] if not n["up"]]
        self.report.check(dead == ["acme-sub"], "acme-sub, and it alone, is down", dead)
        self.up("--node", "acme-sub")
        self.tools.wait("catching up", 30, lambda: self.tools.channel("acme", "acme-sub")["entries"] >= after["entries"])
        theirs, own = (self.tools.ask("checkpoint", "--channel", "acme", "--size", str(after["entries"]), "--home",
                                      node_home(n)) for n in ("fin-reg-1", "acme-sub"))
        self.report.check(own["size"] == theirs["size"] and own["root"] == theirs["root"],
                          f"it has caught up: the same root of {own['size']} entries as the regulator's node")

    # -- 5
    def who_touched(self):
        user = self.logs.acme["hot_user"]
        self.report.heading(5, f"A regulator asks: who touched user {user}?", """
            One question reaches the records of both systems, since the vocabulary gives the type one name. Every answer
            comes with a proof, which the asker's program checks against the founding document alone.""")
        question = ["query", "--home", node_home("fin-reg-1"), "--object", f"userid:{user}", "--proof"]
        self.tools.show(*question, "--limit", "5")
        answer = self.tools.ask(*question, "--all")
        self.records = [h for a in answer["answers"] for h in a["hits"]]
        by = {s: sum(h["body"]["server"] == s for h in self.records) for s in ("crm", "trade")}
        made = {"crm": self.logs.acme["hot_crm"], "trade": self.logs.acme["hot_trade"]}
        self.report.check(by == made, f"{by['crm']} records of the system that says userid, {by['trade']} of the one that says "
                          "user_account: exactly as many as there are logs of it", made)
        self.report.check(answer["proven"] == len(self.records) > 0, f"all {answer['proven']} proofs hold")
        raw = read(f"{node_home('acme-hq')}/logs/trade.jsonl")
        self.report.check(f'"user_account":"{user}"' in raw and f'"userid":"{user}"' not in raw,
                          "the second system's own logs say user_account only")

    # -- 6
    def evidence(self):
        self.report.heading(6, "The regulator demands raw logs", """
            The ledger holds only a hash of each log; the log itself lies encrypted in acme's vault. Asked for one, acme's
            node answers, sealed to the asker, and the asker's node judges. Then acme cheats, or its disk fails:
            a forger who holds the vault's key alters a log; a bit of the vault flips; a log is deleted.""")
        home = node_home("fin-reg-1")
        picked = self.records[::max(1, len(self.records) // 4)][:4]
        if len(picked) < 4:
            raise Failed("there are no four records to ask for")
        cases = [("nobody touched it", None, "verified"), ("altered and re-encrypted", "vault-forge", "mismatch"),
                 ("one bit flipped", "vault-flip", "damaged"), ("deleted", "vault-delete", "missing")]
        for hit, (what, damage, verdict) in zip(picked, cases):
            words = ["evidence", "request", str(hit["number"]), "--reason", "complaint 2026-17", "--deadline", "5m",
                     "--channel", "acme", "--home", home, "--as", "李监管"]
            if damage:
                self.tools.tool("demo/damage", damage, node_home("acme-hq"), hit["body"]["raw_hash"])
                shutil.rmtree(f"{node_home('acme-hq')}/vault-of-the-forger", ignore_errors=True)
            self.report.command(["assay"] + words)
            case = self.tools.ask(*words, expect=0 if verdict == "verified" else None)
            self.report.check(case.get("verdict") == verdict, f"{what}: {verdict} ({case.get('words')})", case)
        self.tools.show("evidence", "list", "--channel", "acme", "--home", node_home("data-reg-1"))
        listed = self.tools.ask("evidence", "list", "--channel", "acme", "--home", node_home("data-reg-1"))["cases"]
        verdicts = {c["entry"]: c.get("verdict") for c in listed}
        self.report.check([verdicts.get(h["number"]) for h in picked] == [c[2] for c in cases],
                          "all four verdicts are on the channel: the other regulator sees them too", verdicts)

    # -- 7
    def offline(self):
        self.report.heading(7, "One record is proven offline", """
            A bundle is exported, with its raw log, and every node is stopped. The founding document is all that is needed
            to check it: that the record is in the ledger, which node of which enterprise reported it, that the log is the
            committed one, and that the history is pinned on the parent channel.""")
        number = self.records[1]["number"]
        words = ["bundle", "export", str(number), "--channel", "acme", "--raw", "--out", self.bundle, "--home",
                 node_home("acme-hq")]
        self.tools.wait("an anchor on the parent", 20, lambda: self.export_anchored(words))
        self.tools.show(*words)
        self.blocks = self.tools.channel("acme", "acme-sub")["height"]
        self.entries = self.tools.channel("acme", "acme-sub")["entries"]
        self.tools.show("network", "down", "--dir", HOME)
        running = self.tools.ask("network", "status", "--dir", HOME, expect=None)
        self.report.check(running["up"] == 0, "no node runs")
        verify = ["bundle", "verify", self.bundle, "--genesis", f"{HOME}/genesis.assay"]
        self.tools.show(*verify, most=30)
        states = self.claims(verify)
        for what, text in (("included", "the record is in the ledger"), ("final", "a quorum has made it final"),
                           ("author", "a node of acme has signed it: authorship"), ("log", "the raw log is the committed one"),
                           ("anchored", "the history is pinned on the parent")):
            self.report.check(states.get(what) == "proven", text, states.get(what))
        with open(self.bundle, "rb") as f:
            forged = bytearray(f.read())
        at = forged.find(self.records[1]["body"]["actor"]["name"].encode())
        forged[at] ^= 0x01
        with open(f"{HOME}/changed.assay-bundle", "wb") as f:
            f.write(forged)
        words = ["assay", "bundle", "verify", f"{HOME}/changed.assay-bundle", "--genesis", f"{HOME}/genesis.assay"]
        self.report.command(words)
        done = self.tools.run(words)
        self.report.output((done.stdout or done.stderr).replace("\n\n", "\n"), most=4)
        self.report.check(done.returncode == 1, "with one byte of it changed, the answer is no (exit status 1)",
                          done.returncode)

    def claims(self, verify):
        return {c["what"]: c["state"] for c in self.tools.ask(*verify, expect=None)["claims"]}

    def export_anchored(self, words):
        self.tools.ask(*words)
        return self.claims(["bundle", "verify", self.bundle, "--genesis", f"{HOME}/genesis.assay"]).get("anchored") == "proven"

    # -- 8
    def repair(self):
        self.report.heading(8, "A disk fails: found, and repaired by itself", """
            While the nodes stand still, one bit of a block stored at acme's subsidiary is flipped. assay fsck finds it;
            the node, started again, finds it too, fetches the block from the other members and takes only what has the
            right hash.""")
        home, height = node_home("acme-sub"), self.records[len(self.records) // 2]["height"]
        made = json.loads(self.tools.tool("demo/damage", "block", home, "acme", str(height)))
        self.tools.show("fsck", "--home", home, "--channel", "acme", expect=5)
        documents = self.tools.ask("fsck", "--home", home, "--channel", "acme", expect=5)
        faults = [d for d in documents if d.get("kind")]
        self.report.check(any(f["height"] == height and f["store"] == "channel acme" and
                              f["first_entry"] == made["first_entry"] and f["entries"] == made["entries"]
                              for f in faults),
                          f"fsck names channel acme, block {height} and its {made['entries']} entries from {made['first_entry']} on",
                          faults)
        self.up()
        repaired = self.tools.wait("repair", 30, lambda: self.tools.channel("acme", "acme-sub")["repaired"])
        self.report.check(repaired == 1, "the running node has replaced one block", repaired)
        said = [line for line in read(f"{home}/log").splitlines() if "is repaired" in line]
        self.report.output("\n".join(said[-1:]))
        self.report.check(bool(said), "and says so in its log")
        self.tools.show("network", "down", "--dir", HOME, most=1)
        self.tools.show("fsck", "--home", home, "--channel", "acme")
        self.report.check(True, "fsck finds no fault any more")

    # -- 9
    def isolation(self):
        self.report.heading(9, "Nothing of acme lies with globex", """
            Every file of globex's two nodes is searched: databases decoded, blocks unpacked, vaults decrypted, and every
            message that they sent or received, in plain text, for the names in acme's logs and for the hashes of all
            its entries, batches and blocks. The same search must find all of them at a rightful holder.""")
        names, own = self.logs.acme_values(), self.logs.globex_values()
        hashes = self.tools.tool("demo/isolation", "hashes", node_home("acme-sub"), "acme")
        write(f"{HOME}/acme.values", "".join(f"text\t{v}\n" for v in names) + hashes)
        write(f"{HOME}/globex.values", "".join(f"text\t{v}\n" for v in own))
        homes = [node_home("globex-hq"), node_home("globex-sub")]
        taps = ["--capture"] + [f"{HOME}/capture/{n}.tap" for n in ("globex-hq", "globex-sub")]

        found = self.search("acme.values", homes + taps)
        self.report.line(f"   searched with globex: {found['files']} files, {found['databases']} databases with "
                         f"{found['stored']} values, {found['frames']} compressed frames, {found['terms']} index terms, "
                         f"{found['logs']} decrypted logs, {found['messages']} messages")
        self.report.check(found["hits"] == 0, f"none of {found['values']} values of acme is there", found["first"])
        self.report.check(all(found[k] > 0 for k in ("frames", "terms", "logs", "messages")),
                          "the search has seen blocks, index, vault and messages", found)
        control = self.search("globex.values", homes)
        self.report.check(control["found"] == control["values"] > 0,
                          f"it finds all {control['values']} users of globex's own there, so it can see", control["missing"])
        holder = self.search("acme.values", [node_home("acme-sub")])
        self.report.check(holder["found"] == holder["values"] > 0,
                          f"and all {holder['values']} values of acme with acme-sub, a rightful holder", holder["missing"])

        heard = self.search("acme.values", ["--capture", f"{HOME}/capture/fin-reg-1.tap"])["kinds"]["text"]
        self.report.check(heard[0] == heard[1] > 0,
                          f"and all {heard[1]} names in the messages of fin-reg-1, so it can read messages", heard)

    def search(self, values, where):
        return json.loads(self.tools.tool("demo/isolation", "search", f"{HOME}/{values}", *where))

    # -- the end
    def stay(self):
        self.report.heading("", "The network stays", "")
        try:
            self.up()
        except Failed as no:
            self.report.check(False, str(no))
        for node in NODES:
            config = read(f"{node_home(node)}/node.yaml")
            listen, http = re.findall(r"listen: (\S+)", config)[:2]
            self.report.line(f"   {node:<11} {listen:<16} http {http:<16} keys in {node_home(node)}/keys")
        user, assay = self.logs.acme["hot_user"], f"{self.tools.build}/assay"
        self.report.line("\n   Five commands to try:")
        for words in (f"network status --dir {HOME}",
                      f"query --home {node_home('fin-reg-1')} --object userid:{user} --proof --limit 10",
                      f"show {self.records[0]['number'] if self.records else 0} --channel acme --home {node_home('data-reg-1')}",
                      f"evidence list --channel acme --home {node_home('acme-hq')}",
                      f"bundle explain {self.bundle} --genesis {HOME}/genesis.assay"):
            self.report.line(f"   {assay} {words}")
        self.report.line("   make demo-stop ends it.")

    def disk_bytes(self):
        total = 0
        for store in ("ledger", "index"):
            path = f"{node_home('acme-sub')}/channels/acme/{store}/data.mdb"
            if os.path.exists(path):
                total += os.stat(path).st_blocks * 512
        return total

    def summary(self, seconds):
        out, logs = self.report, self.logs
        out.line()
        out.line(out.style("1", "What was measured on this machine"))
        if logs.acme and self.entries and self.ingest_seconds:
            read_logs = logs.acme["crm"] + logs.acme["trade"] + logs.dpkg
            out.line(f"   records read      {read_logs + LOGS_GLOBEX} ({read_logs} of acme, {LOGS_GLOBEX} of globex)")
            out.line(f"   channel acme      {self.entries} entries in {self.blocks} blocks")
            out.line(f"   bytes on disk     {self.disk_bytes() / self.entries:.0f} a record (ledger and index of one node)")
            out.line(f"   a lone record     p50 {self.latency['p50_ms']} ms, p99 {self.latency['p99_ms']} ms until final")
            out.line(f"   ingest            {read_logs / self.ingest_seconds:.0f} records/s, from log file to final, one node killed meanwhile")
        for step, took in out.seconds.items():
            out.line(f"   step {step:<47.47} {took:5.1f} s")
        out.line(f"   all               {seconds:.1f} s")
        out.line()
        for text in out.failures:
            out.line(out.style("31", "✗") + " " + text)
        verdict = "Every step held" if not out.failures else f"{len(out.failures)} checks failed"
        out.line(out.style("1", f"{verdict}: {out.ticks} checks passed, {len(out.failures)} failed."))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--build", default="build/release", help="where assay and assayd are")
    options.add_argument("--keep", action="store_true", help="leave the network running")
    options.add_argument("--stop", action="store_true", help="only end a network that was left running")
    args = options.parse_args()
    os.environ["PYTHONIOENCODING"] = "utf-8"
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    demo = Demo(args.build, args.keep)
    if args.stop:
        demo.down()
        shutil.rmtree(f"{HOME}/capture", ignore_errors=True)
        print(f"ended; {HOME} remains to be looked at")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"Commands below: assay stands for {args.build}/assay. Everything is made in ./{HOME}.")
    try:
        return demo.run()
    except BaseException:
        demo.down()
        raise


if __name__ == "__main__":
    sys.exit(main())
