"""Faults at random from a seeded generator, several at a time: what is broken, for how long, and how it is mended. A supervisor restarts
every process that has ended, as an operator's would."""
import datetime
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

from procs import StepFailed, wait_for
from stack import service_of

HERE = os.path.dirname(os.path.abspath(__file__))
TERM_SECONDS = 45  # a process that has not ended by then, after SIGTERM, hangs
# How often each kind is chosen, relative to the others.
WEIGHTS = {"kill": 6, "stop": 5, "term": 3, "cut": 3, "drop": 2, "delay": 3, "stall": 4, "flushall": 1, "wipe": 1, "readonly": 1}
# Exit codes of a service that was told to end: in order, with work left after drain_timeout, killed, terminated while starting. Others are
# a crash, or what a sanitizer found.
ASKED_CODES = (0, 3, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM)
STORES = ("nats", "redis", "mysql")


class Gate:
    """The process between services and servers. `links`: {(instance, server): port}."""

    def __init__(self, links, ports, log):
        self.lock = threading.Lock()
        words = [f"{instance}/{server}={port}:{ports[server]}" for (instance, server), port in links.items()]
        self.names = [word.split("=")[0] for word in words]
        self.log = open(log, "ab")  # pylint: disable=consider-using-with
        self.child = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "gate.py"), *words], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1)
        if self.child.stdout.readline().strip() != "ready":
            raise StepFailed(f"the gate did not start; its log is {log}")

    def tell(self, *words):
        with self.lock:
            self.child.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.child.stdin.flush()
            answer = self.child.stdout.readline().strip()
        if answer != "ok":
            raise StepFailed(f"the gate answered {answer!r} to {words}")

    def close(self):
        self.child.stdin.close()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()


class Supervisor:
    """Restarts what has ended. `down`: names that a fault keeps down for now. `asked`: names that were told to end."""

    def __init__(self, stack, note):
        self.stack, self.note = stack, note
        self.lock = threading.RLock()
        self.down, self.asked = set(), set()
        self.unasked = []  # texts: processes that ended although nobody told them to
        self.starts = {}  # name: [[Unix seconds of a start, of its readiness]], the last one open while it is not ready
        self.retired, self.ended = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def retire(self):
        """Nothing is started again. The thread stays until stop(), because what it has started dies with it (PR_SET_PDEATHSIG)."""
        with self.lock:
            self.retired.set()

    def stop(self):
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()

    def _run(self):
        while not self.ended.wait(0.2):
            with self.lock:
                if self.retired.is_set():
                    continue
                for name, process in self.stack.processes.items():
                    if name not in self.down and not process.alive():
                        self._restart(name, process)
            for name, times in self.starts.items():
                if times[-1][1] == float("inf") and self.stack.service_ready(name):
                    times[-1][1] = time.time()

    def _restart(self, name, process):
        code = process.child.returncode
        if name in self.asked and (name not in self.stack.instances or code in ASKED_CODES):
            self.asked.discard(name)
        elif code == 1 and name in self.stack.instances:
            self.note(f"{name} could not start; is tried again")
            time.sleep(0.3)
        else:
            self.unasked.append(f"{name} ended with {code}; its log {process.log} ends with:\n{process.tail(8)}")
            self.note(f"{name} ended with {code}")
            self.asked.discard(name)
        self.note(f"{name} started again")
        process.start()
        if service_of(name) == "ingress":
            self.starts.setdefault(name, []).append([time.time(), float("inf")])

    def unready(self, name):
        """(from, to) in Unix seconds for each start of an ingress until it was ready."""
        return self.starts.get(name, [])

    def end(self, name, number, hold_down):
        """Sends a signal that ends the process; while `hold_down` it is not started again."""
        with self.lock:
            if hold_down:
                self.down.add(name)
            if self.stack.processes[name].alive():
                self.asked.add(name)
                self.stack.processes[name].signal(number)

    def release(self, name):
        with self.lock:
            self.down.discard(name)


class Faults:
    def __init__(self, stack, gate, folder, seed, without=()):
        self.stack, self.gate, self.folder = stack, gate, folder
        self.weights = {kind: weight for kind, weight in WEIGHTS.items() if kind not in without}
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.log = open(os.path.join(folder, "faults.log"), "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.supervisor = Supervisor(stack, self.note)
        self.active = {}  # what is broken: when and how it is mended
        self.survived = {}  # kind: count
        self.events = []  # (Unix seconds, kind, target), for the auditor
        self.wiped = []  # folders of streams that were wiped
        self.hung = []

    def note(self, text):
        with self.lock:
            self.log.write(f"{datetime.datetime.now().isoformat(timespec='milliseconds')} {text}\n")
            self.log.flush()

    # Choosing.

    def run(self, seconds):
        """Breaks and mends for `seconds`, then mends everything."""
        end = time.monotonic() + seconds
        self.supervisor.start()
        next_fault = time.monotonic() + 1
        while time.monotonic() < end:
            now = time.monotonic()
            self._mend(now)
            if now >= next_fault:
                if len(self.active) < 3:
                    self._break(now)
                # Mostly one after the other, sometimes in a burst.
                next_fault = now + (self.random.uniform(0.1, 0.8) if self.random.random() < 0.3 else self.random.uniform(1.5, 5))
            time.sleep(0.05)
        self._mend(float("inf"))

    def _mend(self, now):
        for target in [target for target, (when, _) in self.active.items() if when <= now]:
            _, mend = self.active.pop(target)
            mend()
            self.note(f"mended: {target}")

    def _duration(self):
        """Seconds: mostly short, sometimes longer than leases and than an instance may be silent."""
        return self.random.uniform(0.2, 3) if self.random.random() < 0.65 else self.random.uniform(5, 12)

    def _break(self, now):
        kind = self.random.choices(list(self.weights), list(self.weights.values()))[0]
        target, seconds = self._target(kind), self._duration()
        if target in self.active or (kind in ("kill", "stop", "term", "wipe") and not self.stack.processes[target].alive()):
            return
        self.note(f"{kind} {target} for {seconds:.1f} s")
        detail = getattr(self, "_" + kind)(target, seconds)
        self.active[target] = (now + seconds, detail)
        name = f"{kind} {'link' if '/' in target else service_of(target)}"
        self.survived[name] = self.survived.get(name, 0) + 1
        self.events.append((time.time(), kind, target))

    def _target(self, kind):
        if kind in ("cut", "drop", "delay", "stall"):
            return self.random.choice(self.gate.names)
        fixed = {"flushall": "redis", "wipe": "nats", "readonly": "mysql"}
        if kind in fixed:
            return fixed[kind]
        # The two that carry calls and money more often than their number.
        return self.random.choice([*STORES, *self.stack.instances, *(name for name in self.stack.instances
                                                                     if service_of(name) in ("ingress", "billing"))])

    # Breaking; each returns what mends it.

    def _kill(self, target, _seconds):
        self.supervisor.end(target, signal.SIGKILL, hold_down=True)
        return lambda: self.supervisor.release(target)

    def _term(self, target, _seconds):
        process = self.stack.processes[target].child
        self.supervisor.end(target, signal.SIGTERM, hold_down=False)
        since = time.monotonic()

        def watch():
            while process.poll() is None:
                if time.monotonic() > since + TERM_SECONDS:
                    self.hung.append(f"{target} had not ended {TERM_SECONDS} s after SIGTERM")
                    self.note(self.hung[-1])
                    process.kill()
                    return
                time.sleep(0.2)

        threading.Thread(target=watch, daemon=True).start()
        return lambda: None

    def _stop(self, target, _seconds):
        process = self.stack.processes[target]
        process.signal(signal.SIGSTOP)
        return lambda: process.signal(signal.SIGCONT)

    def _cut(self, target, _seconds):
        self.gate.tell("cut", target)
        return lambda: self.gate.tell("open", target)

    def _drop(self, target, _seconds):
        self.gate.tell("drop", target)
        return lambda: None

    def _delay(self, target, _seconds):
        self.gate.tell("delay", target, self.random.choice((20, 100, 300, 700, 2000)))
        return lambda: self.gate.tell("open", target)

    def _stall(self, target, _seconds):
        self.gate.tell("stall", target, self.random.choice(("up", "down", "both")))
        drops = self.random.random() < 0.5  # the stalled data arrives late, or never

        def mend():
            if drops:
                self.gate.tell("drop", target)
            self.gate.tell("open", target)

        return mend

    def _flushall(self, _target, _seconds):
        try:
            self.stack.redis("FLUSHALL")
        except subprocess.CalledProcessError as error:
            self.note(f"FLUSHALL: {error.stderr}")
        return lambda: None

    def _wipe(self, target, _seconds):
        self.supervisor.end(target, signal.SIGKILL, hold_down=True)
        self.stack.processes[target].child.wait()
        kept = self.stack.path("data", f"nats.wiped.{len(self.wiped) + 1}")
        shutil.move(self.stack.path("data", "nats"), kept)
        os.makedirs(self.stack.path("data", "nats"))
        self.wiped.append(kept)
        return lambda: self.supervisor.release(target)

    def _readonly(self, _target, _seconds):
        def switch(value):
            try:
                self.stack.sql(f"SET GLOBAL read_only = {value}", "mysql")
            except StepFailed as failure:
                self.note(f"read_only: {failure}")  # it was killed meanwhile, and starts writable

        switch(1)
        return lambda: switch(0)

    def quiet(self, seconds=90):
        """Everything runs and is ready. Errors: StepFailed, which names what is not."""
        for link in self.gate.names:
            self.gate.tell("open", link)

        def not_ready():
            return [name for name in self.stack.instances if not self.stack.service_ready(name)]

        try:
            wait_for(lambda: not not_ready(), seconds, "everything ready")
        except StepFailed as failure:
            told = {name: self.stack.ops(name).call("GET", "/readyz").text for name in not_ready() if self.stack.processes[name].alive()}
            raise StepFailed(f"{failure}; not ready: {told or not_ready()}") from failure
