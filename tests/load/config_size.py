#!/usr/bin/env python3
"""Start and change at size: 5,000,000 rates, 100,000 trunks and 160,000 source rows in a Tollgate of its own.

usage: tests/load/config_size.py [--build build/release] [--rates 5000000]
Prints: the statements as they were and as they are, with their EXPLAIN and the time of all rows; how long billing takes to start and what
memory it needs, also in a full reload; how long 60,000 changes that concern nobody, and one among them, take until they are in force."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts", "lib"))
from stack import Stack, free_stack_ports  # noqa: E402

PLANS = 50
COLUMNS = ("id, plan_id, prefix, TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', valid_from), "
           "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', valid_to), per_minute_micros, connection_fee_micros, connection_seconds, "
           "billing_block_seconds")
OVERLAP = "SELECT s.id FROM trunk_sources s JOIN trunks t ON t.id = s.trunk_id WHERE t.status = 'enabled' AND t.id <> 1 AND ("
NOW = "UTC_TIMESTAMP(6)"


def fill(stack, rates):
    for statement in (
            f"INSERT INTO customers (id, name, country, billing_type, created_at, updated_at) "
            f"SELECT seq, CONCAT('c', seq), 'AM', 'prepaid', {NOW}, {NOW} FROM seq_1_to_1000",
            f"INSERT INTO rate_plans (id, name, scope, created_at, updated_at) "
            f"SELECT seq, CONCAT('p', seq), 'customer', {NOW}, {NOW} FROM seq_1_to_{PLANS}",
            f"INSERT INTO trunks (id, customer_id, name, tech_prefix, rate_plan_id, created_at, updated_at) SELECT seq, 1 + seq % 1000, "
            f"CONCAT('t', seq), LPAD(seq, 6, '0'), 1 + seq % {PLANS}, {NOW}, {NOW} FROM seq_1_to_100000",
            "INSERT INTO trunk_sources (trunk_id, position, network) SELECT 1 + seq % 100000, seq DIV 100000, "
            "CONCAT(INET_NTOA(167772160 + seq * 4), IF(seq % 3 = 0, '/30', '/32')) FROM seq_1_to_160000",
            f"INSERT INTO rates (plan_id, prefix, valid_from, per_minute_micros, created_at, updated_at) SELECT 1 + seq % {PLANS}, "
            f"CONCAT(1 + (seq * 7919) % 9, LPAD((seq DIV {PLANS}) * 7 % 1000003, 7, '0')), '2020-01-01', 50000 + seq % 1000, {NOW}, {NOW} "
            f"FROM seq_1_to_{rates}",
            "ANALYZE TABLE rates, trunk_sources, trunks"):
        stack.sql(statement)


def show(stack, title, statement):
    plan = "; ".join(f"{row[2]} {row[3]} key={row[5]} rows={row[8]} {row[9]}" for row in stack.sql("EXPLAIN " + statement))
    began = time.monotonic()
    argv = ["mariadb", "--no-defaults", f"--socket={stack.path('run', 'mysql.sock')}", "-N", "-B", "-q", "tollgate", "-e", statement]
    client = subprocess.Popen(argv, stdout=subprocess.PIPE)
    first = client.stdout.read(1)
    first_at = time.monotonic() - began
    count = (first + client.stdout.read()).count(b"\n")
    client.wait()
    print(f"{title}: first row after {first_at:.3f} s, {count} rows in {time.monotonic() - began:.3f} s\n    {plan}", flush=True)


def old_overlap(hosts):
    nearby = " OR ".join(f"(s.network LIKE '{host}/%' OR (s.network NOT LIKE '%:%' AND "
                         "CAST(SUBSTRING_INDEX(s.network, '/', -1) AS UNSIGNED) < 32))" for host in hosts)
    return OVERLAP + nearby + ")"


def new_overlap(hosts):
    starts = set()
    for host in hosts:
        address = int.from_bytes(bytes(int(part) for part in host.split(".")), "big")
        starts.update(address >> (32 - length) << (32 - length) for length in range(1, 33))
    texts = [f"4{int.from_bytes(bytes(int(part) for part in host.split('.')), 'big'):08X}" for host in hosts]
    inside = "".join(f"s.range_start BETWEEN '{text}' AND '{text}' OR " for text in texts)
    return OVERLAP + inside + "s.range_start IN (" + ",".join(f"'4{start:08X}'" for start in sorted(starts)) + "))"


def memory(stack):
    """Megabytes of billing: now, and the most it ever had."""
    with open(f"/proc/{stack.processes['billing'].pid}/status", encoding="ascii") as status:
        values = dict(line.split(":", 1) for line in status)
    return tuple(int(values[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))


def metric(stack, name):
    for line in stack.ops("billing").call("GET", "/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return -1


def until(stack, name, value, seconds=120):
    began = time.monotonic()
    while metric(stack, name) < value and time.monotonic() < began + seconds:
        time.sleep(0.01)
    return time.monotonic() - began


def services(stack):
    began = time.monotonic()
    stack.start_services(("billing",))
    print(f"billing: ready after {time.monotonic() - began:.1f} s, memory %d MB, at most %d MB" % memory(stack), flush=True)
    stack.sql("START TRANSACTION; INSERT INTO config_changes (version, entity, entity_id, action, author, at) SELECT version + seq, "
              f"'dialpeer', seq, 'saved', 'size', {NOW} FROM config_state, seq_1_to_60000; "
              "UPDATE trunks SET max_cps_incoming = 7 WHERE id = 5; "
              "INSERT INTO config_changes (version, entity, entity_id, action, author, at) SELECT version + 60001, 'trunk', 5, 'saved', "
              f"'size', {NOW} FROM config_state; UPDATE config_state SET version = version + 60001; COMMIT")
    print(f"60,001 changes, of which one concerns billing: in force after {until(stack, 'tollgate_billing_config_version', 60001):.2f} s, "
          f"full loads {metric(stack, 'tollgate_billing_feed_full_loads_total'):.0f}", flush=True)
    stack.sql("UPDATE rates SET per_minute_micros = 1 WHERE id = 77; UPDATE config_state SET version = version + 1")
    took = until(stack, "tollgate_billing_config_version", 60002)
    time.sleep(2)
    print(f"full reload (a line of the log is missing), one rate changed: {took:.1f} s, memory %d MB, at most %d MB" % memory(stack))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--rates", type=int, default=5_000_000)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="tollgate-size-")
    stack = Stack(folder, os.path.abspath(options.build), free_stack_ports())
    try:
        stack.write_configuration()
        stack.start_servers()
        fill(stack, options.rates)
        show(stack, "rates, before", f"SELECT {COLUMNS} FROM rates ORDER BY plan_id, prefix, valid_from")
        show(stack, "rates, now (each of the pieces)",
             f"SELECT {COLUMNS} FROM rates FORCE INDEX (PRIMARY) WHERE id > 0 ORDER BY id LIMIT 100000")
        for count in (1, 64):
            hosts = [f"10.1.{number}.4" for number in range(count)]
            show(stack, f"overlap of {count} sources, before", old_overlap(hosts))
            show(stack, f"overlap of {count} sources, now", new_overlap(hosts))
        services(stack)
    finally:
        stack.stop_started()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
