"""The calls of a chaos run: customers of several kinds, each calling through both ingress instances, carriers that answer, refuse, are
busy or silent; payments by the API. What every caller saw is read from SIPp's logs afterwards."""
import datetime
import glob
import os
import random
import signal
import threading
import time

from procs import StepFailed, free_ports, wait_for
from sip import SippRun

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = os.path.join(HERE, "scenarios")
COMMON = os.path.join(os.path.dirname(HERE), "sip", "scenarios")
PRICE = "0.600000"  # a minute: 10,000 micro-units a second
FINAL_CODES = (400, 402, 403, 404, 408, 480, 481, 482, 483, 484, 486, 487, 488, 500, 501, 502, 503, 504, 600, 603)
REFUSALS = "\n  ".join(
    f'<recv response="{code}" optional="true" next="1"><action><log message="refused {code} [call_id] [timestamp]"/></action></recv>'
    for code in FINAL_CODES)
LONGEST_HOLD_MS = 25_000

# name: balance paid in, fields of customer, trunk and carrier trunk, how its carriers behave, calls a second per ingress, talking time ms,
# and what a call gets when nothing is broken (last; only where that is certain).
KINDS = {
    "large": {"last": 200, "balance": "5000.000000", "carriers": ["answers"], "rate": 3, "hold": (100, 2500)},
    "small": {"balance": "0.500000", "carriers": ["answers"], "rate": 1, "hold": (500, 8000), "paid": True},
    "empty": {"balance": "0.060000", "carriers": ["answers"], "rate": 1, "hold": (4000, 9000), "paid": True},
    "credit": {"balance": None, "carriers": ["answers"], "rate": 1, "hold": (200, 4000), "paid": True,
               "customer": {"billing_type": "postpaid", "credit_line": "3.000000"}},
    "unlimited": {"last": 200, "balance": None, "carriers": ["answers"], "rate": 1, "hold": (3000, LONGEST_HOLD_MS),
                  "customer": {"billing_type": "postpaid", "unlimited": True}},
    "capped": {"last": 200, "balance": "1000.000000", "carriers": ["answers"], "rate": 2, "hold": (300, 3000),
               "trunk": {"max_concurrent_incoming": 3, "max_cps_incoming": 3}, "carrier": {"max_concurrent_outgoing": 3}},
    "hunting": {"last": 200, "balance": "1000.000000", "carriers": ["refuses", "silent", "answers"], "rate": 1, "hold": (200, 2000)},
    "refused": {"last": 486, "balance": "1000.000000", "carriers": ["busy"], "rate": 1, "hold": (200, 300)},
    "unanswered": {"last": 504, "balance": "1000.000000", "carriers": ["silent"], "rate": 1, "hold": (200, 300)},
}
CARRIERS = {
    "answers": (os.path.join(OWN, "carrier_answers.xml"), {"RING_MS": 100}),
    "refuses": (os.path.join(COMMON, "carrier_rejects.xml"), {"CODE": 503, "PHRASE": "Congestion"}),
    "busy": (os.path.join(COMMON, "carrier_rejects.xml"), {"CODE": 486, "PHRASE": "Busy"}),
    "silent": (os.path.join(COMMON, "carrier_is_silent.xml"), {}),
}


class Seen:
    """A call as its caller saw it. Times are Unix seconds; None: did not happen."""

    def __init__(self, ingress, kind):
        self.ingress, self.kind = ingress, kind
        self.placed = self.answered = self.refused = self.bye = self.ended = self.code = None

    @property
    def got_final(self):
        return self.answered or self.refused

    def __str__(self):
        steps = [f"{name} {getattr(self, name):.3f}" for name in ("placed", "answered", "refused", "bye", "ended") if getattr(self, name)]
        return f"{self.kind} through {self.ingress}: {', '.join(steps)}" + (f" with {self.code}" if self.code else "")


def read_log(path):
    """(what happened, code or None, Call-ID, Unix seconds) for each line of a caller's log."""
    with open(path, encoding="ascii", errors="replace") as lines:
        for line in lines:
            words = line.split()
            code = int(words.pop(1)) if words and words[0] == "refused" else None
            if len(words) < 4:
                continue
            when = datetime.datetime.fromisoformat(f"{words[2]}T{words[3]}").timestamp()
            yield words[0], code, words[1], when


class Traffic:
    def __init__(self, stack, world, folder, seed, ingresses):
        self.stack, self.world, self.folder, self.ingresses = stack, world, folder, ingresses
        self.random = random.Random(seed)
        self.customers = {}  # kind: what World.simple returns, of the same members
        self.carriers = {}
        self.callers = []
        self.payments = {}  # idempotency key: (customer, micro-units)
        self.unpaid = set()  # keys whose outcome is not known yet
        self.stopping = threading.Event()
        self.payer = threading.Thread(target=self._pay, daemon=True)

    def configure(self):
        """Customers, trunks, rules and carriers, and waits until they are in force."""
        self.ports = dict(zip(CARRIERS, free_ports(len(CARRIERS))))
        for kind, wanted in KINDS.items():
            self.customers[kind] = self._customer(wanted)

    def _customer(self, wanted):
        first, *others = wanted["carriers"]
        made = self.world.simple(balance=wanted["balance"], price=PRICE, carrier_ports=[self.ports[others[-1] if others else first]],
                                 customer=wanted.get("customer"), carrier=wanted.get("carrier"),
                                 trunk={"max_concurrent_incoming": None, **wanted.get("trunk", {})})
        if others:  # the carriers before the one that answers
            before = [self.world.carrier_trunk(made.vendor, [self.ports[name]]) for name in wanted["carriers"][:-1]]
            targets = [{"trunk_id": trunk, "priority": number + 1} for number, trunk in enumerate([*before, made.carrier])]
            self.world.api.patch(f"/v1/routing-rules/{made.rule}", {"targets": targets})
        return made

    def start(self, seconds):
        """Callers and carriers that stop by themselves after `seconds` and the time a call may last."""
        whole = int(seconds) + 180
        for name, (scenario, values) in CARRIERS.items():
            self.carriers[name] = SippRun(scenario, "127.0.0.1", self.ports[name], calls=0, seconds=whole, folder=self.folder, quiet=True,
                                          values=values).start().listening()
        for kind, wanted in KINDS.items():
            for ingress in self.ingresses:
                self.callers.append(self._caller(kind, wanted, ingress, whole).start())
        self.payer.start()

    def _caller(self, kind, wanted, ingress, whole, calls=0, name="traffic"):
        made = self.customers[kind]
        log = os.path.join(self.folder, f"caller.{kind}.{ingress}.{name}.log")
        least, most = wanted["hold"] if not calls else (500, 1000)
        return SippRun(os.path.join(OWN, "caller.xml"), made.source, free_ports(1)[0], calls=calls, rate=wanted["rate"], seconds=whole,
                       target=f"127.0.0.1:{self.stack.port_of(ingress, 'sip')}", number=made.number, folder=self.folder, quiet=True,
                       values={"REFUSALS": REFUSALS, "HOLD_LEAST": least, "HOLD_MOST": most},
                       extra=["-trace_logs", "-log_file", log, "-recv_timeout", "40000", "-cid_str", f"{kind}-{ingress}-{name}-%u-%p@%s"])

    def _pay(self):
        """Now and then a payment of 0.20 to somebody near his floor; one whose outcome is not known is repeated with its key."""
        number = 0
        payers = [kind for kind, wanted in KINDS.items() if wanted.get("paid")]
        while not self.stopping.wait(self.random.uniform(0.5, 2.0)):
            number += 1
            made = self.customers[self.random.choice(payers)]
            key = f"chaos-{number}"
            self.payments[key] = (made.customer, 200_000)
            self.unpaid.add(key)
            self.repeat_unpaid()

    def repeat_unpaid(self):
        for key in sorted(self.unpaid):
            try:
                self.world.pay(self.payments[key][0], "0.200000", key)
                self.unpaid.discard(key)
            except (AssertionError, OSError, ValueError):
                return

    def stop(self, seconds=90):
        """No new calls; waits until those that are up have ended. What does not end in time is stopped. The carriers stay."""
        self.stopping.set()
        self.payer.join(60)
        for caller in self.callers:
            caller.process.signal(signal.SIGUSR1)
        end = time.monotonic() + seconds
        for caller in self.callers:
            try:
                wait_for(lambda process=caller.process: not process.alive(), max(0.1, end - time.monotonic()), "the callers' last calls")
            except StepFailed:
                caller.stop()

    def probe(self):
        """One call of each kind whose outcome is known, through each ingress, when everything works again: texts of what went wrong."""
        wrong = []
        callers = [self._caller(kind, wanted, ingress, 30, calls=1, name="probe").start()
                   for kind, wanted in KINDS.items() for ingress in self.ingresses if "last" in wanted]
        for caller in callers:
            caller.wait(40)
        for call, seen in self.seen().items():
            if "-probe-" in call and (200 if seen.answered else seen.code) != KINDS[seen.kind]["last"]:
                wrong.append(f"after all faults {call} did not get {KINDS[seen.kind]['last']}; {seen}")
        return wrong

    def end(self):
        for carrier in self.carriers.values():
            carrier.stop()

    def kill(self):
        self.stopping.set()
        for run in [*self.callers, *self.carriers.values()]:
            run.process.kill()

    def seen(self):
        """{Call-ID: Seen} of every call that was placed."""
        calls = {}
        for path in sorted(glob.glob(os.path.join(self.folder, "caller.*.log"))):
            _, kind, ingress, _, _ = os.path.basename(path).split(".")
            for what, code, call, when in read_log(path):
                seen = calls.setdefault(call, Seen(ingress, kind))
                setattr(seen, what, when)
                seen.code = code or seen.code
        return calls
