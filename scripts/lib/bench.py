"""Places calls at rising rates through a fresh Tollgate (release build) and prints what each rate cost. Run by scripts/bench."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from procs import StepFailed, free_ports, wait_for  # noqa: E402
from sip import SippRun  # noqa: E402
from stack import ROOT, Stack, free_stack_ports  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "tests", "sip"))
from world import World  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
DECISION = "tollgate_ingress_decision_seconds"
INVITE_TO_INVITE = "tollgate_ingress_setup_seconds"


def cpu_seconds(process):
    """User and system time of a process so far."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def histogram(text, name):
    """{upper bound: cumulative count} of a Prometheus histogram, over all its labels."""
    buckets = {}
    for line in text.splitlines():
        if line.startswith(name + "_bucket"):
            bound = float(line.split('le="')[1].split('"')[0])
            buckets[bound] = buckets.get(bound, 0) + float(line.rsplit(" ", 1)[1])
    return buckets


def quantile(before, after, share):
    """Milliseconds, interpolated inside the bucket that holds the share of what came between two scrapes."""
    grown = [(bound, after[bound] - before.get(bound, 0)) for bound in sorted(after)]
    if not grown or grown[-1][1] == 0:
        return None
    wanted, low, below = grown[-1][1] * share, 0.0, 0.0
    for bound, count in grown:
        if count >= wanted:
            if bound == float("inf"):
                return low * 1000
            return (low + (bound - low) * (wanted - below) / max(count - below, 1)) * 1000
        low, below = bound, count
    return low * 1000


class Bench:
    def __init__(self, folder):
        self.stack = Stack(folder, os.path.join(ROOT, "build", "release"), free_stack_ports())
        self.folder = folder

    def start(self):
        self.stack.write_configuration()
        self.stack.start_servers()
        self.stack.start_services()
        self.caller_port, carrier_port = free_ports(2)
        self.world = World(self.stack).simple(source="127.0.0.1", balance="100000.000000", carrier_ports=[carrier_port],
                                              trunk={"max_concurrent_incoming": None})

    def cdrs(self):
        return int(self.stack.sql("SELECT COUNT(*) FROM cdrs WHERE reason = 'normal'")[0][0])

    def books(self):
        """Micro-units charged to the one customer, three ways: CDRs, ledger entries, and what left the balance that Redis has."""
        cdrs, entries, paid = (int(cell) for cell in self.stack.sql(
            "SELECT (SELECT COALESCE(SUM(charge_micros), 0) FROM cdrs), "
            "(SELECT COALESCE(-SUM(amount_micros), 0) FROM ledger_entries WHERE kind = 'charge' AND account LIKE 'customer:%'), "
            "(SELECT SUM(amount_micros) FROM ledger_entries WHERE kind = 'payment' AND account LIKE 'customer:%')")[0])
        return cdrs, entries, paid - int(self.stack.redis("HGET", f"{{c{self.world.customer}}}:acct", "posted"))

    def scrape(self):
        text = self.stack.ops("ingress").call("GET", "/metrics").text
        return histogram(text, DECISION), histogram(text, INVITE_TO_INVITE)

    def run(self, rate, seconds, hold_ms):
        calls = rate * seconds
        load = os.path.join(ROOT, "tests", "load")
        carrier = SippRun(f"{load}/carrier.xml", "127.0.0.1", self.world.port, calls=0, seconds=seconds + 120, folder=self.folder,
                          quiet=True).start().listening()
        processes = self.stack.processes
        written, scraped = self.cdrs(), self.scrape()
        spent = {name: cpu_seconds(process) for name, process in processes.items()}
        caller = SippRun(f"{load}/caller.xml", "127.0.0.1", self.caller_port, target=f"127.0.0.1:{self.stack.ports['sip']}",
                         calls=calls, rate=rate, hold_ms=hold_ms, number=self.world.number, seconds=seconds + 60, folder=self.folder,
                         quiet=True)
        caller.start().wait(seconds + 90)
        try:
            wait_for(lambda: self.cdrs() - written >= calls, 30, "CDRs")
        except StepFailed:
            pass
        spent = {name: (cpu_seconds(process) - spent[name]) * 1e6 / calls for name, process in processes.items()}
        now = self.scrape()
        carrier.stop()
        last = caller.statistics()
        result = {"rate": rate, "succeeded": int(last["SuccessfulCall(C)"]), "failed": int(last["FailedCall(C)"]),
                  "resent": int(last["Retransmissions(C)"]), "cdrs": self.cdrs() - written}
        result.update({name: round(value) for name, value in spent.items()})
        result["total"] = round(sum(spent.values()))
        for label, was, is_now in zip(("decision", "in-out"), scraped, now):
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                value = quantile(was, is_now, share)
                result[f"{label} {name}"] = "-" if value is None else f"{value:.2f}"
        return result


def show(rows):
    names = list(rows[0])
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")
    print("CPU columns: us per call, user and system; decision and in-out (INVITE in to INVITE out): ms")


def main():
    arguments = argparse.ArgumentParser(prog="scripts/bench")
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--hold-ms", type=int, default=0)
    arguments.add_argument("--peer", help="a program that takes rates and prints the figures of another switch")
    arguments.add_argument("rates", nargs="*", type=int, default=[100, 300, 500, 700])
    options = arguments.parse_args()
    folder = tempfile.mkdtemp(prefix="tollgate-bench.")
    bench = Bench(folder)
    rows = []
    try:
        bench.start()
        bench.run(50, 2, 0)  # warm up
        for rate in options.rates:
            rows.append(bench.run(rate, options.seconds, options.hold_ms))
            print(f"{rate} calls/s: {rows[-1]}", file=sys.stderr, flush=True)
        show(rows)
        wait_for(lambda: len(set(bench.books())) == 1, 10, f"CDRs, ledger and Redis agree; now {bench.books()}")
        print(f"charged in micro-units, by CDRs, by the ledger, by Redis: {bench.books()}")
    finally:
        bench.stack.stop(5)
        shutil.rmtree(folder, ignore_errors=True)
    if options.peer:
        subprocess.run([options.peer, *map(str, options.rates)], env={**os.environ, "SECONDS_EACH": str(options.seconds)}, check=True)
    return 0 if all(row["failed"] == 0 and row["cdrs"] >= row["succeeded"] for row in rows) else 1


try:
    sys.exit(main())
except StepFailed as failure:
    sys.exit(f"bench: {failure}")
