"""Reads the records of a wiped stream that billing had not processed: a nats-server of its own on the folder that was set aside."""
import base64
import json
import os
import re

from bus_watch import BusWatch, decode_call_event
from procs import Process, free_ports, port_taken, wait_for
from stack import ROOT, program

STREAM = "CALL_EVENTS"


class OldStream:
    def __init__(self, folder, base):
        self.port = free_ports(1)[0]
        config = os.path.join(base, f"{os.path.basename(folder)}.conf")
        with open(config, "w", encoding="ascii") as out:
            out.write(f'listen: 127.0.0.1:{self.port}\nmax_payload: 8MB\njetstream {{ store_dir: "{folder}", max_file_store: 24GB }}\n'
                      'authorization { users = [ {user: auditor, password: auditor} ] }\n')
        self.process = Process("nats", [program("nats-server"), "-c", config], config + ".log").start()
        wait_for(lambda: port_taken(self.port), 20, "the nats-server of a wiped store")

    def ask(self, verb, body=None):
        inbox = "_INBOX.auditor"
        watch = BusWatch(self.port, "auditor", "auditor", inbox)
        payload = json.dumps(body).encode() if body else b""
        try:
            watch.socket.sendall(f"PUB $JS.API.{verb} {inbox} {len(payload)}\r\n".encode() + payload + b"\r\n")
            return json.loads(wait_for(lambda: watch.events, 10, f"an answer to {verb}")[0][1])
        finally:
            watch.close()

    def unread(self):
        """The SIP Call-IDs of the records behind the point up to which every consumer has acknowledged."""
        stream = wait_for(lambda: self.ask(f"STREAM.INFO.{STREAM}"), 10, "the stream")
        if "error" in stream:
            return set()
        consumers = self.ask(f"CONSUMER.LIST.{STREAM}", {"offset": 0}).get("consumers") or []
        floor = min([consumer["ack_floor"]["stream_seq"] for consumer in consumers], default=0)
        calls = set()
        for sequence in range(max(floor + 1, stream["state"]["first_seq"]), stream["state"]["last_seq"] + 1):
            calls |= self._calls_of(sequence)
        return calls

    def _calls_of(self, sequence):
        answer = self.ask(f"STREAM.MSG.GET.{STREAM}", {"seq": sequence})
        if "message" not in answer:
            return set()
        subject, data = answer["message"]["subject"], base64.b64decode(answer["message"].get("data", ""))
        return set(re.findall(r'sip_call_id: "([^"]+)"', decode_call_event(ROOT, subject, data)))


def lost_in_wipes(folders, base):
    """SIP Call-IDs of all records that were in wiped streams and not read."""
    lost = set()
    for folder in folders:
        stream = OldStream(folder, base)
        try:
            lost |= stream.unread()
        finally:
            stream.process.kill()
    return lost
