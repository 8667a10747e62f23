"""Reads events from the bus as any dashboard could: the read-only user, the plain NATS protocol, protoc to decode."""
import json
import os
import socket
import subprocess
import threading

EVENT_TYPES = {
    "started": "CallStarted", "routed": "CallRouted", "attempted": "CallAttempted", "ringing": "CallRinging",
    "answered": "CallAnswered", "ended": "CallEnded", "rejected": "CallRejected", "unknown_sources": "UnknownSources",
}


class BusWatch:
    """Subscribes and gathers (subject, payload) in a thread until closed."""

    def __init__(self, port, user, password, subject="tg.evt.>"):
        self.events = []
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.stream = self.socket.makefile("rb")
        self.stream.readline()
        options = {"verbose": False, "pedantic": False, "user": user, "pass": password, "name": "bus_watch", "lang": "python",
                   "version": "1", "protocol": 1}
        self.socket.sendall(f"CONNECT {json.dumps(options)}\r\nSUB {subject} 1\r\nPING\r\n".encode())
        line = self.stream.readline()
        if not line.startswith(b"PONG"):
            raise ConnectionError(f"NATS said {line!r}")
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            while True:
                line = self.stream.readline()
                if not line:
                    return
                if line.startswith(b"PING"):
                    self.socket.sendall(b"PONG\r\n")
                elif line.startswith(b"MSG "):
                    words = line.decode().split()
                    payload = self.stream.read(int(words[-1]) + 2)[:-2]
                    self.events.append((words[1], payload))
                elif line.startswith(b"HMSG "):
                    words = line.decode().split()
                    head, total = int(words[-2]), int(words[-1])
                    self.events.append((words[1], self.stream.read(total + 2)[head:-2]))
        except (OSError, ValueError):
            return

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(2)


def decode_call_event(root, subject, payload):
    """A call event as protobuf text, by protoc."""
    verb = subject.split(".")[4]
    proto = os.path.join(root, "proto")
    done = subprocess.run(
        ["protoc", f"--decode=tollgate.call.v1.{EVENT_TYPES[verb]}", f"-I{proto}", f"{proto}/tollgate/call/v1/call.proto"],
        input=payload, capture_output=True, check=True)
    return done.stdout.decode()
