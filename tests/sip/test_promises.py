"""Outages hang up nobody who can pay, and what was promised is kept (REQUIREMENTS 9.1, 9.2, 9.5)."""
import signal
import time

from harness import SipCase, main
from procs import wait_for

QUANTUM_SECONDS = 4
REFUSED_EXTENSIONS = 'tollgate_billing_requests_total{outcome="refused",verb="extend"}'


class Promises(SipCase):
    settings = {
        "billing": {
            "quantum": f"{QUANTUM_SECONDS}s", "heartbeat": "1s", "lease": "3s",
            "outage_window": "60s", "hold_grace": "5s", "instance_gone_after": "5s",
        },
    }

    def talk_through(self, w, server, hold_seconds):
        """A call during which the server is away for longer than a quantum; it is back before the call ends."""
        self.carrier(w.port)
        running = self.start_call(w.number, ip=w.source, hold_ms=hold_seconds * 1000)
        self.wait_live(1, customer=w.customer)
        process = self.stack.processes[server]
        process.signal(signal.SIGSTOP)
        try:
            time.sleep(QUANTUM_SECONDS * 2)
        finally:
            process.signal(signal.SIGCONT)
        self.assertEqual(running.caller.wait(40), 0, running.caller.problem())
        cdr = self.cdr_of(running, seconds=40)
        self.assertEqual(cdr["reason"], "normal")
        self.assertGreaterEqual(cdr["talked_ms"], (hold_seconds - 1) * 1000)
        self.audit(40)

    def test_billing_away_for_longer_than_the_quantum(self):
        self.talk_through(self.world.simple(balance="1000.000000", price="0.600000"), "billing", 12)

    def test_redis_away_for_longer_than_the_quantum(self):
        self.talk_through(self.world.simple(balance="1000.000000", price="0.600000"), "redis", 12)

    def test_nats_away_for_longer_than_the_quantum(self):
        self.talk_through(self.world.simple(balance="1000.000000", price="0.600000"), "nats", 12)

    def test_an_unlimited_customer(self):
        unlimited = {"billing_type": "postpaid", "unlimited": True}
        self.talk_through(self.world.simple(balance=None, price="0.600000", customer=unlimited), "billing", 12)

    def test_near_the_floor_the_reason_says_that_nobody_could_answer(self):
        # 0.08 USD at 0.60 a minute pays 8 seconds: a quantum, and a share of nothing. Billing is away when more is asked for.
        w = self.world.simple(balance="0.080000", price="0.600000")
        self.carrier(w.port, calls=1)
        running = self.start_call(w.number, scenario="caller_is_hung_up", ip=w.source)
        self.wait_live(1, customer=w.customer)
        billing = self.stack.processes["billing"]
        billing.signal(signal.SIGSTOP)
        try:
            self.assertEqual(running.caller.wait(20), 0, running.caller.problem())
        finally:
            billing.signal(signal.SIGCONT)
        cdr = self.cdr_of(running, seconds=40)
        self.assertEqual((cdr["reason"], cdr["ended_by"]), ("decision_unavailable", "tollgate"))
        self.assertLessEqual(cdr["billed_seconds"], 8)
        self.audit(40)

    def test_a_payment_in_mid_call_saves_the_call(self):
        w = self.world.simple(balance="0.060000", price="0.600000")
        self.carrier(w.port)
        running = self.start_call(w.number, ip=w.source, hold_ms=12000)
        wait_for(lambda: self.metric(REFUSED_EXTENSIONS, "billing") > 0, 10, "a refused extension")
        self.world.pay(w.customer, "5.000000")
        self.assertEqual(running.caller.wait(30), 0, running.caller.problem())
        cdr = self.cdr_of(running)
        self.assertEqual(cdr["reason"], "normal")
        self.assertGreaterEqual(cdr["talked_ms"], 11000)
        self.audit()

    def test_a_frozen_ingress_keeps_its_call_and_its_hold(self):
        # Frozen for longer than the lease and than an instance may be silent; all its money is held, so nobody else spends it.
        w = self.world.simple(balance="0.400000", price="0.600000")  # 40 seconds
        self.carrier(w.port)
        running = self.start_call(w.number, scenario="caller_is_hung_up", ip=w.source)
        self.wait_live(1, customer=w.customer)
        held = self.stack.redis("HGET", f"{{c{w.customer}}}:acct", "held")
        ingress = self.stack.processes["ingress"]
        ingress.signal(signal.SIGSTOP)
        try:
            time.sleep(9)
            self.assertEqual(self.stack.redis("HGET", f"{{c{w.customer}}}:acct", "held"), held)
            self.assertEqual(self.api.get(f"/v1/cdrs?customer={w.customer}")["items"], [])
        finally:
            ingress.signal(signal.SIGCONT)
        self.assertEqual(running.caller.wait(40), 0, running.caller.problem())
        # Nobody could extend its paid time while it was frozen, so it ends when that is over.
        cdr = self.cdr_of(running, seconds=40)
        self.assertEqual(cdr["reason"], "decision_unavailable")
        self.assertLessEqual(cdr["billed_seconds"], 9)
        self.audit(40)


if __name__ == "__main__":
    main()
