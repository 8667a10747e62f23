"""Stops what scripts/up started."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack import SERVERS, SERVICES, var_folder  # noqa: E402
from procs import Process  # noqa: E402


def main():
    stopped = 0
    for name in [*reversed(SERVICES), *reversed(SERVERS)]:
        process = Process(name, [], os.devnull, pid_file=os.path.join(var_folder(), "run", name + ".pid"))
        if process.adopt():
            print(f"stopping {name} (pid {process.pid})", flush=True)
            process.stop(20)
            stopped += 1
    print(f"down: {stopped} processes stopped; data stays in {var_folder()}" if stopped else "down: nothing was running")


main()
