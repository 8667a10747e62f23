"""What unknown sources and broken switches send: answered or dropped, and the next call works (ARCHITECTURE "Security")."""
import random
import socket

from harness import SipCase, main


class Hostile(SipCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.w = cls.world.simple(trunk={"max_concurrent_incoming": None})

    def setUp(self):
        self.carrier(self.w.port)

    def throw(self, *datagrams, ip=None, answer=True):
        """Sends raw datagrams from a known source; the first answer's status line, or None."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((ip or self.w.source, 0))
            sock.settimeout(2 if answer else 0.2)
            for datagram in datagrams:
                sock.sendto(datagram, ("127.0.0.1", self.stack.ports["sip"]))
            try:
                return sock.recv(65536).split(b"\r\n")[0].decode()
            except TimeoutError:
                return None

    def invite(self, extra=b"", body=b"", cseq=b"1 INVITE", length=None, number=None, forwards=b"70"):
        source = self.w.source.encode()
        user = (number or self.w.number).encode()
        branch = b"z9hG4bK%08x" % random.getrandbits(32)
        length = len(body) if length is None else length
        return (b"INVITE sip:" + user + b"@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + source + b":5060;rport;branch=" + branch +
                b"\r\nFrom: <sip:1@" + source + b">;tag=h" + branch[7:] + b"\r\nTo: <sip:" + user + b"@127.0.0.1>\r\nCall-ID: " +
                branch + b"\r\nCSeq: " + cseq + b"\r\nContact: <sip:1@" + source + b":5060>\r\nMax-Forwards: " + forwards + b"\r\n" +
                extra + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % length + body)

    def next_call_works(self):
        self.assertEqual(self.cdr_of(self.call(self.w.number, ip=self.w.source))["reason"], "normal")
        self.assertTrue(self.stack.processes["ingress"].alive())

    def test_64_kilobytes_of_noise(self):
        noise = random.Random(7)
        self.throw(*[noise.randbytes(size) for size in (1, 100, 1400, 20000, 65000, 65507)], answer=False)
        self.throw(b"\r\n" * 30000, b"A" * 65507, b"INVITE " + b"A" * 65000, b"\0" * 65507, answer=False)
        self.next_call_works()

    def test_invite_with_100_headers(self):
        extra = b"".join(b"X-Header-%d: value of header %d\r\n" % (n, n) for n in range(100))
        status = self.throw(self.invite(extra=extra))
        self.assertIsNotNone(status)
        self.next_call_works()

    def test_bad_cseq_is_400(self):
        self.assertTrue(self.throw(self.invite(cseq=b"banana")).startswith("SIP/2.0 400"))
        self.next_call_works()

    def test_content_length_that_lies(self):
        for length in (999999, 5, -3):
            self.throw(self.invite(body=b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\n", length=length), answer=False)
        self.next_call_works()

    def test_sdp_bomb(self):
        # A parser that loops on a non-RTP media line takes the machine's memory with one INVITE.
        bomb = b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 4000 udptl (\r\n"
        self.assertIsNotNone(self.throw(self.invite(body=bomb)))
        self.assertIsNotNone(self.throw(self.invite(body=bomb + b"m=audio 4000 RTP/AVP 0\r\n")))
        self.next_call_works()

    def test_sdp_of_a_thousand_lines(self):
        body = b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n" + b"a=x:y\r\n" * 1000
        self.assertIsNotNone(self.throw(self.invite(body=body)))
        self.next_call_works()

    def test_numbers_that_are_none(self):
        for number in ("55" + "4" * 60, "55abc", "%00%00", "55;drop table", ""):
            status = self.throw(self.invite(number=number))
            self.assertTrue(status is None or int(status.split()[1]) < 200 or 400 <= int(status.split()[1]) < 500, (number, status))
        self.next_call_works()

    def test_no_hops_left_is_483(self):
        # REQUIREMENTS 4.5.
        self.assertTrue(self.final_of(self.invite(forwards=b"0")).startswith("SIP/2.0 483"))
        self.next_call_works()

    def final_of(self, datagram):
        """The first final response to a raw request."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((self.w.source, 0))
            sock.settimeout(5)
            sock.sendto(datagram, ("127.0.0.1", self.stack.ports["sip"]))
            while True:
                line = sock.recv(65536).split(b"\r\n")[0].decode()
                if int(line.split()[1]) >= 200:
                    return line

    def test_unknown_method_is_405(self):
        # REQUIREMENTS 6.3.
        request = self.invite(cseq=b"1 FETCH").replace(b"INVITE sip:", b"FETCH sip:", 1)
        self.assertTrue(self.final_of(request).startswith("SIP/2.0 405"))

    def test_flood_from_unknown_sources_never_reaches_the_bus(self):
        datagrams = [self.invite() for _ in range(500)]
        before = self.asked()
        self.throw(*datagrams, ip="127.66.6.6", answer=False)
        self.next_call_works()
        asked = self.asked() - before
        self.assertTrue(1 <= asked <= 2, f"only the good call asked auth, not {asked}")

    def asked(self):
        """Authorize requests that auth has answered, by its own metric."""
        text = self.stack.ops("auth").call("GET", "/metrics").text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("tollgate_auth_requests_total"))

    def test_options_is_answered(self):
        self.assertTrue(self.final_of(self.invite(cseq=b"1 OPTIONS").replace(b"INVITE sip:", b"OPTIONS sip:", 1)).startswith("SIP/2.0 200"))


if __name__ == "__main__":
    main()
