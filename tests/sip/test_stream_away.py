"""JetStream does not take records while NATS itself and billing work: calls that end free their slots all the same, and every record is
booked once when the stream is back (REQUIREMENTS 9.3, 9.5, 12.3)."""
import json
import time

from harness import SipCase, main
from bus_watch import BusWatch
from procs import wait_for

STREAM = "CALL_EVENTS"
LEASE_SECONDS = 14


class StreamAway(SipCase):
    # The lease is longer than a test waits for a slot.
    settings = {"billing": {"lease": f"{LEASE_SECONDS}s"}, "ingress": {"release_after": "1s"}}

    def stream_api(self, verb, body=None):
        """One request to the API of JetStream, with the rights of billing."""
        inbox = "_INBOX.stream_away"
        watch = BusWatch(self.stack.ports["nats"], "billing", self.stack.secret("nats_billing"), inbox)
        payload = json.dumps(body).encode() if body else b""
        watch.socket.sendall(f"PUB $JS.API.STREAM.{verb}.{STREAM} {inbox} {len(payload)}\r\n".encode() + payload + b"\r\n")
        try:
            answer = json.loads(wait_for(lambda: watch.events, 5, f"an answer to {verb}")[0][1])
        finally:
            watch.close()
        self.assertNotIn("error", answer)
        return answer

    def take_stream_away(self):
        """The stream listens to something else, so nobody stores a record; NATS and all services stay up."""
        config = self.stream_api("INFO")["config"]
        subjects = config["subjects"]

        def bring_back():
            self.stream_api("UPDATE", {**config, "subjects": subjects})

        self.stream_api("UPDATE", {**config, "subjects": ["tg.evt.nothing"]})
        return bring_back

    def place_until_answered(self, w, seconds):
        """Places calls until one is answered; (seconds it took, the answered call, the refused ones)."""
        began = time.monotonic()
        refused = []
        while True:
            call = self.call(w.number, scenario="caller_takes_any_answer", ip=w.source, hold_ms=0)
            took = time.monotonic() - began
            if call.final().startswith("SIP/2.0 200"):
                return took, call, refused
            refused.append(call)
            if took > seconds:
                self.fail(f"no call was answered within {seconds} s: {call.final()}")
            time.sleep(0.3)

    def one_after_the_other(self, w):
        """Two calls while the stream is away, through caps of 1 on both trunks; the second soon after the first."""
        before = self.metric("tollgate_ingress_released_calls_total")
        first = self.call(w.number, ip=w.source, hold_ms=1500)
        took, second, refused = self.place_until_answered(w, 8)
        self.assertLess(took, 8, "the slots are free within seconds, not after the lease")
        self.assertTrue(refused, "the cap held until the release")
        # The last call too: its slots are free and its hold is what it costs, although nothing is booked yet.
        wait_for(lambda: not [slot for slot in self.holds() if ":holds " not in slot], 8, "all slots free")
        self.assertGreaterEqual(self.metric("tollgate_ingress_released_calls_total"), before + 2)
        self.assertEqual(self.stack.sql(f"SELECT COUNT(*) FROM cdrs WHERE trunk_id = {w.trunk}")[0][0], "0")
        return first, second, refused

    def booked_once(self, w, answered, refused):
        """Each call has its one CDR, the charges are exact, and nothing is held any more."""
        total = len(answered) + len(refused)
        charges = []
        for call in answered:
            cdr = self.cdr_of(call, seconds=40)
            self.assertEqual(cdr["reason"], "normal")
            self.assertEqual(cdr["charge"], f"{0.01 * cdr['billed_seconds']:.6f}")
            charges.append(0.01 * cdr["billed_seconds"])
        for call in refused:
            self.assertEqual(self.cdr_of(call, seconds=40)["reason"], "concurrent_limit")
        self.audit(40)
        self.assertEqual(self.stack.sql(f"SELECT COUNT(*) FROM cdrs WHERE trunk_id = {w.trunk}")[0][0], str(total))
        balance = self.api.get(f"/v1/customers/{w.customer}/balance")
        self.assertEqual(balance["balance"], f"{100 - sum(charges):.6f}", balance)

    def test_next_call_is_placed_within_seconds_through_a_cap_of_one(self):
        # REQUIREMENTS 9.5: a slot is not kept for a call that is over, only because its record waits.
        w = self.world.simple(price="0.600000", trunk={"max_concurrent_incoming": 1}, carrier={"max_concurrent_outgoing": 1})
        self.carrier(w.port)
        bring_back = self.take_stream_away()
        try:
            first, second, refused = self.one_after_the_other(w)
            held = self.stack.redis("HGET", f"{{c{w.customer}}}:acct", "held")
            self.assertEqual(int(held) % 10_000, 0)
            self.assertGreaterEqual(int(held), 20_000, "the charges of both calls stay held")
            self.assertLess(int(held), 600_000, "no call holds a quantum any more")
        finally:
            bring_back()
        self.booked_once(w, [first, second], refused)

    def test_a_released_call_is_not_closed_by_its_lease(self):
        # REQUIREMENTS 9.5: its ingress has said that it is over, so it is not lost, however long its record waits.
        w = self.world.simple(price="0.600000")
        self.carrier(w.port)
        bring_back = self.take_stream_away()
        try:
            first = self.call(w.number, ip=w.source, hold_ms=500)
            # A call that talks for longer than the lease shows that the lease of the first is over.
            second = self.call(w.number, ip=w.source, hold_ms=(LEASE_SECONDS + 4) * 1000, seconds=60)
            self.assertEqual(self.stack.sql(f"SELECT COUNT(*) FROM cdrs WHERE trunk_id = {w.trunk}")[0][0], "0")
        finally:
            bring_back()
        self.booked_once(w, [first, second], [])
        self.assertEqual(self.stack.sql("SELECT COUNT(*) FROM ledger_entries WHERE transfer_id LIKE '%:correction'")[0][0], "0")

    def test_nothing_is_released_while_the_stream_takes_records(self):
        # A release is for calls whose record waits: an ordinary call costs none.
        w = self.world.simple(price="0.600000")
        self.carrier(w.port)
        before = self.metric("tollgate_ingress_released_calls_total")
        calls = [self.call(w.number, ip=w.source, hold_ms=200) for _ in range(3)]
        for call in calls:
            self.cdr_of(call)
        wait_for(lambda: self.metric("tollgate_ingress_unstored_calls") == 0, 10, "all records stored")
        self.assertEqual(self.metric("tollgate_ingress_released_calls_total"), before)
        self.audit()


if __name__ == "__main__":
    main()
