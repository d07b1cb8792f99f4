#!/usr/bin/env python3
"""make bench: four validators of channel acme on this machine, TLS and sync on, all indexes built.

  bench.py BUILD_DIR [SECONDS]

Founds the demonstration network in a temporary directory, lets acme-hq read logs of about 300 bytes from a file for
SECONDS (default 60), and prints: records/s that are final, CPU a record a node, bytes on disk a record; then, idle, the
latency of a lone record and of 64 clients; and beside them the roofline of the same machine in the same run."""
import json, os, random, shutil, subprocess, sys, tempfile, time

build = os.path.abspath(sys.argv[1])
seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
root = tempfile.mkdtemp(prefix="assay-bench-")
net = root + "/net"
assay = build + "/assay"
hq = net + "/nodes/acme-hq"
VALIDATORS = ["acme-hq", "acme-sub", "fin-reg-1", "data-reg-1"]

INGEST = """
ingest:
  sources:
    - {id: bench, kind: lines, path: logs/bench*.jsonl, server: trade, service: fund-admin, log_kind: other}
  map:
    - {server: trade, log_type: structured, extractors: [bench]}
  extractors:
    - id: bench
      type: json
      actor: {type: kind, name: user}
      time: {at: ts, format: epoch_ms}
      op: path
      note: memo
      status: {field: status, success: ['200'], failure: ['500']}
      objects:
        - {type: =fund, name: fund, role: request}
      custom: {amount: amount, request: request_id, client: client}
"""


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit("bench: %s: exit %d: %s" % (" ".join(args), done.returncode, done.stderr or done.stdout))
    return done.stdout


def logs(count, seed):
    r, t = random.Random(seed), int(time.time() * 1000)
    for _ in range(count):
        yield ('{"ts":%d,"kind":"staff","user":"emp%05d","path":"/api/fund/config","method":"POST","status":"%d",'
               '"fund":"F%06d","amount":"%d.%02d","request_id":"%016x","client":"10.1.%d.%d",'
               '"memo":"changes the limit of a fund","agent":"desk/4.2 (Windows NT 10.0; x64) build %06d"}\n'
               % (t, r.randrange(20000), 500 if r.random() < .02 else 200, r.randrange(300000), r.randrange(10**6),
                  r.randrange(100), r.getrandbits(64), r.randrange(250), r.randrange(250), r.randrange(10**6)))


def entries():
    return json.loads(run(assay, "channel", "show", "acme", "--home", hq, "--json"))["status"]["entries"]


def cpu(node):
    with open(net + "/nodes/" + node + "/pid") as f:
        pid = int(f.read().split()[0])
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def disk(node):
    total = 0
    for folder, _, files in os.walk(net + "/nodes/" + node + "/channels/acme"):
        total += sum(os.stat(os.path.join(folder, f)).st_blocks * 512 for f in files)
    return total


try:
    roof_before = json.loads(run(build + "/bench/roofline", root + "/before", "5"))
    run(assay, "network", "init", "genesis/demo/network.yaml", "--dir", net)
    with open(hq + "/node.yaml", "a") as f:
        f.write(INGEST)
    os.makedirs(hq + "/logs", exist_ok=True)
    run(assay, "network", "up", "--dir", net)
    lone = json.loads(run(build + "/bench/load", "--home", hq, "--count", "300", "--pause", "20"))
    many = json.loads(run(build + "/bench/load", "--home", hq, "--count", "8000", "--clients", "64"))
    # The file is written before the clock starts: the writer's CPU is not the network's.
    with open(root + "/bench.jsonl", "w") as f:
        f.writelines(logs(20000 * seconds, 7))
    before, cpu_before, disk_before = entries(), {n: cpu(n) for n in VALIDATORS}, disk("acme-sub")
    start = time.monotonic()
    os.rename(root + "/bench.jsonl", hq + "/logs/bench1.jsonl")
    time.sleep(seconds)
    after, took = entries(), time.monotonic() - start
    cpu_after = {n: cpu(n) for n in VALIDATORS}
    records = after - before
    os.remove(hq + "/logs/bench1.jsonl")
    roof_after = json.loads(run(build + "/bench/roofline", root + "/after", "5"))
    disk_used = disk("acme-sub") - disk_before
    roof = (roof_before["records_per_second"] + roof_after["records_per_second"]) / 2
    result = {
        "seconds": round(took, 1), "records": records, "records_per_second": round(records / took),
        "cpu_us_a_record": {n: round((cpu_after[n] - cpu_before[n]) * 1e6 / max(records, 1), 1) for n in VALIDATORS},
        "bytes_on_disk_a_record": round(disk_used / max(records, 1)),
        "lone_p50_ms": lone["p50_ms"], "lone_p99_ms": lone["p99_ms"],
        "clients64_records_per_second": many["records_per_second"], "clients64_p50_ms": many["p50_ms"],
        "clients64_p99_ms": many["p99_ms"],
        "roofline_records_per_second": round(roof), "ratio_to_roofline": round(records / took / roof, 3),
    }
    print("4 validators, TLS and sync on, indexes built; one enterprise node reads, the others follow")
    print("  sustained          %8d records/s final over %.0f s (%d records of about 300 bytes)"
          % (result["records_per_second"], took, records))
    print("  roofline           %8d records/s (verify, inflate, hash, append with sync on 4 stores; no network, no "
          "vault, no index)" % roof)
    print("  ratio              %8.3f" % result["ratio_to_roofline"])
    for n in VALIDATORS:
        print("  CPU a record       %8.1f us on %s" % (result["cpu_us_a_record"][n], n))
    print("  disk a record      %8d bytes on acme-sub (blocks, tree, indexes)" % result["bytes_on_disk_a_record"])
    print("  lone record        p50 %.1f ms, p99 %.1f ms until final (300, one at a time, 20 ms apart)"
          % (lone["p50_ms"], lone["p99_ms"]))
    print("  64 clients         %8d records/s, p50 %.1f ms, p99 %.1f ms (each submits one and waits)"
          % (many["records_per_second"], many["p50_ms"], many["p99_ms"]))
    print(json.dumps(result))
finally:
    subprocess.run([assay, "network", "down", "--dir", net], capture_output=True)
    shutil.rmtree(root, ignore_errors=True)
