"""CANCEL at every point of a call (REQUIREMENTS 6.3)."""
from harness import SipCase, main


class Cancel(SipCase):
    def test_before_ringing(self):
        # REQUIREMENTS 6.3: CANCEL at any moment.
        w = self.world.simple()
        carrier = self.carrier(w.port, "carrier_trying_until_cancelled", calls=1)
        call = self.call(w.number, scenario="caller_cancels_before_ringing", ip=w.source)
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        self.assertEqual(self.cdr_of(call)["reason"], "caller_cancelled")
        self.audit()

    def test_while_ringing(self):
        w = self.world.simple()
        carrier = self.carrier(w.port, "carrier_rings_until_cancelled", calls=1)
        call = self.call(w.number, scenario="caller_cancels_while_ringing", ip=w.source)
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        cdr = self.cdr_of(call)
        self.assertEqual((cdr["reason"], cdr["ended_by"], cdr["charge"]), ("caller_cancelled", "caller", "0.000000"))
        self.audit()

    def test_crossing_the_answer(self):
        # REQUIREMENTS 6.3: the carrier's 200 crosses the CANCEL: it is acknowledged, ended with BYE and not charged.
        w = self.world.simple()
        carrier = self.carrier(w.port, "carrier_answers_into_the_cancel", calls=1)
        call = self.call(w.number, scenario="caller_cancels_while_ringing", ip=w.source)
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        cdr = self.cdr_of(call)
        self.assertEqual((cdr["reason"], cdr["charge"]), ("caller_cancelled", "0.000000"))
        self.audit()


if __name__ == "__main__":
    main()
