"""Identification of the caller: sources, CIDRs, tech prefixes, states of trunk and customer (REQUIREMENTS 1.7, 2.2-2.8)."""
from harness import Call, SipCase, main
from procs import wait_for


class Identification(SipCase):
    def test_unknown_source_is_forbidden_and_counted(self):
        # REQUIREMENTS 2.4, 10.1: 403, no CDR, a counted summary.
        call = self.refused("5544770", 403, "unknown_source", 21, ip="127.9.9.9")
        rows = wait_for(lambda: self.stack.sql("SELECT SUM(messages) FROM unknown_sources WHERE address = '127.9.9.9' "
                                               "HAVING SUM(messages) > 0"), 30, "the summary of unknown sources")
        self.assertGreaterEqual(int(rows[0][0]), 1)
        self.assertEqual(self.stack.sql(f"SELECT 1 FROM cdrs WHERE ingress_sip_call_id = '{call.sip_call_id}'"), [])

    def test_inside_and_just_outside_a_cidr(self):
        # REQUIREMENTS 2.3: CIDR sources.
        w = self.world.simple(source="127.20.4.16/29")
        self.carrier(w.port)
        for inside in ("127.20.4.16", "127.20.4.23"):
            self.assertEqual(self.cdr_of(self.call(w.number, ip=inside))["trunk_id"], w.trunk)
        for outside in ("127.20.4.15", "127.20.4.24"):
            self.refused(w.number, 403, "unknown_source", 21, ip=outside)
        self.audit()

    def test_wrong_prefix_on_a_known_source(self):
        # REQUIREMENTS 2.5: 403 before routing and billing run; a + is not part of the comparison.
        w = self.world.simple()
        cdr = self.cdr_of(self.refused("6644770090", 403, "tech_prefix_mismatch", 21, ip=w.source))
        self.assertEqual(cdr["reason"], "tech_prefix_mismatch")
        self.assertFalse({"routing", "billing"} & {step["stage"] for step in cdr["trace"]})
        self.carrier(w.port)
        self.assertEqual(self.cdr_of(self.call("+" + w.number, ip=w.source))["reason"], "normal")
        self.audit()

    def test_two_trunks_on_one_source_by_prefix(self):
        # REQUIREMENTS 2.6: the prefix decides which trunk it is.
        source = self.world.address()
        first = self.world.simple(source=source, prefix="71")
        second = self.world.simple(source=source, prefix="72")
        self.carrier(first.port)
        self.carrier(second.port)
        self.assertEqual(self.cdr_of(self.call(first.number, ip=source))["trunk_id"], first.trunk)
        self.assertEqual(self.cdr_of(self.call(second.number, ip=source))["trunk_id"], second.trunk)
        self.audit()

    def test_api_refuses_what_could_not_be_told_apart(self):
        # REQUIREMENTS 2.6: equal prefixes, a prefix of a prefix, and a peer trunk that overlaps another are refused and named.
        w = self.world.simple(source="127.30.0.0/24", prefix="5")
        for body in ({"tech_prefix": "5"}, {"tech_prefix": "55"}, {"identification": "peer"}):
            answer = self.api.call("POST", "/v1/trunks", {"customer_id": w.customer, "name": "Other", "identification": "prefix",
                                                          "sources": [{"network": "127.30.0.7"}], **body})
            self.assertEqual(answer.status, 409, answer)
            self.assertIn(str(w.trunk), answer.json["detail"])
        self.world.caller_trunk(w.customer, "127.30.0.7", prefix="6")

    def test_nothing_after_the_prefix_is_484(self):
        # REQUIREMENTS 2.5.
        w = self.world.simple()
        cdr = self.cdr_of(self.refused("55", 484, "address_incomplete", 28, ip=w.source))
        self.assertEqual(cdr["trunk_id"], w.trunk)

    def test_blocked_customer_and_disabled_trunk(self):
        # REQUIREMENTS 1.7, 2.8: the next INVITE is refused, calls in progress go on, undoing restores service.
        w = self.world.simple()
        self.carrier(w.port)
        running = self.start_call(w.number, ip=w.source, hold_ms=6000)
        self.wait_live(1, customer=w.customer)
        for path, off, on, reason in ((f"/v1/customers/{w.customer}", "blocked", "active", "customer_blocked"),
                                      (f"/v1/trunks/{w.trunk}", "disabled", "enabled", "trunk_disabled")):
            self.api.patch(path, {"status": off})
            wait_for(lambda: self.route_outcome(w) == reason, 10, f"{reason} in force")
            self.refused(w.number, 403, reason, 21, ip=w.source)
            self.api.patch(path, {"status": on})
            self.world.settled(w)
        self.assertEqual(len(self.live_calls(customer=w.customer)), 1, "the running call went on")
        self.assertEqual(running.caller.wait(20), 0, running.caller.problem())
        self.assertEqual(self.cdr_of(self.call(w.number, ip=w.source))["reason"], "normal")
        self.audit()

    def route_outcome(self, w):
        return self.api.post("/v1/route-tests", {"trunk_id": w.trunk, "caller": "37477", "called": w.number}).get("reason")

    def test_source_list_change_is_in_force_for_the_next_calls(self):
        # REQUIREMENTS 2.4, 3.8: no restart; the next INVITE from the new address is taken, from the old one refused. (That it takes less
        # than a second is measured by the component tests of auth.)
        w = self.world.simple()
        self.carrier(w.port)
        self.cdr_of(self.call(w.number, ip=w.source))
        moved = self.world.address()
        self.api.patch(f"/v1/trunks/{w.trunk}", {"sources": [{"network": moved}]})

        def taken():
            played = self.call(w.number, scenario="caller_takes_any_answer", ip=moved, expect=0)
            return not Call.header(played.final() or "", "Reason")

        wait_for(taken, 10, "the new source in force")
        self.refused(w.number, 403, "unknown_source", 21, ip=w.source)

    def test_match_port(self):
        # REQUIREMENTS 2.3: with match port the source port must be equal.
        source = self.world.address()
        w = self.world.simple(source=source, trunk={"sources": [{"network": source, "port": 5999, "match_port": True}]})
        self.refused(w.number, 403, "unknown_source", 21, ip=source)


if __name__ == "__main__":
    main()
