"""When a service or a store fails: new calls are refused with 503, running calls continue, no record is lost
(REQUIREMENTS 9.4, 9.5, 12.2, 12.3)."""
import signal

from harness import Call, SipCase, main
from procs import wait_for


class Outages(SipCase):
    def works_again(self, w, seconds=20):
        """Waits until a call goes through without intervention."""
        def answered():
            played = self.call(w.number, scenario="caller_takes_any_answer", ip=w.source, hold_ms=0)
            return (played.final() or "").startswith("SIP/2.0 200")

        wait_for(answered, seconds, "calls going through again")

    def unavailable(self, w):
        call = self.refused(w.number, 503, "decision_unavailable", 41, ip=w.source)
        self.assertTrue(Call.header(call.final(), "Retry-After"), call.final())
        return call

    def test_nats_gone_and_back(self):
        # REQUIREMENTS 12.2, 12.3: 503 with Retry-After, the running call continues and is billed, recovery is automatic.
        w = self.world.simple()
        self.carrier(w.port)
        running = self.start_call(w.number, ip=w.source, hold_ms=4000)
        self.wait_live(1, customer=w.customer)
        self.stack.processes["nats"].stop()
        refused = self.unavailable(w)
        self.assertEqual(running.caller.wait(30), 0, running.caller.problem())
        self.stack.processes["nats"].start()
        cdr = self.cdr_of(running, seconds=40)
        self.assertEqual(cdr["reason"], "normal")
        self.assertGreaterEqual(cdr["talked_ms"], 3900)
        self.assertEqual(self.cdr_of(refused, seconds=40)["reason"], "decision_unavailable")
        self.works_again(w)
        self.audit(40)

    def test_billing_gone_and_back(self):
        # ARCHITECTURE "Failure policy": without an answer in time the call is refused, never free.
        w = self.world.simple()
        self.carrier(w.port)
        self.stack.processes["billing"].kill()
        refused = self.unavailable(w)
        self.stack.start_services(["billing"])
        self.works_again(w)
        self.assertEqual(self.cdr_of(refused)["reason"], "decision_unavailable")
        self.audit(40)

    def test_auth_and_routing_gone(self):
        w = self.world.simple()
        self.carrier(w.port)
        for service in ("auth", "routing"):
            self.stack.processes[service].kill()
            self.unavailable(w)
            self.stack.start_services([service])
            self.works_again(w)
        self.audit(40)

    def test_mysql_gone_for_ten_seconds_under_calls(self):
        # REQUIREMENTS 12.2: every call placed meanwhile has its CDR afterwards.
        w = self.world.simple(trunk={"max_concurrent_incoming": None})
        self.carrier(w.port)
        batch = self.start_call(w.number, ip=w.source, hold_ms=500, calls=110, rate=8, quiet=True)
        wait_for(lambda: self.cdr_count(w) > 3, 20, "first CDRs")
        self.stack.processes["mysql"].kill()
        # The server stays away while SIPp places calls for ten seconds.
        done = int(batch.caller.statistics()["SuccessfulCall(C)"])
        wait_for(lambda: int(batch.caller.statistics()["SuccessfulCall(C)"]) >= done + 80, 40, "80 calls without MySQL")
        self.stack.processes["mysql"].start()
        self.assertEqual(batch.caller.wait(60), 0, batch.caller.problem())
        wait_for(lambda: self.cdr_count(w) == 110, 60, "all 110 CDRs")
        self.audit(60)

    def cdr_count(self, w):
        try:
            return int(self.stack.sql(f"SELECT COUNT(*) FROM cdrs WHERE trunk_id = {w.trunk} AND reason = 'normal'")[0][0])
        except Exception:
            return 0

    def test_redis_emptied_is_rebuilt(self):
        # REQUIREMENTS 9.4: Redis can lose its accounts; they are rebuilt from the ledger and the live calls, then calls are accepted.
        w = self.world.simple(price="0.600000")
        self.carrier(w.port)
        running = self.start_call(w.number, ip=w.source, hold_ms=6000)
        self.wait_live(1, customer=w.customer)
        self.stack.redis("FLUSHALL")
        self.works_again(w)
        self.assertEqual(running.caller.wait(30), 0, running.caller.problem())
        self.assertEqual(self.cdr_of(running)["reason"], "normal")
        self.audit(40)

    def test_ingress_killed_in_a_call(self):
        # REQUIREMENTS 9.5: the call is closed for the confirmed time, the hold returned, the CDR says instance_lost.
        w = self.world.simple(price="0.600000")
        self.carrier(w.port)
        running = self.start_call(w.number, ip=w.source, hold_ms=30000)
        self.wait_live(1, customer=w.customer)
        wait_for(lambda: self.stack.sql("SELECT 1") and self.confirmed(w) >= 2, 15, "two seconds confirmed")
        self.stack.processes["ingress"].kill()
        # Silence alone closes nothing while its paid time lasts; the process that takes over the spool says that the old one is gone.
        self.stack.start_services(["ingress"])
        cdr = self.cdr_of(running, seconds=40)
        self.assertEqual(cdr["reason"], "instance_lost")
        self.assertGreaterEqual(cdr["billed_seconds"], 2)
        self.assertEqual(cdr["charge"], f"{0.01 * cdr['billed_seconds']:.6f}")
        running.caller.stop()
        self.works_again(w)
        self.audit(40)

    def confirmed(self, w):
        """Seconds the heartbeat has confirmed for the customer's one call."""
        for key in self.stack.redis("--raw", "KEYS", f"{{c{w.customer}}}:hold:*").split():
            value = self.stack.redis("HGET", key, "confirmed")
            return int(value or 0)
        return 0

    def test_spool_survives_the_ingress(self):
        # REQUIREMENTS 12.3: records made while NATS is down survive a kill of the ingress.
        w = self.world.simple()
        self.carrier(w.port)
        running = self.start_call(w.number, ip=w.source, hold_ms=2500)
        self.wait_live(1, customer=w.customer)
        self.stack.processes["nats"].stop()
        self.assertEqual(running.caller.wait(30), 0, running.caller.problem())
        self.stack.processes["ingress"].signal(signal.SIGKILL)
        self.stack.processes["ingress"].kill()
        self.stack.processes["nats"].start()
        self.stack.start_services(["ingress"])
        cdr = self.cdr_of(running, seconds=40)
        self.assertEqual(cdr["reason"], "normal")
        self.works_again(w)
        self.audit(40)


if __name__ == "__main__":
    main()
