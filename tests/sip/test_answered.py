"""Answered calls: billed exactly, recorded whole, and nothing of one side shown to the other."""
import math
import re

from harness import Call, SipCase, main


class Answered(SipCase):
    def test_is_billed_and_recorded(self):
        # REQUIREMENTS 8.4, 9.3, 10.1: one CDR with times, numbers, rate, exact charge; balance moves by the charge.
        w = self.world.simple(price="0.600000")
        carrier = self.carrier(w.port)
        before = self.api.get(f"/v1/customers/{w.customer}/balance")["balance"]
        call = self.call(w.number, ip=w.source, hold_ms=1200)
        cdr = self.cdr_of(call)
        seconds = math.ceil(cdr["talked_ms"] / 1000)
        self.assertGreaterEqual(cdr["talked_ms"], 1150)
        self.assertEqual(cdr["billed_seconds"], seconds)
        self.assertEqual(cdr["charge"], f"{0.01 * seconds:.6f}")
        self.assertEqual((cdr["reason"], cdr["ended_by"], cdr["final_code"]), ("normal", "caller", 200))
        self.assertEqual((cdr["customer_id"], cdr["trunk_id"], cdr["carrier_trunk_id"]), (w.customer, w.trunk, w.carrier))
        self.assertEqual((cdr["called_in"], cdr["called_out"], cdr["caller_in"]), (w.number, w.number[2:], "37477123456"))
        self.assertEqual((cdr["rule_code"], cdr["rate_prefix"]), ("44", "44"))
        self.assertEqual((cdr["source_address"], cdr["source_transport"]), (w.source, "udp"))
        for name in ("setup_at", "ringing_at", "answered_at", "ended_at", "pdd_ms", "egress_sip_call_id"):
            self.assertTrue(cdr[name] is not None and cdr[name] != "", name)
        self.assertEqual(len(cdr["attempts"]), 1)
        self.assertEqual(cdr["attempts"][0]["ended_because"], "answered")
        stages = {step["stage"] for step in cdr["trace"]}
        self.assertLessEqual({"auth", "routing", "billing"}, stages)
        self.audit()
        after = self.api.get(f"/v1/customers/{w.customer}/balance")["balance"]
        self.assertEqual(f"{float(before) - float(after):.6f}", cdr["charge"])
        invite = carrier.received()[0]
        self.assertIn(f"sip:{w.number[2:]}@", invite.split("\n")[0])

    def test_hides_each_side_from_the_other(self):
        # REQUIREMENTS 6.1: Call-ID, tags, Via, Contact and Record-Route of one side never reach the other.
        w = self.world.simple()
        carrier = self.carrier(w.port)
        call = self.call(w.number, ip=w.source)
        caller_id = call.sip_call_id
        tag = re.search(r"tag=(\S+)", Call.header(call.caller.sent()[0], "From")).group(1)
        for message in carrier.received():
            self.assertNotIn(caller_id, message)
            self.assertNotIn(tag, message)
            self.assertNotIn(w.source, message.replace("c=IN IP4 " + w.source, ""))
            self.assertEqual(message.count("\nVia:") + message.count("\nv:"), 1, message)
        carrier_id = Call.header(carrier.received()[0], "Call-ID")
        carrier_tag = re.search(r"tag=(b\S+)", "\n".join(carrier.sent())).group(1)
        for message in call.caller.received():
            self.assertNotIn(carrier_id, message)
            self.assertNotIn(carrier_tag, message)
            self.assertNotIn(f"127.0.0.1:{w.port}", message)
            self.assertNotIn("o=carrier", message)
        self.audit()

    def test_carrier_hangs_up(self):
        # REQUIREMENTS 6.6: BYE from either side ends both.
        w = self.world.simple()
        carrier = self.carrier(w.port, "carrier_hangs_up", values={"TALK_MS": 400}, calls=1)
        call = self.call(w.number, scenario="caller_is_hung_up", ip=w.source)
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        cdr = self.cdr_of(call)
        self.assertEqual((cdr["reason"], cdr["ended_by"]), ("normal", "carrier"))
        self.assertEqual(cdr["billed_seconds"], 1)
        self.audit()

    def test_early_media_reaches_the_caller(self):
        # REQUIREMENTS 6.3: 183 with SDP is relayed, then the answer.
        w = self.world.simple()
        self.carrier(w.port, "carrier_answers_with_early_media", values={"RING_MS": 300})
        call = self.call(w.number, ip=w.source)
        early = [m for m in call.caller.received() if m.startswith("SIP/2.0 183")]
        self.assertTrue(early and "m=audio" in early[0], call.caller.log())
        self.assertGreaterEqual(self.cdr_of(call)["pdd_ms"], 0)
        self.audit()

    def test_retransmitted_invite_makes_one_call(self):
        w = self.world.simple()
        carrier = self.carrier(w.port, "carrier_answers_late", values={"RING_MS": 700})
        call = self.call(w.number, scenario="caller_sends_invite_twice", ip=w.source)
        invites = [m for m in carrier.received() if m.startswith("INVITE")]
        self.assertEqual(len({Call.header(m, "Call-ID") for m in invites}), 1)
        self.cdr_of(call)
        self.audit()

    def test_retransmitted_answer_is_acknowledged_again(self):
        w = self.world.simple()
        carrier = self.carrier(w.port, "carrier_repeats_its_answer", calls=1)
        call = self.call(w.number, ip=w.source, hold_ms=1500)
        self.assertEqual(carrier.wait(10), 0, carrier.problem())
        acks = [m for m in carrier.received() if m.startswith("ACK")]
        self.assertGreaterEqual(len(acks), 2)
        self.cdr_of(call)
        self.audit()

    def test_peer_trunk_needs_no_prefix(self):
        # REQUIREMENTS 2.2 peer: every call from the source is this trunk's; nothing is stripped.
        w = self.world.simple(prefix="", trunk={"identification": "peer"})
        carrier = self.carrier(w.port)
        cdr = self.cdr_of(self.call(w.number, ip=w.source))
        self.assertEqual(cdr["trunk_id"], w.trunk)
        self.assertIn(f"sip:{w.number}@", carrier.received()[0].split("\n")[0])
        self.audit()

    def test_unified_caller_and_request_uri_parameter(self):
        # REQUIREMENTS 2.12 and 2.13.
        w = self.world.simple(carrier={"unified_caller": "37410555555", "request_uri_parameter": "user=phone"})
        carrier = self.carrier(w.port)
        cdr = self.cdr_of(self.call(w.number, ip=w.source))
        invite = carrier.received()[0]
        self.assertIn("sip:37410555555@", Call.header(invite, "From"))
        self.assertIn(";user=phone", invite.split("\n")[0])
        self.assertEqual((cdr["caller_in"], cdr["caller_out"]), ("37477123456", "37410555555"))
        self.audit()

    def test_offer_is_filtered_to_the_source_row_in_the_callers_order(self):
        # REQUIREMENTS 6.4: PCMA before PCMU as offered, G729 (off by default) removed, telephone-event stays.
        w = self.world.simple()
        carrier = self.carrier(w.port)
        self.cdr_of(self.call(w.number, ip=w.source))
        media = re.search(r"m=audio \d+ RTP/AVP ([\d ]+)", carrier.received()[0]).group(1)
        self.assertEqual(media.split(), ["8", "0", "101"])
        self.assertNotIn("G729", carrier.received()[0])

    def test_no_allowed_codec_is_488(self):
        # REQUIREMENTS 6.4, 7: no_common_codec.
        source = self.world.address()
        w = self.world.simple(source=source, trunk={"sources": [{"network": source, "codecs": ["G729"]}]})
        self.carrier(w.port)
        call = self.call(w.number, scenario="caller_offers_only_pcmu", ip=w.source, values={"CODE": 488})
        self.assertIn('cause=88;text="no_common_codec"', Call.header(call.final(), "Reason"))
        self.assertEqual(self.cdr_of(call)["reason"], "no_common_codec")
        self.audit()

    def test_answer_never_acknowledged_ends_the_call(self):
        w = self.world.simple()
        carrier = self.carrier(w.port, calls=1)
        call = self.call(w.number, scenario="caller_never_acks", ip=w.source, seconds=60)
        self.assertEqual(carrier.wait(20), 0, carrier.problem())
        self.assertEqual(self.cdr_of(call)["reason"], "no_ack")
        self.audit()


if __name__ == "__main__":
    main()
