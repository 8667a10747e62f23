"""Customers, trunks, rules and rates for the tests, made through the admin API as an operator would."""
from procs import StepFailed, free_ports, wait_for


class World:
    def __init__(self, stack):
        self.stack = stack
        self.api = stack.api()
        self.next_source = 10

    def customer(self, balance="100.000000", **fields):
        """A prepaid customer with `balance` paid in (None = nothing paid); its id."""
        body = {"name": "Customer", "country": "AM", "billing_type": "prepaid", **fields}
        customer = self.api.post("/v1/customers", body)["id"]
        if balance:
            self.pay(customer, balance)
        return customer

    def pay(self, customer, amount, key=None, kind="payment"):
        return self.api.post(f"/v1/customers/{customer}/payments", {"kind": kind, "amount": amount, "reference": "test"},
                             {"Idempotency-Key": key or f"test-{customer}-{amount}-{kind}"})

    def plan(self, scope="customer", **rates):
        """A rate plan with prefix=price pairs written p44="0.012000"; p="..." is the empty prefix."""
        plan = self.api.post("/v1/rate-plans", {"name": "Plan", "currency": "USD", "scope": scope})["id"]
        for name, price in rates.items():
            self.rate(plan, name[1:], price)
        return plan

    def rate(self, plan, prefix, price, **fields):
        return self.api.post(f"/v1/rate-plans/{plan}/rates", {
            "prefix": prefix, "rate_per_minute": price, "valid_from": "2020-01-01T00:00:00Z", **fields})["id"]

    def address(self):
        """A loopback address no trunk has yet."""
        self.next_source += 1
        return f"127.0.{self.next_source // 250 + 1}.{self.next_source % 250 + 1}"

    def caller_trunk(self, customer, source, prefix="55", plan=None, **fields):
        body = {"customer_id": customer, "name": "In", "identification": "prefix", "tech_prefix": prefix, "rate_plan_id": plan,
                "sources": [{"network": source}], **fields}
        if body["identification"] == "peer":
            del body["tech_prefix"]
        return self.api.post("/v1/trunks", body)["id"]

    def carrier_trunk(self, customer, ports, ip="127.0.0.1", **fields):
        """An outgoing trunk whose endpoints are `ports` of `ip`, tried in order."""
        body = {"customer_id": customer, "name": "Out", "identification": "peer", "sources": [{"network": self.address()}],
                "max_concurrent_outgoing": None,
                "endpoints": [{"address": ip, "port": port, "transport": "udp"} for port in ports], **fields}
        return self.api.post("/v1/trunks", body)["id"]

    def rule(self, code, targets, **fields):
        """A routing rule; targets are trunk ids or whole target objects."""
        listed = [target if isinstance(target, dict) else {"trunk_id": target} for target in targets]
        return self.api.post("/v1/routing-rules", {"code": code, "mode": "priority", "targets": listed, **fields})["id"]

    def dialpeer(self, customer, trunk, rule, **fields):
        return self.api.post("/v1/dialpeers", {"display_name": "Peer", "customer_id": customer, "trunk_id": trunk,
                                               "routing_rule_id": rule, **fields})["id"]

    def simple(self, source=None, prefix="55", balance="100.000000", price="0.012000", carrier_ports=None, code="44", customer=None,
               trunk=None, carrier=None, outcome=None):
        """One customer that can call 44 through one carrier. Returns an object with all ids, the source and the carrier port.
        `outcome`: the reason a call is expected to be refused with, None = it goes through."""
        made = Simple()
        made.source = source or self.address()
        made.ports = carrier_ports or free_ports(1)
        made.port = made.ports[0]
        made.plan = self.plan(**{"p" + code: price})
        made.customer = self.customer(balance, **(customer or {}))
        made.trunk = self.caller_trunk(made.customer, made.source, prefix, made.plan, **(trunk or {}))
        made.vendor = self.customer(None, name="Vendor")
        made.carrier = self.carrier_trunk(made.vendor, made.ports, **(carrier or {}))
        made.rule = self.rule(code, [made.carrier])
        made.dialpeer = self.dialpeer(made.customer, made.trunk, made.rule)
        made.number = prefix + code + "7700900123"
        self.settled(made, outcome)
        return made

    def settled(self, made, outcome=None):
        """Waits until a route test gives the answer of the newest configuration, which is in force within a second (REQUIREMENTS 3.8)."""
        question = {"trunk_id": made.trunk, "caller": "37477", "called": made.number}

        def known():
            answer = self.api.call("POST", "/v1/route-tests", question)
            return answer.status == 200 and answer.json["reason"] == outcome

        try:
            wait_for(known, 10, "configuration in force")
        except StepFailed as failure:
            raise AssertionError(f"{failure}: {self.api.call('POST', '/v1/route-tests', question)}") from failure


class Simple:
    """Ids of one caller, carrier and rule; fields are set by World.simple."""
