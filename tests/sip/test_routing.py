"""Where a call goes: longest code, catch-all, dialpeers, modes, next trunk, route test (REQUIREMENTS 3.1-3.8, 10.6)."""
from collections import Counter

from harness import SipCase, main
from procs import free_ports, wait_for


class Routing(SipCase):
    def rules(self, *codes, **trunk):
        """A caller whose rules `codes` each go to a carrier of their own; returns (world, {code: carrier trunk})."""
        w = self.world.simple(code=codes[0], **trunk)
        self.world.rate(w.plan, "", "0.010000")
        carriers = {codes[0]: w.carrier}
        self.carrier(w.port)
        for code in codes[1:]:
            port = free_ports(1)[0]
            self.carrier(port)
            carriers[code] = self.world.carrier_trunk(w.vendor, [port])
            self.world.dialpeer(w.customer, w.trunk, self.world.rule(code, [carriers[code]]))
        self.in_force(w, "55" + codes[-1] + "123456", carriers[codes[-1]])
        return w, carriers

    def in_force(self, w, number, carrier):
        def known():
            answer = self.route_test(w, number)
            return [c["trunk_id"] for c in answer.get("candidates", [])][:1] == [carrier]

        wait_for(known, 10, f"route of {number} to trunk {carrier}")

    def route_test(self, w, number):
        return self.api.post("/v1/route-tests", {"trunk_id": w.trunk, "caller": "37477", "called": number})

    def test_longest_code_wins_and_the_empty_code_catches_the_rest(self):
        # REQUIREMENTS 3.3: of 3, 37 and 374 the longest that starts the number wins; the empty code is the catch-all.
        w, carriers = self.rules("3", "37", "374", "")
        for number, code in (("3741234567", "374"), ("3751234567", "37"), ("3911234567", "3"), ("4471234567", "")):
            cdr = self.cdr_of(self.call("55" + number, ip=w.source))
            self.assertEqual((cdr["rule_code"], cdr["carrier_trunk_id"]), (code, carriers[code]), number)
        self.audit()

    def test_no_dialpeer_no_match_and_inactive_dialpeer_are_no_route(self):
        # REQUIREMENTS 3.1, 3.4.
        w = self.world.simple()
        self.world.rate(w.plan, "", "0.010000")
        cdr = self.cdr_of(self.refused("5533123456", 404, "no_route", 3, ip=w.source))
        self.assertEqual((cdr["reason"], cdr["charge"]), ("no_route", "0.000000"))
        self.api.patch(f"/v1/dialpeers/{w.dialpeer}", {"active": False})
        wait_for(lambda: self.route_test(w, w.number).get("reason") == "no_route", 10, "dialpeer inactive")
        self.refused(w.number, 404, "no_route", 3, ip=w.source)
        self.api.delete(f"/v1/dialpeers/{w.dialpeer}")
        self.refused(w.number, 404, "no_route", 3, ip=w.source)
        self.assertEqual(self.api.call("GET", f"/v1/routing-rules/{w.rule}").status, 200, "3.7: the rule stays")
        self.audit()

    def test_rule_without_targets_is_no_route(self):
        # REQUIREMENTS 3.4: a rule with no usable target means no route, even when a shorter rule has one.
        w = self.world.simple()
        empty = self.world.rule("4477", [])
        self.world.dialpeer(w.customer, w.trunk, empty)
        wait_for(lambda: self.route_test(w, w.number).get("reason") == "no_route", 10, "the empty rule in force")
        self.refused(w.number, 404, "no_route", 3, ip=w.source)

    def two_targets(self, mode, first, second):
        """A caller whose rule has two carriers that answer, with these target fields; returns (world, the second carrier trunk)."""
        w = self.world.simple()
        port = free_ports(1)[0]
        other = self.world.carrier_trunk(w.vendor, [port])
        self.carrier(w.port)
        self.carrier(port)
        self.api.patch(f"/v1/routing-rules/{w.rule}", {
            "mode": mode, "targets": [{"trunk_id": w.carrier, **first}, {"trunk_id": other, **second}]})
        wait_for(lambda: len(self.route_test(w, w.number)["candidates"]) == 2, 10, f"{mode} in force")
        return w, other

    def test_percent_shares_calls_by_weight(self):
        # REQUIREMENTS 3.6: of eight calls 75:25 gives six and two.
        w, other = self.two_targets("percent", {"weight": 75}, {"weight": 25})
        taken = Counter(self.cdr_of(self.call(w.number, ip=w.source, hold_ms=0))["carrier_trunk_id"] for _ in range(8))
        self.assertEqual((taken[w.carrier], taken[other]), (6, 2))
        self.audit()

    def test_weight_takes_the_least_loaded(self):
        # REQUIREMENTS 3.6: least loaded first, ties by higher weight.
        w, other = self.two_targets("weight", {"weight": 1}, {"weight": 5})
        calls = []
        for expected_live in (1, 2):
            calls.append(self.start_call(w.number, ip=w.source, hold_ms=4000))
            live = self.wait_live(expected_live, customer=w.customer)
        self.assertEqual({call["carrier_trunk_id"] for call in live}, {w.carrier, other})
        for call in calls:
            self.assertEqual(call.caller.wait(20), 0, call.caller.problem())
        first = self.cdr_of(calls[0])
        self.assertEqual(first["carrier_trunk_id"], other, "the tie goes to the higher weight")
        self.audit()

    def test_priority_goes_round_among_equals(self):
        # REQUIREMENTS 3.6: lower first, round-robin among equals.
        w, other = self.two_targets("priority", {"priority": 0}, {"priority": 0})
        taken = [self.cdr_of(self.call(w.number, ip=w.source, hold_ms=0))["carrier_trunk_id"] for _ in range(4)]
        self.assertEqual(Counter(taken), {w.carrier: 2, other: 2})

    def test_route_test_tells_what_a_call_would_get(self):
        # REQUIREMENTS 10.6: outcome, candidates and trace, without placing the call.
        w = self.world.simple()
        good = self.route_test(w, w.number)
        self.assertEqual(good["candidates"][0]["trunk_id"], w.carrier)
        self.assertLessEqual({"auth", "routing", "billing"}, {step["stage"] for step in good["trace"]})
        bad = self.route_test(w, "5599123456")
        self.assertEqual((bad["reason"], bad["sip_code"]), ("no_route", 404))
        self.assertEqual(self.holds(), [])


if __name__ == "__main__":
    main()
