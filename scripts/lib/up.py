"""Starts Tollgate in its folder (var/) and shows one call from end to end. Called by scripts/up after the build."""
import argparse
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from demo import seed, show_call  # noqa: E402
from procs import StepFailed, free_ports  # noqa: E402
from stack import ROOT, SERVERS, SERVICES, Stack, refuse_taken_port, var_folder  # noqa: E402

DEFAULT_PORTS = {"sip": 5060, "api": 8080, "api_backend": 8081, "nats": 24222, "redis": 26379, "mysql": 23306, "ingress_ops": 9101,
                 "auth_ops": 9102, "routing_ops": 9103, "billing_ops": 9104, "admin_api_ops": 9105, "demo_caller": 25560,
                 "demo_carrier": 25570}


def chosen_ports(free=False):
    """The ports by name: of TOLLGATE_<NAME>_PORT or the defaults; with `free` whatever is free now."""
    if free:
        return dict(zip(DEFAULT_PORTS, free_ports(len(DEFAULT_PORTS))))
    ports = {}
    for name, default in DEFAULT_PORTS.items():
        variable = f"TOLLGATE_{name.upper()}_PORT"
        try:
            ports[name] = int(os.environ.get(variable, default))
        except ValueError as wrong:
            raise StepFailed(f"{variable} must be a port number") from wrong
    return ports


def start(stack):
    """Starts what does not run yet. When a step fails or is interrupted, what this run started is stopped again."""
    try:
        stack.write_configuration()
        print("  nats-server, redis-server, mariadbd, migrations, nginx", flush=True)
        stack.start_servers()
        print("  " + ", ".join(SERVICES), flush=True)
        stack.start_services()
    except BaseException:
        print("  a step failed: stopping what was started", flush=True)
        stack.stop_started()
        raise


def main():
    arguments = argparse.ArgumentParser(prog="scripts/up", description="Start Tollgate on loopback and show a call.")
    arguments.add_argument("--no-demo", action="store_true", help="start everything, place no call")
    arguments.add_argument("--free-ports", action="store_true", help="listen on ports that are free now instead of the usual ones")
    options = arguments.parse_args()
    var = var_folder()
    stack = Stack(var, os.path.join(ROOT, "build", "release"), chosen_ports(options.free_ports), keep=True)
    if options.free_ports and any(stack.processes[name].adopt() for name in SERVERS + SERVICES):
        raise StepFailed(f"--free-ports starts a Tollgate of its own, but one runs in {var}: run scripts/down, or set TOLLGATE_VAR")
    print(f"  configuration in {var}/etc, secrets in {var}/secrets", flush=True)
    stack.refuse_taken_ports()
    if not options.no_demo:
        for name in ("demo_caller", "demo_carrier"):
            refuse_taken_port(stack.ports, name, socket.SOCK_DGRAM)
    start(stack)
    if not options.no_demo:
        seed(stack)
        show_call(stack)
    admin = stack.admin()
    print(f"""
Tollgate is up.
  SIP    udp 127.0.0.1:{stack.ports['sip']}
  API    http://127.0.0.1:{stack.ports['api']}/v1   (OpenAPI: /v1/openapi.json)
  admin  {admin['name']} / {admin['password']}   bearer key {admin['api_key']}
  try    curl -u {admin['name']}:{admin['password']} http://127.0.0.1:{stack.ports['api']}/v1/cdrs
  logs   {var}/log/*.log
  stop   scripts/down""")


try:
    main()
except StepFailed as failure:
    sys.exit(f"up: {failure}")
except subprocess.CalledProcessError as failure:
    sys.exit(f"up: {failure}\n{failure.stderr or ''}")
