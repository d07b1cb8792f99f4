"""What the steps of the demonstration stand on: what the reader sees, and running programs."""
import json
import os
import shlex
import subprocess
import sys
import time

HOME = "demo-home"
GENESIS_DEMO = os.path.dirname(os.path.relpath(__file__))


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
        self.section(f"{number}. {title}")
        for part in why.strip().splitlines():
            self.line("   " + part.strip())

    def section(self, title):
        self.line()
        self.line(self.style("1", title))

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
