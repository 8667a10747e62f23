"""Random faults under traffic, then the audit. Run by scripts/chaos; tests/README.md says what a failure leaves."""
import argparse
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(os.path.dirname(TESTS), "scripts", "lib"), os.path.join(TESTS, "sip")]
from procs import StepFailed, free_ports  # noqa: E402
from stack import ROOT, SERVICES, Stack, free_stack_ports, instances_of, service_of  # noqa: E402
from world import World  # noqa: E402
from auditor import Audit  # noqa: E402
from faults import WEIGHTS, Faults, Gate  # noqa: E402
from streams import lost_in_wipes  # noqa: E402
from traffic import Traffic  # noqa: E402

BUILD = os.environ.get("TOLLGATE_BUILD", os.path.join(ROOT, "build", "dev"))
REPLICAS = {service: 1 if service == "admin_api" else 2 for service in SERVICES}
# Short timers, so that minutes hold what otherwise takes hours.
COMMON = {"drain_timeout": "8s"}
SETTINGS = {
    "billing": {**COMMON, "heartbeat": "1s", "lease": "4s", "quantum": "5s", "outage_window": "30s", "hold_grace": "4s",
                "instance_gone_after": "6s", "stream_ack_wait": "5s", "ended_mark": "60s", "audit_interval": "5s"},
    "ingress": {**COMMON, "try_timeout": "700ms", "setup_timeout": "20s", "release_after": "1s"},
    "auth": COMMON, "routing": COMMON, "admin_api": COMMON,
}
SERVERS_OF = {"ingress": ("nats",), "auth": ("nats", "mysql"), "routing": ("nats", "mysql"), "billing": ("nats", "redis", "mysql"),
              "admin_api": ("nats", "mysql")}


class ChaosRun:
    rest_seconds = 90

    def __init__(self, folder, minutes, seed, without):
        self.folder, self.seconds, self.seed = folder, minutes * 60, seed
        links = [(name, server) for name in instances_of(REPLICAS) for server in SERVERS_OF[service_of(name)]]
        gates = dict(zip(links, free_ports(len(links))))
        self.stack = Stack(folder, BUILD, free_stack_ports(REPLICAS), settings=SETTINGS, replicas=REPLICAS, gates=gates)
        self.ingresses = [name for name in self.stack.instances if service_of(name) == "ingress"]
        os.makedirs(self.stack.path("log"), exist_ok=True)
        self.gate = Gate(gates, self.stack.ports, self.stack.path("log", "gate.log"))
        self.faults = Faults(self.stack, self.gate, folder, seed, without)
        self.lost_in_wipes = set()
        self.traffic = None

    def play(self):
        self.stack.write_configuration()
        self.stack.start_servers()
        self.stack.start_services()
        self.api = self.stack.api()
        self.traffic = Traffic(self.stack, World(self.stack), self.folder, self.seed, self.ingresses)
        self.traffic.configure()
        self.traffic.start(self.seconds)
        say(f"seed {self.seed}: faults for {self.seconds:.0f} s; the timeline is {os.path.join(self.folder, 'faults.log')}")
        self.faults.run(self.seconds)
        self.faults.note("quiet")
        self.faults.quiet()
        self.traffic.stop()
        self.traffic.repeat_unpaid()

    def audit(self):
        audit = Audit(self)
        if self.faults.wiped:
            self.lost_in_wipes = lost_in_wipes(self.faults.wiped, self.folder)
            self.faults.note(f"records in wiped streams that nobody had read: {sorted(self.lost_in_wipes)}")
        audit.wait_for_rest(self.rest_seconds)
        for text in self.traffic.probe():
            audit.differ(text)
        self.traffic.end()
        audit.wait_for_rest(self.rest_seconds)
        seen = audit.everything()
        for text in [*self.faults.supervisor.unasked, *self.faults.hung]:
            audit.differ(text)
        return audit, seen

    def close(self):
        if self.traffic:
            self.traffic.kill()
        self.faults.supervisor.retire()
        codes = self.stack.stop(drain_seconds=15)
        self.faults.supervisor.stop()
        self.gate.close()
        return {name: code for name, code in codes.items() if code != 0}


def say(text):
    print(text, flush=True)


def report(run, audit, seen):
    say("faults survived: " + ", ".join(f"{kind} {count}" for kind, count in sorted(run.faults.survived.items()))
        + f"; together {sum(run.faults.survived.values())}")
    answered = sum(1 for call in seen.values() if call.answered)
    refused = sum(1 for call in seen.values() if call.refused)
    codes = {}
    for call in seen.values():
        if call.refused:
            codes[call.code] = codes.get(call.code, 0) + 1
    say(f"calls: {len(seen)} placed, {answered} answered, {refused} refused {dict(sorted(codes.items()))}, "
        f"{len(seen) - answered - refused} without an answer; {len(run.traffic.payments)} payments")
    reasons = run.stack.sql("SELECT reason, COUNT(*) FROM cdrs GROUP BY reason ORDER BY 2 DESC")
    say("CDRs: " + ", ".join(f"{reason} {count}" for reason, count in reasons))
    for what, count in audit.by_design.items():
        say(f"lost by design: {count}: {what}")
    for text in audit.differences:
        say(f"DIFFERENCE: {text}")


def main():
    arguments = argparse.ArgumentParser(prog="scripts/chaos")
    arguments.add_argument("--minutes", type=float, default=3)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    arguments.add_argument("--without", nargs="*", default=[], choices=list(WEIGHTS), help="kinds of faults to leave out")
    options = arguments.parse_args()
    folder = tempfile.mkdtemp(prefix="tollgate-chaos.")
    run, good = None, False
    try:
        run = ChaosRun(folder, options.minutes, options.seed, options.without)
        run.play()
        audit, seen = run.audit()
        report(run, audit, seen)
        good = not audit.differences
    except StepFailed as failure:
        say(f"DIFFERENCE: {failure}")
    finally:
        bad = run.close() if run else {}
        if bad:
            say(f"DIFFERENCE: did not stop with exit code 0: {bad}")
            good = False
        if good:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            say(f"kept: {folder} (log/, faults.log, caller.*.log); seed {options.seed}")
    say("no difference" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
