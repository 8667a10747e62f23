"""Processes with pid files, free ports and waiting for a condition. Only loopback, only our own pids."""
import ctypes
import os
import random
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1


class StepFailed(Exception):
    """A step of starting up failed; the text says what and where its log is."""


# The same range and the same guard as PortLease of libs/testkit: below the ports that the kernel gives to outgoing connections, and a name
# in the abstract socket namespace, which belongs to one process at a time and vanishes with it.
PORT_RANGE = range(12_000, 32_000)
_guards = []


def _guard(port):
    guard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        guard.bind(f"\0tollgate-test-port-{port}")
    except OSError:
        guard.close()
        return False
    _guards.append(guard)
    return True


def free_ports(count):
    """`count` ports of loopback, free for TCP and UDP when taken. No other test on this machine gets them while this process lives."""
    ports = []
    for port in random.sample(PORT_RANGE, len(PORT_RANGE)):
        if len(ports) == count:
            break
        if _guard(port) and not port_taken(port) and not port_taken(port, socket.SOCK_DGRAM):
            ports.append(port)
    if len(ports) < count:
        raise StepFailed(f"no {count} free ports between {PORT_RANGE.start} and {PORT_RANGE.stop}")
    return ports


def port_taken(port, kind=socket.SOCK_STREAM):
    sock = socket.socket(socket.AF_INET, kind)
    if kind == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
        return False
    except OSError:
        return True
    finally:
        sock.close()


def wait_for(condition, seconds, what):
    """The first true value of `condition`; StepFailed after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise StepFailed(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _start_time(pid):
    """The kernel's start time of a process: together with the pid it identifies one process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


class Process:
    """One server or service. Detached ones outlive the script and are found again by their pid file."""

    def __init__(self, name, argv, log, pid_file=None, env=None, cwd=None):
        self.name, self.argv, self.log, self.pid_file, self.env, self.cwd = name, argv, log, pid_file, env, cwd
        self.child = None
        self.pid = None

    def start(self):
        os.makedirs(os.path.dirname(self.log), exist_ok=True)
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=self.env, cwd=self.cwd,
                start_new_session=self.pid_file is not None,
                preexec_fn=None if self.pid_file else _die_with_parent)
        self.pid = self.child.pid
        if self.pid_file:
            os.makedirs(os.path.dirname(self.pid_file), exist_ok=True)
            with open(self.pid_file, "w", encoding="ascii") as out:
                out.write(f"{self.pid} {_start_time(self.pid)}\n")
        return self

    def adopt(self):
        """True when the process of the pid file still runs; it is ours from then on."""
        try:
            with open(self.pid_file, encoding="ascii") as text:
                pid, started = text.read().split()
        except (OSError, ValueError, TypeError):
            return False
        if _start_time(int(pid)) != started:
            return False
        self.pid = int(pid)
        return True

    def alive(self):
        if self.child is not None:
            return self.child.poll() is None
        return self.pid is not None and _start_time(self.pid) is not None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def stop(self, seconds=10):
        """SIGTERM, then SIGKILL when it does not end in time. The exit code of a child, negative for a signal; None when it is no child."""
        if self.alive():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            end = time.monotonic() + seconds
            while self.alive() and time.monotonic() < end:
                time.sleep(0.02)
            if self.alive():
                self.signal(signal.SIGKILL)
        self._reap()
        return self.child.returncode if self.child else None

    def kill(self):
        self.signal(signal.SIGKILL)
        self._reap()

    def _reap(self):
        if self.child is not None:
            self.child.wait()
        elif self.pid is not None:
            end = time.monotonic() + 5
            while self.alive() and time.monotonic() < end:
                time.sleep(0.02)
        if self.pid_file and os.path.exists(self.pid_file):
            os.remove(self.pid_file)

    def tail(self, lines=15):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""
