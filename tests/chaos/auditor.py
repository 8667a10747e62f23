"""What a chaos run must leave behind (REQUIREMENTS 9.6): one CDR for every call that was answered or refused, books exact to the
micro-unit, Redis equal to MySQL, nothing held, nobody below his floor. A loss that is by design is told apart, counted and bounded."""
import collections
import time

from procs import StepFailed, wait_for

MICROS_A_SECOND = 10_000  # traffic.PRICE
# `kill -9` of an ingress loses the records that were not on disk: those made within the spool's linger and one write. A caller's log has
# whole events of SIPp, which looks at its sockets every 10 ms or so on a busy machine.
SPOOL_SECONDS = 0.5
LOST_IN_A_KILL_MAX = 5
LOST_IN_KILL = "record not on disk yet when its ingress was killed"
CLOSING_SECONDS = 25  # from the kill of an ingress until billing has closed its calls
SHOWN_MAX = 20
CDR_COLUMNS = ("call_id", "ingress_sip_call_id", "reason", "instance", "answered_at", "billed_seconds", "charge_micros", "customer_id")


class Audit:
    """`run`: the ChaosRun with stack, traffic and faults."""

    def __init__(self, run):
        self.run, self.stack = run, run.stack
        self.differences = []
        self.by_design = collections.Counter()
        self.only_in_redis = []  # texts

    def differ(self, text):
        self.differences.append(text)

    # At rest.

    def held(self):
        """What is left in Redis besides accounts, ended marks, and counts of a second that expire. The lease of a slot that is over counts
        no more; its entry goes when the trunk's next call comes."""
        left, now = [], time.time() * 1000
        for key in self.stack.redis("--raw", "KEYS", "*").split("\n"):
            name = key.split(":", 1)[-1] if key.startswith("{") else key
            if name.startswith(("in:", "out:")) and not int(self.stack.redis("ZCOUNT", key, now, "+inf")):
                continue
            if key and name != "acct" and not name.startswith(("ended:", "cps:")):
                left.append(f"{key} {self._content(key)}")
        return left

    def _content(self, key):
        kind = self.stack.redis("TYPE", key)
        command = {"zset": ("ZRANGE", key, 0, -1, "WITHSCORES"), "hash": ("HGETALL", key), "string": ("GET", key)}.get(kind)
        return self.stack.redis("--raw", *command).replace("\n", " ")[:200] if command else ""

    def spooled(self):
        """Records that the stream does not have yet."""
        waiting = 0
        for name in self.run.ingresses:
            for line in self.stack.ops(name).call("GET", "/metrics").text.splitlines():
                if line.startswith("tollgate_ingress_spool_records "):
                    waiting += int(float(line.split()[1]))
        return waiting

    def wait_for_rest(self, seconds):
        """Until nothing is live, held or waiting, and the books have not grown for a while."""
        state = {}

        def at_rest():
            now = (self.spooled(), len(self.run.api.get("/v1/calls")["items"]), len(self.held()),
                   self.stack.sql("SELECT (SELECT COUNT(*) FROM cdrs), (SELECT COUNT(*) FROM ledger_entries)")[0])
            if state.get("last") != now:
                state.update(last=now, since=time.monotonic())
            return now[:3] == (0, 0, 0) and time.monotonic() - state["since"] > 3

        try:
            wait_for(lambda: at_rest() or time.sleep(0.3), seconds, "rest")
        except StepFailed:
            spooled, live, held, _ = state["last"]
            self.differ(f"no rest within {seconds} s: {spooled} records in spools, {live} live calls, {held} keys held:\n    "
                        + "\n    ".join(self.held()[:SHOWN_MAX]))
            for call in self.run.api.get("/v1/calls")["items"][:SHOWN_MAX]:
                self.differ(f"live: {call}")

    # Calls.

    def calls(self):
        """Every call of a caller against its CDRs."""
        seen = self.run.traffic.seen()
        rows = collections.defaultdict(list)
        for row in self.stack.sql(f"SELECT {', '.join(CDR_COLUMNS)} FROM cdrs"):
            rows[row[1]].append(dict(zip(CDR_COLUMNS, row)))
        # A reservation does not carry the Call-ID of SIP, so the record of a call that was lost before its answer has none.
        nameless = rows.pop("", [])
        for cdr in nameless:
            if (cdr["reason"], cdr["answered_at"], cdr["charge_micros"]) != ("instance_lost", "NULL", "0"):
                self.differ(f"a CDR without a Call-ID: {cdr}")
        for call in sorted(rows.keys() - seen.keys()):
            self.differ(f"a CDR of a call that nobody placed: {rows[call]}")
        for call, told in seen.items():
            self._call(call, told, rows.get(call, []))
        if self.only_in_redis:
            self.differ(f"{len(self.only_in_redis)} answered calls without a CDR, because their ingress was killed and Redis was emptied "
                        "before they were closed:\n    " + "\n    ".join(self.only_in_redis[:SHOWN_MAX]))
        return seen

    def _call(self, call, told, cdrs):
        answered = [cdr for cdr in cdrs if cdr["answered_at"] != "NULL"]
        # A call of which the ingress was killed before its answer, which was closed as lost: when the caller repeats his INVITE, the next
        # process takes it for a new one.
        whole = [cdr for cdr in cdrs if cdr["reason"] != "instance_lost" or cdr in answered]
        if len(answered) > 1 or len(whole) > 1:
            self.differ(f"{call} has {len(cdrs)} CDRs: {cdrs}; {told}")
        elif told.answered and not answered:
            self._missing(call, told, f"was answered and has no CDR that says so: {cdrs}")
        elif told.ended and all(cdr["reason"] == "instance_lost" for cdr in answered):
            self._missing(call, told, f"was ended with BYE, which was answered, but was closed as lost: {answered}")
        elif told.refused and not cdrs:
            self._missing(call, told, "was refused and has no CDR")
        elif told.refused and answered:
            self.differ(f"{call} was refused and its CDR is of an answered call: {cdrs}; {told}")

    def _missing(self, call, told, what):
        over = told.refused or told.ended
        kills = [when for when, kind, target in self.run.faults.events if kind == "kill" and target == told.ingress]
        if call in self.run.lost_in_wipes:
            self.by_design["record in a stream that was wiped before billing had read it"] += 1
        elif over and any(abs(when - over) <= SPOOL_SECONDS for when in kills):
            self.by_design[LOST_IN_KILL] += 1
        elif told.answered and self._only_redis_knew(told, kills):
            self.only_in_redis.append(f"{call}: {told}")
        elif told.code == 503 and self._before_networks(told):
            self.by_design["503 of an ingress that does not know the networks yet, which leaves no record"] += 1
        else:
            self.differ(f"{call} {what}; {told}")

    def _only_redis_knew(self, told, kills):
        """Its ingress was killed during the call, and Redis was emptied before billing had closed it."""
        emptied = [when for when, kind, target in self.run.faults.events if target == "redis" and kind in ("flushall", "kill", "term")]
        return any(told.answered <= kill <= (told.bye or kill) + SPOOL_SECONDS and told.answered <= when <= kill + CLOSING_SECONDS
                   for kill in kills for when in emptied)

    def _before_networks(self, told):
        return any(start <= told.refused <= ready for start, ready in self.run.faults.supervisor.unready(told.ingress))

    def bound_losses(self):
        kills = sum(1 for _, kind, target in self.run.faults.events if kind == "kill" and target in self.run.ingresses)
        lost = self.by_design[LOST_IN_KILL]
        if lost > kills * LOST_IN_A_KILL_MAX:
            self.differ(f"{lost} records were lost in {kills} kills of an ingress; {LOST_IN_A_KILL_MAX} a kill are the most by design")

    # Books.

    def none(self, what, statement):
        rows = self.stack.sql(statement)
        for row in rows[:SHOWN_MAX]:
            self.differ(f"{what}: {' '.join(row)}")

    def books(self):
        self.none("transfer whose lines do not sum to zero",
                  "SELECT transfer_id, SUM(amount_micros) s FROM ledger_entries GROUP BY transfer_id HAVING s <> 0")
        self.none("account, balance, sum of its ledger",
                  "SELECT a.account, a.balance_micros, COALESCE(SUM(e.amount_micros), 0) s FROM accounts a LEFT JOIN ledger_entries e "
                  "ON e.account = a.account GROUP BY a.account, a.balance_micros HAVING s <> a.balance_micros")
        self.none("call, charge of its CDR, charged in the ledger",
                  "SELECT c.call_id, c.charge_micros, COALESCE(-SUM(e.amount_micros), 0) s FROM cdrs c LEFT JOIN ledger_entries e "
                  "ON e.call_id = c.call_id AND e.account LIKE 'customer:%' "
                  "GROUP BY c.call_id, c.charge_micros HAVING s <> c.charge_micros")
        self.none("ledger entry of a call that has no CDR",
                  "SELECT e.transfer_id, e.amount_micros FROM ledger_entries e LEFT JOIN cdrs c ON c.call_id = e.call_id "
                  "WHERE e.call_id IS NOT NULL AND c.call_id IS NULL")
        self.none("call, billed seconds, charge: not the price",
                  "SELECT call_id, ingress_sip_call_id, billed_seconds, charge_micros FROM cdrs "
                  f"WHERE charge_micros <> billed_seconds * {MICROS_A_SECOND}")
        self.none("dead letter", "SELECT id, subject, error FROM dead_letters")
        self._payments()
        self._redis_equals_mysql()
        self._floors()

    def _payments(self):
        paid = {row[0]: int(row[1]) for row in self.stack.sql(
            "SELECT transfer_id, amount_micros FROM ledger_entries WHERE kind = 'payment' AND account LIKE 'customer:%' "
            "AND transfer_id LIKE '%:chaos-%'")}
        wanted = {f"pay:{customer}:{key}": amount for key, (customer, amount) in self.run.traffic.payments.items()}
        if paid != wanted:
            self.differ(f"payments: missing {wanted.items() - paid.items()}, too many {paid.items() - wanted.items()}")

    def _redis_equals_mysql(self):
        for account, balance in self.stack.sql("SELECT account, balance_micros FROM accounts WHERE account LIKE 'customer:%'"):
            key = f"{{c{account.split(':')[1]}}}:acct"
            posted, held = (self.stack.redis("--raw", "HMGET", key, "posted", "held").split("\n") + [""])[:2]
            if posted != balance or int(held or 0) != 0:
                self.differ(f"{account}: balance {balance} in MySQL; in Redis posted {posted}, held {held}")

    def _floors(self):
        self.none("customer, balance, floor: below it",
                  "SELECT c.id, a.balance_micros, -c.credit_line_micros FROM customers c JOIN accounts a "
                  "ON a.account = CONCAT('customer:', c.id) WHERE NOT c.unlimited AND a.balance_micros < -c.credit_line_micros")

    def everything(self):
        seen = self.calls()
        self.bound_losses()
        self.books()
        return seen
