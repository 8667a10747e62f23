"""What operators do to calls: watch, hang up, drain, read events (REQUIREMENTS 6.8, 6.9, 10.2-10.4, 12.1)."""
import signal

from harness import Call, SipCase, main
from bus_watch import BusWatch, decode_call_event
from procs import wait_for
from stack import ROOT, SERVICES


class Operator(SipCase):
    def test_live_call_is_seen_and_hung_up(self):
        # REQUIREMENTS 6.8, 10.4: both sides get BYE; the CDR says who did it.
        w = self.world.simple()
        carrier = self.carrier(w.port, calls=1)
        call = self.start_call(w.number, scenario="caller_is_hung_up", ip=w.source)
        live = wait_for(lambda: next((c for c in self.live_calls(customer=w.customer) if c["phase"] == "talking"), None), 15, "a live call")
        self.assertEqual((live["trunk_id"], live["carrier_trunk_id"]), (w.trunk, w.carrier))
        self.assertEqual(self.live_calls(customer=w.vendor), [])
        self.api.delete(f"/v1/calls/{live['call_id']}")
        self.assertEqual(call.caller.wait(10), 0, call.caller.problem())
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        cdr = self.cdr_of(call)
        self.assertEqual((cdr["reason"], cdr["ended_by"], cdr["ended_by_user"]), ("hangup_by_operator", "operator", "admin"))
        self.assertIn("hangup_by_operator", [m for m in call.caller.received() if m.startswith("BYE")][0])
        self.audit()

    def test_events_of_a_call_on_the_bus(self):
        # REQUIREMENTS 10.2: the documented subjects, readable by the read-only user; nothing dialled in a subject.
        w = self.world.simple()
        self.carrier(w.port)
        watch = BusWatch(self.stack.ports["nats"], "dashboard", self.stack.secret("nats_dashboard"))
        self.addCleanup(watch.close)
        cdr = self.cdr_of(self.call(w.number, ip=w.source))
        wanted = ["started", "routed", "attempted", "ringing", "answered", "ended"]
        subjects = [f"tg.evt.call.v1.{verb}.{w.trunk}" for verb in wanted]
        wait_for(lambda: set(subjects) <= {subject for subject, _ in watch.events}, 5, "all events of the call")
        ended = decode_call_event(ROOT, *[event for event in watch.events if event[0] == subjects[-1]][0])
        self.assertIn(cdr["call_id"], ended)
        self.assertIn("reason: REASON_NORMAL", ended)
        self.assertFalse([subject for subject, _ in watch.events if w.number[2:] in subject])

    def test_config_change_is_an_event(self):
        # REQUIREMENTS 10.2.
        watch = BusWatch(self.stack.ports["nats"], "dashboard", self.stack.secret("nats_dashboard"))
        self.addCleanup(watch.close)
        self.world.customer(None)
        wait_for(lambda: any(subject == "tg.evt.config.v1.changed.customer" for subject, _ in watch.events), 5, "config.changed")

    def test_health_readiness_and_metrics(self):
        # REQUIREMENTS 12.1.
        for service in SERVICES:
            ops = self.stack.ops(service)
            self.assertEqual(ops.call("GET", "/healthz").status, 200, service)
            self.assertEqual(ops.call("GET", "/readyz").status, 200, service)
            self.assertIn(f"tollgate_{service}_", ops.call("GET", "/metrics").text, service)


class Drain(SipCase):
    def test_drain_refuses_new_calls_and_keeps_the_running_one(self):
        # REQUIREMENTS 6.9: 503 with Retry-After, the call goes on, the process exits when it ends.
        w = self.world.simple()
        self.carrier(w.port)
        running = self.start_call(w.number, ip=w.source, hold_ms=4000)
        self.wait_live(1, customer=w.customer)
        ingress = self.stack.processes["ingress"]
        ingress.signal(signal.SIGTERM)
        wait_for(lambda: self.stack.ops("ingress").call("GET", "/readyz").status == 503, 3, "draining")
        refused = self.refused(w.number, 503, "draining", 42, ip=w.source)
        self.assertTrue(Call.header(refused.final(), "Retry-After"))
        self.assertTrue(ingress.alive())
        self.assertEqual(running.caller.wait(20), 0, running.caller.problem())
        self.assertEqual(ingress.child.wait(15), 0)
        self.assertEqual(self.cdr_of(running)["reason"], "normal")
        self.assertEqual(self.cdr_of(refused)["reason"], "draining")
        self.stack.start_services(["ingress"])
        self.audit()


if __name__ == "__main__":
    main()
