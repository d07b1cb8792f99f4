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
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing is left beside the sources
from kit import GENESIS_DEMO, HOME, Failed, Report, Tools, node_home, read, write  # noqa: E402
from logs import DPKG_LOG, LOGS_GLOBEX, Logs  # noqa: E402

NODES = ["acme-hq", "acme-sub", "globex-hq", "globex-sub", "fin-reg-1", "data-reg-1"]


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
            shutil.rmtree(f"{HOME}/capture", ignore_errors=True)  # plain text of all messages
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
        self.tools.show("genesis", "verify", f"{HOME}/genesis.assay", most=3)
        self.report.check(True, "every founder's signature under the founding document holds (exit status 0)")
        genesis = self.tools.ask("genesis", "show", f"{HOME}/genesis.assay")
        powers = [p for c in genesis["channels"] for p in c["powers"]]
        self.report.check(len(genesis["channels"]) == 3 and not any(p["can_fork"] for p in powers),
                          "in no channel can one organisation alone fork the ledger", powers)
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
        refused = self.tools.ask("ingest", "dead-letters", "--home", node_home("acme-hq"))["refused"]
        self.report.check(refused == [], "no validator has refused any of them", refused)

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
        documents = self.tools.ask("fsck", "--home", home, "--channel", "acme")
        self.report.check(sum(d["faults"] for d in documents) == 0, "fsck finds no fault any more", documents)

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
        self.report.section("The network stays")
        try:
            self.tools.show("network", "up", "--dir", HOME)
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
        out.section("What was measured on this machine")
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
