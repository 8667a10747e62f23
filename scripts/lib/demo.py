"""The demo of scripts/up: seeds an empty base with a customer and a carrier, places one call and prints its record."""
import os
import tempfile

from bus_watch import BusWatch, decode_call_event
from procs import StepFailed, wait_for
from sip import SippRun
from stack import ROOT

CUSTOMER, CARRIER = 1, 2
CUSTOMER_TRUNK, CARRIER_TRUNK = 1, 2
CALLED = "55447700900123"


def seed(stack):
    """Customer Acme (prepaid, 100 USD), a carrier, rules 44 and 374, rates; only into an empty base."""
    api = stack.api()
    if api.get("/v1/customers", limit=1)["items"]:
        print("  the base is not empty: no demo data added", flush=True)
        return
    print("  empty base: seeding the demo customer Acme, carrier, rules, rates", flush=True)
    api.put(f"/v1/customers/{CUSTOMER}", {"name": "Acme", "country": "AM", "billing_type": "prepaid"})
    api.put(f"/v1/customers/{CARRIER}", {"name": "Carrier One", "country": "GB", "billing_type": "postpaid", "credit_line": "0.000000"})
    api.put("/v1/rate-plans/1", {"name": "Acme retail", "currency": "USD", "scope": "customer"})
    api.put("/v1/rate-plans/2", {"name": "Carrier One buy", "currency": "USD", "scope": "vendor"})
    for plan, rates in ((1, (("44", "0.012000"), ("447", "0.030000"), ("374", "0.180000"))),
                        (2, (("44", "0.008000"), ("447", "0.021000"), ("374", "0.150000")))):
        for prefix, price in rates:
            api.post(f"/v1/rate-plans/{plan}/rates",
                     {"prefix": prefix, "rate_per_minute": price, "valid_from": "2020-01-01T00:00:00Z", "billing_block_seconds": 1})
    api.put(f"/v1/trunks/{CUSTOMER_TRUNK}", {
        "customer_id": CUSTOMER, "name": "Acme main", "identification": "prefix", "tech_prefix": "55", "rate_plan_id": 1,
        "sources": [{"network": "127.0.0.1"}], "max_concurrent_incoming": None})
    api.put(f"/v1/trunks/{CARRIER_TRUNK}", {
        "customer_id": CARRIER, "name": "Carrier One UK", "identification": "peer", "vendor_rate_plan_id": 2,
        "sources": [{"network": "127.0.0.2"}], "max_concurrent_outgoing": None,
        "endpoints": [{"address": "127.0.0.1", "port": stack.ports["demo_carrier"], "transport": "udp"}]})
    for rule, code in ((1, "44"), (2, "374")):
        api.put(f"/v1/routing-rules/{rule}", {"code": code, "mode": "priority", "targets": [{"trunk_id": CARRIER_TRUNK}]})
        api.put(f"/v1/dialpeers/{rule}", {"display_name": f"Acme to {code}", "customer_id": CUSTOMER, "trunk_id": CUSTOMER_TRUNK,
                                          "routing_rule_id": rule})
    api.post(f"/v1/customers/{CUSTOMER}/payments", {"kind": "payment", "amount": "100.000000", "reference": "demo top-up"},
             {"Idempotency-Key": "demo-top-up"})


def place_call(stack, folder):
    """Carrier and caller by SIPp; three seconds of talk. The caller's exit code is 0 when the call went through."""
    load = os.path.join(ROOT, "tests", "load")
    carrier = SippRun(f"{load}/carrier.xml", "127.0.0.1", stack.ports["demo_carrier"], folder=folder, calls=0, seconds=60).start()
    caller = SippRun(f"{load}/caller.xml", "127.0.0.1", stack.ports["demo_caller"], target=f"127.0.0.1:{stack.ports['sip']}",
                     number=CALLED, hold_ms=3000, folder=folder)
    try:
        carrier.listening()
        if caller.start().wait(40) != 0:
            raise StepFailed(f"the demo call failed; SIPp says:\n{caller.problem()}\nthe ingress log is {stack.path('log', 'ingress.log')}")
    finally:
        caller.stop()
        carrier.stop()


def in_force(api):
    """True when a call to the demo number would be accepted now: a change is in force everywhere within a second."""
    test = api.call("POST", "/v1/route-tests", {"trunk_id": CUSTOMER_TRUNK, "caller": "37477", "called": CALLED})
    return test.status == 200 and test.json["outcome"] == "accepted"


def show_call(stack):
    api = stack.api()
    if api.call("GET", f"/v1/trunks/{CUSTOMER_TRUNK}").json.get("name") != "Acme main":
        print("  this base is not the demo's: no call is placed", flush=True)
        return
    wait_for(lambda: in_force(api), 10, "the demo configuration in force (POST /v1/route-tests shows what refuses the call)")
    before = api.get(f"/v1/customers/{CUSTOMER}/balance")
    newest = api.get("/v1/cdrs", limit=1)["items"]
    watch = BusWatch(stack.ports["nats"], "dashboard", stack.secret("nats_dashboard"))
    print(f"  calling {CALLED} through Tollgate (3 s of talk)", flush=True)
    with tempfile.TemporaryDirectory(prefix="demo.", dir=stack.path("run")) as folder:
        place_call(stack, folder)

    def new_cdr():
        found = api.get("/v1/cdrs", limit=1)["items"]
        return found if found and found != newest else None

    cdr = api.get(f"/v1/cdrs/{wait_for(new_cdr, 15, 'the CDR of the demo call')[0]['call_id']}")
    watch.close()
    tell(cdr, before, api.get(f"/v1/customers/{CUSTOMER}/balance"), watch.events)


def tell(cdr, before, after, events):
    """The record of one call, for a reader."""
    print(f"\nCall {cdr['call_id']}\n\nDecision trace")
    for step in cdr["trace"]:
        print(f"  {'ok ' if step['passed'] else 'NO '} {step['stage']:<8} {step['check']:<16} {step['found']}")
    print("\nAttempts")
    for attempt in cdr["attempts"]:
        print(f"  {attempt['number']}. trunk {attempt['trunk_id']} at {attempt['endpoint']}: {attempt['final_code']} "
              f"{attempt['ended_because']} after {attempt['lasted_ms']} ms")
    print("\nCDR")
    for name in ("setup_at", "answered_at", "ended_at", "caller_in", "called_in", "called_out", "customer_id", "trunk_id",
                 "carrier_trunk_id", "endpoint", "rule_code", "rate_prefix", "rate_per_minute", "talked_ms", "billed_seconds",
                 "charge", "cost", "margin", "pdd_ms", "final_code", "reason", "ended_by"):
        print(f"  {name:<18} {cdr.get(name)}")
    print(f"\nBalance  {before['balance']} -> {after['balance']} {after['currency']}   (held now: {after['held']})")
    print("\nEvents on the bus")
    for subject, payload in events:
        if subject.startswith("tg.evt.call."):
            print(f"  {subject:<36} {len(payload)} bytes")
    last = [event for event in events if ".ended." in event[0]]
    if last:
        text = decode_call_event(ROOT, *last[-1])
        print("  the last one, decoded with protoc, begins:\n    " + "\n    ".join(text.splitlines()[:9]))
