"""Paying for calls: prepaid, postpaid, overdraft, money that runs out during a call, no rate (REQUIREMENTS 1.2, 1.3, 8, 9)."""
from harness import SipCase, main
from procs import wait_for


class Money(SipCase):
    def test_prepaid_at_zero_is_402_and_a_payment_restores_service(self):
        # REQUIREMENTS 1.2, 1.8.
        broke = self.world.simple(balance=None, outcome="no_credit")
        cdr = self.cdr_of(self.refused(broke.number, 402, "no_credit", 21, ip=broke.source))
        self.assertEqual((cdr["reason"], cdr["charge"]), ("no_credit", "0.000000"))
        self.world.pay(broke.customer, "5.000000")
        self.carrier(broke.port)
        self.assertEqual(self.cdr_of(self.call(broke.number, ip=broke.source))["reason"], "normal")
        self.audit()

    def test_prepaid_with_exactly_zero_refuses_even_free_calls(self):
        # REQUIREMENTS 1.2: 0 is refused.
        w = self.world.simple(balance="1.000000", price="0.000000")
        self.api.post(f"/v1/customers/{w.customer}/payments", {"kind": "adjustment", "amount": "-1.000000", "reference": "empty it"},
                      {"Idempotency-Key": "empty"})
        self.refused(w.number, 402, "no_credit", 21, ip=w.source)

    def test_same_idempotency_key_is_one_movement(self):
        # REQUIREMENTS 1.8.
        customer = self.world.customer(None)
        for _ in range(2):
            self.world.pay(customer, "7.500000", key="once")
        # A new customer reaches billing's configuration within a second (REQUIREMENTS 3.8).
        wait_for(lambda: self.api.call("GET", f"/v1/customers/{customer}/balance").status == 200, 10, "billing knows the customer")
        self.assertEqual(self.api.get(f"/v1/customers/{customer}/balance")["balance"], "7.500000")
        self.audit()

    def test_prepaid_runs_out_at_the_paid_second(self):
        # REQUIREMENTS 9.2: 0.06 USD at 1.20 a minute pays three seconds; BYE to both sides then, charge = balance.
        w = self.world.simple(balance="0.060000", price="1.200000")
        carrier = self.carrier(w.port, calls=1)
        call = self.call(w.number, scenario="caller_is_hung_up", ip=w.source)
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        bye = [m for m in call.caller.received() if m.startswith("BYE")][0]
        self.assertIn('Q.850;cause=16;text="credit_exhausted"', bye)
        self.assertIn("credit_exhausted", [m for m in carrier.received() if m.startswith("BYE")][0])
        cdr = self.cdr_of(call)
        self.assertEqual((cdr["reason"], cdr["ended_by"]), ("credit_exhausted", "tollgate"))
        self.assertEqual((cdr["talked_ms"], cdr["billed_seconds"], cdr["charge"]), (3000, 3, "0.060000"))
        self.assertEqual(self.api.get(f"/v1/customers/{w.customer}/balance")["balance"], "0.000000")
        self.audit()

    def test_calls_together_never_spend_more_than_the_balance(self):
        # REQUIREMENTS 9.2: the second call gets only what the first left.
        w = self.world.simple(balance="0.100000", price="1.200000")
        self.carrier(w.port)
        calls = [self.start_call(w.number, scenario="caller_is_hung_up", ip=w.source) for _ in range(1)]
        self.wait_live(1, customer=w.customer)
        self.refused(w.number, 402, "no_credit", 21, ip=w.source)
        for call in calls:
            self.assertEqual(call.caller.wait(30), 0, call.caller.problem())
            self.assertEqual(self.cdr_of(call)["charge"], "0.100000")
        self.audit()
        self.assertEqual(self.api.get(f"/v1/customers/{w.customer}/balance")["balance"], "0.000000")

    def test_the_hold_is_extended_before_it_runs_out(self):
        # REQUIREMENTS 9.2: a call longer than its first hold goes on when there is money.
        w = self.world.simple(price="0.600000", trunk={"name": "long"})
        self.carrier(w.port)
        call = self.start_call(w.number, ip=w.source, hold_ms=int(self.quantum * 1000 * 1.5))
        first = self.wait_live(1, customer=w.customer)[0]["paid_seconds"]
        wait_for(lambda: (self.live_calls(customer=w.customer) or [{"paid_seconds": 0}])[0]["paid_seconds"] > first,
                 self.quantum + 5, "the hold extended")
        self.assertEqual(call.caller.wait(60), 0, call.caller.problem())
        cdr = self.cdr_of(call)
        self.assertGreater(cdr["talked_ms"], self.quantum * 1000)
        self.assertEqual(cdr["reason"], "normal")
        self.audit()

    def postpaid(self, outcome=None, **terms):
        return self.world.simple(balance=None, price="1.200000", customer={"billing_type": "postpaid", **terms}, outcome=outcome)

    def test_postpaid_talks_to_its_line(self):
        # REQUIREMENTS 1.3: the floor is -(credit line).
        w = self.postpaid(credit_line="0.040000")
        self.carrier(w.port)
        cdr = self.cdr_of(self.call(w.number, scenario="caller_is_hung_up", ip=w.source))
        self.assertEqual((cdr["reason"], cdr["charge"]), ("credit_exhausted", "0.040000"))
        self.refused(w.number, 402, "no_credit", 21, ip=w.source)
        self.audit()

    def test_overdraft_counts_only_when_allowed(self):
        # REQUIREMENTS 1.3: -(credit line + overdraft limit) when allowed.
        w = self.postpaid("no_credit", credit_line="0.000000", overdraft_allowed=False, overdraft_limit="0.040000")
        self.refused(w.number, 402, "no_credit", 21, ip=w.source)
        self.api.patch(f"/v1/customers/{w.customer}", {"overdraft_allowed": True})
        self.world.settled(w)
        self.carrier(w.port)
        cdr = self.cdr_of(self.call(w.number, scenario="caller_is_hung_up", ip=w.source))
        self.assertEqual(cdr["charge"], "0.040000")
        self.audit()

    def test_unlimited_has_no_floor(self):
        # REQUIREMENTS 1.3.
        w = self.postpaid(credit_line="0.000000", unlimited=True)
        self.carrier(w.port)
        cdr = self.cdr_of(self.call(w.number, ip=w.source, hold_ms=1500))
        self.assertEqual((cdr["reason"], cdr["charge"]), ("normal", "0.040000"))
        self.assertEqual(self.api.get(f"/v1/customers/{w.customer}/balance")["balance"], "-0.040000")
        self.audit()

    def test_no_rate_is_404(self):
        # REQUIREMENTS 7: no_rate: there is a route but no price.
        w = self.world.simple()
        rule = self.world.rule("33", [w.carrier])
        self.world.dialpeer(w.customer, w.trunk, rule)
        wait_for(lambda: self.api.post("/v1/route-tests", {"trunk_id": w.trunk, "caller": "1", "called": "5533123456"}
                                       ).get("reason") == "no_rate", 10, "the route in force")
        self.refused("5533123456", 404, "no_rate", 3, ip=w.source)

    def test_connection_fee_minimum_and_block(self):
        # REQUIREMENTS 8.4: fee + rate * billed / 60 with minimum 5 s and block 6 s: one second of talk bills 5.
        w = self.world.simple(code="49", price="0.600000")
        self.world.rate(w.plan, "4930", "0.600000", connection_fee="0.002000", connection_seconds=5, billing_block_seconds=6)
        self.carrier(w.port)
        number = "554930123456"
        wait_for(lambda: "4930" in str(self.api.post("/v1/route-tests", {"trunk_id": w.trunk, "caller": "1", "called": number})),
                 10, "the rate in force")
        cdr = self.cdr_of(self.call(number, ip=w.source, hold_ms=300))
        self.assertEqual((cdr["rate_prefix"], cdr["billed_seconds"], cdr["charge"]), ("4930", 5, "0.052000"))
        self.audit()


Money.quantum = 6
Money.settings = {"billing": {"quantum": "6s"}}

if __name__ == "__main__":
    main()
