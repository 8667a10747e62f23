"""Runs SIPp with a scenario file; both ends on loopback, bounded in calls and time."""
import csv
import os
import re
import subprocess
import tempfile

from procs import Process, wait_for


def expand(scenario, values, folder):
    """A copy of the scenario with every @NAME@ replaced, in `folder`; the path of the copy."""
    with open(scenario, encoding="utf-8") as text:
        content = text.read()
    for name, value in values.items():
        content = content.replace(f"@{name}@", str(value))
    left = re.search(r"@[A-Z_]+@", content)
    if left:
        raise ValueError(f"{scenario}: no value for {left.group()}")
    path = os.path.join(folder, os.path.basename(scenario))
    with open(path, "w", encoding="utf-8") as out:
        out.write(content)
    return path


class SippRun:
    """One SIPp process with its message log. `side` is shown in file names."""

    def __init__(self, scenario, ip, port, target=None, calls=1, rate=10, hold_ms=0, number="", seconds=30, values=None,
                 folder=None, extra=(), quiet=False):
        self.folder = tempfile.mkdtemp(prefix="sipp.", dir=folder)
        self.scenario = expand(scenario, values or {}, self.folder)
        self.messages = os.path.join(self.folder, "messages.log")
        self.errors = os.path.join(self.folder, "errors.log")
        self.stat = os.path.join(self.folder, "stat.csv")
        argv = ["sipp", "-sf", self.scenario, "-i", ip, "-p", str(port), "-nostdin", "-l", "30000", "-buff_size", "4000000",
                "-timeout", str(seconds), "-trace_err", "-error_file", self.errors, "-trace_stat", "-stf", self.stat, "-fd", "1"]
        if not quiet:
            argv += ["-trace_msg", "-message_file", self.messages]
        if target:
            argv += [target, "-r", str(rate), "-d", str(hold_ms), "-s", number or "service", "-recv_timeout", str(seconds * 1000)]
        if calls:
            argv += ["-m", str(calls)]
        self.port = port
        self.process = Process("sipp", argv + list(extra), os.path.join(self.folder, "screen.log"), cwd=self.folder)

    def start(self):
        self.process.start()
        return self

    def listening(self, seconds=10):
        """Waits until the UDP port is bound, so that no first message is lost."""
        wanted = f"{self.port:04X}"

        def bound():
            if not self.process.alive():
                raise AssertionError(f"SIPp ended before it listened: {self.problem()}")
            for table in ("/proc/net/udp", "/proc/net/udp6"):
                with open(table, encoding="ascii") as rows:
                    if any(row.split()[1].endswith(":" + wanted) for row in rows.readlines()[1:]):
                        return True
            return False

        wait_for(bound, seconds, f"SIPp on port {self.port}")
        return self

    def wait(self, seconds=60):
        """The exit code: 0 = every call went as the scenario says."""
        try:
            return self.process.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return -1

    def stop(self):
        self.process.stop(3)

    def log(self):
        try:
            with open(self.messages, encoding="utf-8", errors="replace") as text:
                return text.read()
        except OSError:
            return ""

    def received(self):
        """The SIP messages this end received, as text, in order."""
        return self._messages("received")

    def sent(self):
        return self._messages("sent")

    def _messages(self, direction):
        parts = re.split(r"-{10,} [^\n]*\n", self.log())
        found = []
        for part in parts:
            head, _, message = part.partition("\n\n")
            if f"message {direction}" in head or f"message {direction} [" in head:
                found.append(message.replace("\r\n", "\n"))
        return found

    def statistics(self):
        with open(self.stat, encoding="ascii") as rows:
            return list(csv.DictReader(rows, delimiter=";"))[-1]

    def problem(self):
        text = ""
        for path in (self.errors, os.path.join(self.folder, "screen.log")):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as log:
                    text += "".join(log.readlines()[-25:])
        return text
