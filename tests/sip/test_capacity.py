"""Capacity: concurrent caps, caps of 0, calls per second, slots that are freed again (REQUIREMENTS 2.1, 5.1, 9.5)."""
from harness import SipCase, main
from procs import free_ports, wait_for


class Capacity(SipCase):
    def test_eleventh_call_on_a_default_trunk_and_the_slot_free_again_after_bye(self):
        # REQUIREMENTS 2.1: max concurrent incoming 10 by default; REQUIREMENTS 7 concurrent_limit.
        w = self.world.simple()
        self.carrier(w.port)
        ten = self.start_call(w.number, ip=w.source, hold_ms=6000, calls=10, rate=50)
        self.wait_live(10, customer=w.customer)
        cdr = self.cdr_of(self.refused(w.number, 503, "concurrent_limit", 34, ip=w.source))
        self.assertEqual(cdr["reason"], "concurrent_limit")
        self.assertEqual(ten.caller.wait(30), 0, ten.caller.problem())
        self.assertEqual(self.cdr_of(self.call(w.number, ip=w.source))["reason"], "normal")
        self.audit()

    def one_slot(self):
        return self.world.simple(trunk={"max_concurrent_incoming": 1})

    def slot_is_free(self, w):
        wait_for(lambda: not [hold for hold in self.holds() if f":in:{w.trunk} " in hold], 5, "the slot free")

    def test_slot_is_free_again_after_cancel(self):
        w = self.one_slot()
        carrier = self.carrier(w.port, "carrier_rings_until_cancelled", calls=1)
        self.cdr_of(self.call(w.number, scenario="caller_cancels_while_ringing", ip=w.source))
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        self.slot_is_free(w)
        self.carrier(w.port)
        self.assertEqual(self.cdr_of(self.call(w.number, ip=w.source))["reason"], "normal")
        self.audit()

    def test_slot_is_free_again_after_failure(self):
        w = self.one_slot()
        carrier = self.carrier(w.port, "carrier_rejects", values={"CODE": 486, "PHRASE": "Busy Here"}, calls=1)
        self.call(w.number, scenario="caller_refused", ip=w.source, values={"CODE": 486})
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        self.slot_is_free(w)
        self.carrier(w.port)
        self.assertEqual(self.cdr_of(self.call(w.number, ip=w.source))["reason"], "normal")
        self.audit()

    def test_incoming_cap_of_zero_is_off(self):
        # REQUIREMENTS 2.1: 0 = that direction is off.
        w = self.world.simple()
        self.api.patch(f"/v1/trunks/{w.trunk}", {"max_concurrent_incoming": 0})
        wait_for(lambda: self.outcome(w) == "concurrent_limit", 10, "the cap in force")
        self.refused(w.number, 503, "concurrent_limit", 34, ip=w.source)

    def outcome(self, w):
        return self.api.post("/v1/route-tests", {"trunk_id": w.trunk, "caller": "1", "called": w.number}).get("reason")

    def test_outgoing_cap_of_zero_is_no_usable_target(self):
        # REQUIREMENTS 2.1, 3.4: a trunk with the outgoing direction off is no usable target.
        w = self.world.simple()
        self.api.patch(f"/v1/trunks/{w.carrier}", {"max_concurrent_outgoing": 0})
        wait_for(lambda: self.outcome(w) == "no_route", 10, "the cap in force")
        self.refused(w.number, 404, "no_route", 3, ip=w.source)

    def test_busy_egress_trunk_is_skipped(self):
        # REQUIREMENTS 5.1: a full egress trunk is skipped, recorded with the reason, and the next one takes the call.
        w = self.world.simple(carrier={"max_concurrent_outgoing": 1})
        port = free_ports(1)[0]
        other = self.world.carrier_trunk(w.vendor, [port])
        self.carrier(w.port)
        self.carrier(port)
        self.api.patch(f"/v1/routing-rules/{w.rule}", {
            "targets": [{"trunk_id": w.carrier, "priority": 0}, {"trunk_id": other, "priority": 1}]})
        wait_for(lambda: len(self.api.post("/v1/route-tests", {"trunk_id": w.trunk, "caller": "1", "called": w.number})["candidates"]) == 2,
                 10, "two targets in force")
        first = self.start_call(w.number, ip=w.source, hold_ms=4000)
        self.wait_live(1, customer=w.customer)
        second = self.cdr_of(self.call(w.number, ip=w.source))
        self.assertEqual(second["carrier_trunk_id"], other)
        skipped = [attempt for attempt in second["attempts"] if attempt["trunk_id"] == w.carrier]
        self.assertEqual(skipped[0]["skipped"], "concurrent_limit", second["attempts"])
        self.assertEqual(first.caller.wait(20), 0, first.caller.problem())
        self.assertEqual(self.cdr_of(first)["carrier_trunk_id"], w.carrier)
        self.audit()

    def test_all_egress_trunks_busy_is_no_target_available(self):
        w = self.world.simple(carrier={"max_concurrent_outgoing": 1})
        self.carrier(w.port)
        first = self.start_call(w.number, ip=w.source, hold_ms=3000)
        self.wait_live(1, customer=w.customer)
        self.refused(w.number, 503, "no_target_available", 34, ip=w.source)
        self.assertEqual(first.caller.wait(20), 0, first.caller.problem())
        self.audit()

    def test_calls_per_second(self):
        # REQUIREMENTS 2.1: of ten simultaneous calls with a limit of 2 per second most are refused with cps_limit.
        w = self.world.simple(trunk={"max_cps_incoming": 2, "max_concurrent_incoming": None})
        self.carrier(w.port)
        self.call(w.number, scenario="caller_takes_any_answer", ip=w.source, calls=10, rate=200)
        wait_for(lambda: self.reasons(w)[0] == 10, 20, "ten CDRs")
        total, normal, limited = self.reasons(w)
        self.assertEqual(normal + limited, total)
        self.assertTrue(2 <= normal <= 4, f"{normal} calls passed")
        self.audit()

    def reasons(self, w):
        row = self.stack.sql(f"SELECT COUNT(*), COALESCE(SUM(reason = 'normal'), 0), COALESCE(SUM(reason = 'cps_limit'), 0) "
                             f"FROM cdrs WHERE trunk_id = {w.trunk}")[0]
        return tuple(int(cell) for cell in row)


if __name__ == "__main__":
    main()
