"""Hunting over endpoints, trunks and next trunks; what stops it; which code the caller gets (REQUIREMENTS 2.15, 5)."""
from harness import Call, SipCase, main
from procs import free_ports, wait_for


class Hunting(SipCase):
    def two_carriers(self, **first):
        """A caller with two carriers in priority order; the second answers."""
        w = self.world.simple(carrier=first)
        w.second_port = free_ports(1)[0]
        w.second = self.world.carrier_trunk(w.vendor, [w.second_port])
        self.api.patch(f"/v1/routing-rules/{w.rule}", {
            "targets": [{"trunk_id": w.carrier, "priority": 0}, {"trunk_id": w.second, "priority": 1}]})
        self.candidates(w, 2)
        return w

    def candidates(self, w, count):
        wait_for(lambda: len(self.api.post("/v1/route-tests", {"trunk_id": w.trunk, "caller": "1", "called": w.number})["candidates"])
                 == count, 10, f"{count} candidates in force")

    def rejecting(self, port, code, phrase):
        return self.carrier(port, "carrier_rejects", values={"CODE": code, "PHRASE": phrase})

    def test_busy_stops_the_hunt(self):
        # REQUIREMENTS 5.2: 486 is final; the second carrier is never asked; the caller gets 486.
        w = self.two_carriers()
        self.rejecting(w.port, 486, "Busy Here")
        second = self.carrier(w.second_port)
        call = self.call(w.number, scenario="caller_refused", ip=w.source, values={"CODE": 486})
        self.assertIn("cause=17", Call.header(call.final(), "Reason"))
        cdr = self.cdr_of(call)
        self.assertEqual((cdr["reason"], cdr["final_code"], cdr["charge"]), ("carrier_rejected", 486, "0.000000"))
        self.assertEqual([attempt["final_code"] for attempt in cdr["attempts"]], [486])
        self.assertEqual(second.received(), [])
        self.audit()

    def test_503_goes_to_the_next_target(self):
        # REQUIREMENTS 5.1, 5.2, 5.5.
        w = self.two_carriers()
        self.rejecting(w.port, 503, "Service Unavailable")
        self.carrier(w.second_port)
        cdr = self.cdr_of(self.call(w.number, ip=w.source))
        self.assertEqual(cdr["carrier_trunk_id"], w.second)
        self.assertEqual([(a["trunk_id"], a["final_code"]) for a in cdr["attempts"]], [(w.carrier, 503), (w.second, 200)])
        self.assertEqual(cdr["attempts"][0]["ended_because"], "rejected")
        self.audit()

    def test_silence_goes_to_the_next_target(self):
        # REQUIREMENTS 5.2: no response within the try timeout.
        w = self.two_carriers(try_timeout_ms=700)
        self.carrier(w.port, "carrier_is_silent")
        self.carrier(w.second_port)
        cdr = self.cdr_of(self.call(w.number, ip=w.source))
        self.assertEqual(cdr["carrier_trunk_id"], w.second)
        self.assertEqual(cdr["attempts"][0]["ended_because"], "no_response")
        self.audit()

    def test_closed_port_goes_to_the_next_endpoint(self):
        # REQUIREMENTS 5.1: endpoints within a trunk first; a transport error goes to the next endpoint without waiting.
        closed, open_port = free_ports(2)
        w = self.world.simple(carrier_ports=[closed, open_port])
        self.carrier(open_port)
        cdr = self.cdr_of(self.call(w.number, ip=w.source))
        self.assertEqual([a["ended_because"] for a in cdr["attempts"]], ["transport_error", "answered"])
        self.assertEqual(cdr["endpoint"], f"127.0.0.1:{open_port}")
        self.audit()

    def test_next_trunk_takes_over_after_the_rule(self):
        # REQUIREMENTS 2.15: the next trunk on failure, with its own limits.
        w = self.world.simple()
        port = free_ports(1)[0]
        following = self.world.carrier_trunk(w.vendor, [port], name="Next")
        self.api.patch(f"/v1/trunks/{w.carrier}", {"next_trunk_id": following})
        self.candidates(w, 2)
        self.rejecting(w.port, 500, "Server Internal Error")
        self.carrier(port)
        cdr = self.cdr_of(self.call(w.number, ip=w.source))
        self.assertEqual(cdr["carrier_trunk_id"], following)
        answer = self.api.call("PATCH", f"/v1/trunks/{following}", {"next_trunk_id": w.carrier})
        self.assertEqual(answer.status, 409, "a cycle is refused")
        self.audit()

    def test_all_fail_gives_the_last_carriers_code(self):
        # REQUIREMENTS 5.4.
        w = self.two_carriers()
        self.rejecting(w.port, 503, "Service Unavailable")
        self.rejecting(w.second_port, 480, "Temporarily Unavailable")
        call = self.call(w.number, scenario="caller_refused", ip=w.source, values={"CODE": 480})
        self.assertTrue(Call.header(call.final(), "Reason").startswith("Q.850;cause="))
        self.assertEqual([a["final_code"] for a in self.cdr_of(call)["attempts"]], [503, 480])
        self.audit()

    def test_all_silent_is_504(self):
        # REQUIREMENTS 5.4, 7: target_timeout.
        w = self.world.simple(carrier={"try_timeout_ms": 500})
        self.carrier(w.port, "carrier_is_silent")
        self.cdr_of(self.refused(w.number, 504, "target_timeout", 102, ip=w.source))
        self.audit()

    def test_ringing_timeout_ends_the_hunt(self):
        # REQUIREMENTS 5.3.
        w = self.world.simple(carrier={"ringing_timeout_seconds": 1})
        carrier = self.carrier(w.port, "carrier_rings_until_cancelled", calls=1)
        call = self.call(w.number, scenario="caller_refused", ip=w.source, values={"CODE": 480})
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        cdr = self.cdr_of(call)
        self.assertEqual((cdr["reason"], cdr["attempts"][0]["ended_because"]), ("setup_timeout", "ringing_timeout"))
        self.audit()


if __name__ == "__main__":
    main()
