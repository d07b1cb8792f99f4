"""The logs that the demonstration reads, and what must come out of them."""
import json
import os
import re
import shutil

from kit import GENESIS_DEMO, node_home, read, write

LOGS_IN_ALL = 20000        # records to be read, of all sources together
LOGS_GLOBEX = 3000
DPKG_LOG = "/var/log/dpkg.log"
DPKG_MOST = 8000           # a longer package log is read from its tail

# globex has people of its own, so that nothing of acme's has a reason to lie with it. In the order of people.csv.
GLOBEX_PEOPLE = [
    ("fenggang", "冯刚"), ("jiangmei", "蒋梅"), ("shenbin", "沈斌"), ("hanxue", "韩雪"), ("qinlan", "秦岚"),
    ("xuning", "许宁"), ("hefeng", "何峰"), ("lvliang", "吕亮"), ("shijun", "施俊"), ("kongfan", "孔凡"),
    ("caoying", "曹颖"), ("yanbo", "严博"), ("huaqing", "华清"), ("jinhui", "金辉"), ("weilai", "魏来"),
    ("taoran", "陶然"), ("shangguanyun", "上官云"), ("muronghai", "慕容海"),
]
SURNAMES = str.maketrans("王李张刘陈杨黄赵吴周徐孙马朱胡欧", "冯蒋沈韩秦许何吕施孔曹严华金魏上")


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


def without_dpkg(config):
    return re.sub(r"    - id: dpkg.*?(?=\n  map:)", "", config, flags=re.S)


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
        self.configure("globex-hq", without_dpkg(config))

    def dpkg_source(self, config):
        try:
            with open(DPKG_LOG, "rb") as f:
                lines = f.read().splitlines(keepends=True)
        except OSError:
            lines = []
        if not lines:
            return without_dpkg(config)
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
