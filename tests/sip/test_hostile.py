"""What unknown sources and broken switches send: answered or dropped, and the next call works (ARCHITECTURE "Security")."""
import random
import re
import socket

from harness import Call, SipCase, main


class Hostile(SipCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.w = cls.world.simple(trunk={"max_concurrent_incoming": None})

    def setUp(self):
        self.carrier(self.w.port)

    def throw(self, *datagrams, ip=None):
        """Sends raw datagrams, from the known source unless said otherwise, and reads no answer."""
        with self.socket(ip) as sock:
            for datagram in datagrams:
                sock.sendto(datagram, self.ingress)

    def socket(self, ip=None):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((ip or self.w.source, 0))
        sock.settimeout(5)
        return sock

    @property
    def ingress(self):
        return "127.0.0.1", self.stack.ports["sip"]

    def final_of(self, datagram):
        """The status line of the final response to a raw request. An INVITE is acknowledged, and hung up when it was answered."""
        with self.socket() as sock:
            sock.sendto(datagram, self.ingress)
            answer = self.final_from(sock)
            status = answer.split("\n")[0]
            if b"CSeq: 1 INVITE" in datagram:
                request = datagram.decode().replace("\r\n", "\n")
                answered = status.startswith("SIP/2.0 200")
                sock.sendto(self.following(request, answer, "ACK", 1, new_branch=answered), self.ingress)
                if answered:
                    sock.sendto(self.following(request, answer, "BYE", 2), self.ingress)
                    while "BYE" not in Call.header(self.final_from(sock), "CSeq"):
                        pass
            return status

    def final_from(self, sock):
        while True:
            answer = sock.recv(65536).decode().replace("\r\n", "\n")
            if answer.startswith("SIP/2.0 ") and int(answer.split()[1]) >= 200:
                return answer

    def following(self, request, answer, method, number, new_branch=True):
        """The ACK or BYE that follows an INVITE and its final response."""
        contact = re.search(r"<(sip:[^>]+)>", Call.header(answer, "Contact") or "")
        uri = contact.group(1) if contact else request.split()[1]
        via = Call.header(request, "Via") + (f"-{method}" if new_branch else "")
        kept = "".join(f"{name}: {Call.header(message, name)}\r\n" for name, message in
                       (("From", request), ("To", answer), ("Call-ID", request)))
        return (f"{method} {uri} SIP/2.0\r\nVia: {via}\r\n{kept}CSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
                "Content-Length: 0\r\n\r\n").encode()

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
        self.throw(*[noise.randbytes(size) for size in (1, 100, 1400, 20000, 65000, 65507)])
        self.throw(b"\r\n" * 30000, b"A" * 65507, b"INVITE " + b"A" * 65000, b"\0" * 65507)
        self.next_call_works()

    def test_invite_with_100_headers(self):
        extra = b"".join(b"X-Header-%d: value of header %d\r\n" % (n, n) for n in range(100))
        self.assertEqual(self.final_of(self.invite(extra=extra)), "SIP/2.0 200 OK")
        self.next_call_works()

    def test_bad_cseq_is_400(self):
        self.assertTrue(self.final_of(self.invite(cseq=b"banana")).startswith("SIP/2.0 400"))
        self.next_call_works()

    def test_content_length_that_lies(self):
        # Too large and negative are malformed; too small cuts the SDP, which then offers nothing.
        for length, code in ((999999, 400), (-3, 400), (5, 488)):
            status = self.final_of(self.invite(body=b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\n", length=length))
            self.assertTrue(status.startswith(f"SIP/2.0 {code}"), (length, status))
        self.next_call_works()

    def test_sdp_bomb(self):
        # A parser that loops on a non-RTP media line takes the machine's memory with one INVITE.
        bomb = b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 4000 udptl (\r\n"
        self.assertTrue(self.final_of(self.invite(body=bomb)).startswith("SIP/2.0 488"))
        self.assertTrue(self.final_of(self.invite(body=bomb + b"m=audio 4000 RTP/AVP 0\r\n")).startswith("SIP/2.0 200"))
        self.next_call_works()

    def test_sdp_of_a_thousand_lines(self):
        body = b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n" + b"a=x:y\r\n" * 1000
        self.assertTrue(self.final_of(self.invite(body=body)).startswith("SIP/2.0 400"))
        self.next_call_works()

    def test_numbers_that_are_none(self):
        for number in ("55" + "4" * 60, "55abc", "%00%00"):
            status = self.final_of(self.invite(number=number))
            self.assertTrue(status.startswith("SIP/2.0 484"), (number, status))
        without_user = self.invite().replace(f"sip:{self.w.number}@".encode(), b"sip:")
        self.assertTrue(self.final_of(without_user).startswith("SIP/2.0 400"))
        self.next_call_works()

    def test_request_line_with_a_space_in_the_number_is_dropped(self):
        with self.socket() as sock:
            sock.sendto(self.invite(number="55;drop table"), self.ingress)
            # The ingress reads datagrams in order: once the second is answered, the first has been passed over.
            sock.sendto(self.invite(cseq=b"1 OPTIONS").replace(b"INVITE sip:", b"OPTIONS sip:", 1), self.ingress)
            self.assertIn("OPTIONS", Call.header(sock.recv(65536).decode().replace("\r\n", "\n"), "CSeq"))
        self.next_call_works()

    def test_no_hops_left_is_483(self):
        # REQUIREMENTS 4.5.
        self.assertTrue(self.final_of(self.invite(forwards=b"0")).startswith("SIP/2.0 483"))
        self.next_call_works()

    def test_unknown_method_is_405(self):
        # REQUIREMENTS 6.3.
        request = self.invite(cseq=b"1 FETCH").replace(b"INVITE sip:", b"FETCH sip:", 1)
        self.assertTrue(self.final_of(request).startswith("SIP/2.0 405"))

    def test_flood_from_unknown_sources_never_reaches_the_bus(self):
        datagrams = [self.invite() for _ in range(500)]
        before = self.asked()
        self.throw(*datagrams, ip="127.66.6.6")
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
