"""The base of every SIP test: a whole Tollgate (real servers, real services) for each test file, SIPp on both sides, and the
checks that follow every call: SIP codes and headers, the CDR, the ledger and Redis.

One way to write a test: subclass SipCase, make customers and trunks with `self.world`, play scenarios with `call`, read `cdr_of`.
"""
import os
import shutil
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "scripts", "lib"))
from procs import free_ports, wait_for  # noqa: E402
from sip import SippRun  # noqa: E402
from stack import ROOT, SERVICES, Stack, free_stack_ports  # noqa: E402
from world import World  # noqa: E402

BUILD = os.environ.get("TOLLGATE_BUILD", os.path.join(ROOT, "build", "dev"))
SCENARIOS = os.path.join(HERE, "scenarios")


def quick_settings():
    """Short timers, so that a test of minutes takes seconds; the values a test relies on are named in it."""
    return {
        "billing": {
            "heartbeat": "1s", "lease": "4s", "quantum": "60s",
            "outage_window": "0s",  # a hold of one quantum, whose amount a test can compute
            "hold_grace": "5s", "instance_gone_after": "5s",
        },
    }


class Call:
    """A test call as its caller played it."""

    def __init__(self, caller):
        self.caller = caller

    @property
    def sip_call_id(self):
        return self.header(self.caller.sent()[0], "Call-ID")

    @staticmethod
    def header(message, name):
        for line in message.split("\n"):
            if line.lower().startswith(name.lower() + ":"):
                return line.split(":", 1)[1].strip()
        return None

    def final(self):
        """The final response the caller got to its INVITE, as text."""
        for message in self.caller.received():
            if message.startswith("SIP/2.0 ") and int(message.split()[1]) >= 200 and "INVITE" in (self.header(message, "CSeq") or ""):
                return message
        return None


class SipCase(unittest.TestCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="tollgate-sip.")
        settings = quick_settings()
        for service, values in cls.settings.items():
            settings.setdefault(service, {}).update(values)
        cls.stack = Stack(cls.folder, BUILD, free_stack_ports(), settings=settings)
        cls.addClassCleanup(cls._clean_up)
        cls.stack.write_configuration()
        cls.stack.start_servers()
        cls.stack.start_services()
        cls.api = cls.stack.api()
        cls.world = World(cls.stack)
        cls.failed = False

    @classmethod
    def _clean_up(cls):
        codes = cls.stack.stop(drain_seconds=15)
        # A sanitizer reports a leak or a race by the exit code. -9: the service did not end after SIGTERM and was killed.
        bad = {name: code for name, code in codes.items() if code not in (0, None)}
        for name in bad:
            print(f"--- {name}\n{cls.stack.processes[name].tail(60)}", file=sys.stderr)
        if getattr(cls, "failed", True) and os.environ.get("TOLLGATE_KEEP"):
            print(f"kept: {cls.folder}", file=sys.stderr)
        else:
            shutil.rmtree(cls.folder, ignore_errors=True)
        if bad:
            raise AssertionError(f"services that did not end with exit code 0: {bad}")

    def tearDown(self):
        outcome = self._outcome.result
        broken = any(test is self for test, _ in outcome.failures + outcome.errors)
        if broken:
            type(self).failed = True
            for name in SERVICES:
                print(f"--- {name}\n{self.stack.processes[name].tail(12)}", file=sys.stderr)

    # Playing calls.

    def sipp(self, scenario, ip, port, **options):
        """A SIPp end, started; stopped with the test."""
        run = SippRun(os.path.join(SCENARIOS, scenario + ".xml"), ip, port, folder=self.folder, **options).start()
        self.addCleanup(run.stop)
        return run

    def carrier(self, port, scenario="carrier_answers", ip="127.0.0.1", calls=0, **options):
        """A carrier end that listens on `port`; plays its scenario for every call that comes."""
        return self.sipp(scenario, ip, port, calls=calls, seconds=120, **options).listening()

    def call(self, number, scenario="caller_answered", ip="127.0.0.10", hold_ms=200, expect=0, seconds=30, **options):
        """One call (or `calls`) from `ip`; fails when SIPp's exit code is not `expect`."""
        port = free_ports(1)[0]
        caller = self.sipp(scenario, ip, port, target=f"127.0.0.1:{self.stack.ports['sip']}", number=number, hold_ms=hold_ms,
                           seconds=seconds, **options)
        code = caller.wait(seconds + 30)
        if code != expect:
            self.fail(f"SIPp {scenario} to {number} ended with {code}, not {expect}\n{caller.problem()}\n{caller.log()[-3000:]}")
        return Call(caller)

    def start_call(self, number, scenario="caller_answered", ip="127.0.0.10", hold_ms=5000, seconds=60, **options):
        """As call(), but returns while the call is up."""
        port = free_ports(1)[0]
        return Call(self.sipp(scenario, ip, port, target=f"127.0.0.1:{self.stack.ports['sip']}", number=number, hold_ms=hold_ms,
                              seconds=seconds, **options))

    def refused(self, number, code, reason, cause, ip="127.0.0.10", **options):
        """A call that must be refused with this code and `Reason: Q.850;cause=N;text="reason"` (REQUIREMENTS 7)."""
        call = self.call(number, scenario="caller_refused", ip=ip, values={"CODE": code}, **options)
        header = Call.header(call.final(), "Reason")
        self.assertEqual(header, f'Q.850;cause={cause};text="{reason}"', call.final())
        return call

    # What a call leaves behind.

    def cdr_of(self, call, seconds=20):
        """The CDR (with attempts and trace) of a played call, by its SIP Call-ID."""
        sip_call_id = call if isinstance(call, str) else call.sip_call_id

        def find():
            rows = self.stack.sql(f"SELECT call_id FROM cdrs WHERE ingress_sip_call_id = '{sip_call_id}'")
            return rows[0][0] if rows else None

        return self.api.get(f"/v1/cdrs/{wait_for(find, seconds, f'CDR of {sip_call_id}')}")

    def metric(self, name, service="ingress"):
        """The value of one series, named with its labels as /metrics shows them."""
        for line in self.stack.ops(service).call("GET", "/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        self.fail(f"no metric {name}")

    def live_calls(self, **filters):
        return self.api.get("/v1/calls", **filters)["items"]

    def wait_live(self, count, seconds=15, **filters):
        """Waits until exactly `count` calls are live and returns them."""
        return wait_for(lambda: (lambda calls: (calls or True) if len(calls) == count else None)(self.live_calls(**filters)),
                        seconds, f"{count} live calls")

    def audit(self, seconds=20):
        """Waits until nothing is pending, then checks REQUIREMENTS 9.6: ledger = balances = Redis, CDR charges = charge entries, no hold or
        slot left."""
        def at_rest():
            return not self.live_calls() and not self.holds()

        wait_for(at_rest, seconds, f"all holds closed; left: {self.holds()}, live: {self.live_calls()}")
        unbalanced = self.stack.sql("SELECT transfer_id, SUM(amount_micros) s FROM ledger_entries GROUP BY transfer_id HAVING s <> 0")
        self.assertEqual(unbalanced, [], "every transfer's lines sum to zero")
        wrong = self.stack.sql("SELECT a.account, a.balance_micros, COALESCE(SUM(e.amount_micros), 0) s FROM accounts a "
                               "LEFT JOIN ledger_entries e ON e.account = a.account GROUP BY a.account, a.balance_micros "
                               "HAVING s <> a.balance_micros")
        self.assertEqual(wrong, [], "sum of the ledger = balance")
        charges = self.stack.sql("SELECT COALESCE((SELECT SUM(charge_micros) FROM cdrs), 0), COALESCE((SELECT -SUM(amount_micros) "
                                 "FROM ledger_entries WHERE kind = 'charge' AND account LIKE 'customer:%'), 0)")[0]
        self.assertEqual(charges[0], charges[1], "sum of CDR charges = sum of charge entries")
        for account, balance in self.stack.sql("SELECT account, balance_micros FROM accounts WHERE account LIKE 'customer:%'"):
            customer = account.split(":")[1]

            def posted(key=customer):
                return self.stack.redis("HGET", f"{{c{key}}}:acct", "posted")

            wait_for(lambda value=balance, read=posted: read() == value, 5, f"Redis posted {posted()} = balance {balance} of {account}")

    def holds(self):
        """Members left in the hold and slot sets of Redis. A slot whose lease is over is free, and goes with the next call of its trunk."""
        left = []
        for pattern in ("{c*}:holds", "{c*}:in:*", "{c*}:out:*"):
            for key in self.stack.redis("--raw", "KEYS", pattern).split():
                if self.stack.redis("TYPE", key).endswith("zset"):
                    least = "-inf" if key.endswith(":holds") else f"({int(time.time() * 1000)}"
                    left += [f"{key} {member}" for member in self.stack.redis("--raw", "ZRANGEBYSCORE", key, least, "+inf").split()]
        return left


def main():
    unittest.main(module="__main__", verbosity=2)
