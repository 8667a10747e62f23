"""The metrics that the running services export are those of tests/golden/metrics.txt: names, label names and kinds. Dashboards and alerts
use them. After a deliberate change: TOLLGATE_UPDATE_GOLDEN=1 scripts/test -R sip.metrics, then read the difference and commit it."""
import os
import re
import unittest

from harness import SipCase, main
from stack import ROOT, SERVICES

GOLDEN = os.path.join(ROOT, "tests", "golden", "metrics.txt")
HEAD = """# Every metric of the running services: name{label names} kind. Dashboards and alerts use only these.
# Written by TOLLGATE_UPDATE_GOLDEN=1 scripts/test -R sip.metrics; read the difference before you commit it.
"""
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*)\})? \S+')


def series(text):
    """The lines `name{label names} kind` of one /metrics page. A metric that has no series yet is not in the result."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    found = set()
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, labels = SAMPLE.fullmatch(line).groups()
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        if kinds.get(base) in ("histogram", "summary"):
            name = base
        names = sorted(set(re.findall(r'(\w+)="', labels or "")) - {"le", "quantile"})
        found.add(f"{name}{{{','.join(names)}}} {kinds[name]}" if names else f"{name} {kinds[name]}")
    return found


def wrong_names(service, lines):
    """Lines that break the naming rule tollgate_<service>_<noun>_<unit>[_total]; process_ is what every process has."""
    for line in lines:
        name, kind = re.split(r"[{ ]", line)[0], line.split()[-1]
        if not re.fullmatch(rf"(tollgate_{service}|process)_[a-z0-9_]+", name) or (kind == "counter") != name.endswith("_total"):
            yield line


class Golden(SipCase):
    def pages(self):
        return {service: series(self.stack.ops(service).call("GET", "/metrics").text) for service in SERVICES}

    def test_metrics_are_those_of_the_list(self):
        # REQUIREMENTS 12.1.
        at_start = self.pages()
        w = self.world.simple()
        self.carrier(w.port)
        self.cdr_of(self.call(w.number, ip=w.source))
        after_a_call = self.pages()
        for service in SERVICES:
            self.assertEqual(sorted(after_a_call[service] - at_start[service]), [], "series must be there from the start, with value 0")
            self.assertEqual(list(wrong_names(service, at_start[service])), [], service)
        shared = {line for line in set.union(*at_start.values()) if line.startswith("process_")}
        for service in SERVICES:
            self.assertLessEqual(shared, at_start[service], f"every process exports the same process metrics, {service} too")
        lines = sorted(set.union(*at_start.values()))
        if os.environ.get("TOLLGATE_UPDATE_GOLDEN"):
            with open(GOLDEN, "w", encoding="utf-8") as file:
                file.write(HEAD + "\n".join(lines) + "\n")
        with open(GOLDEN, encoding="utf-8") as file:
            self.assertEqual(lines, [line for line in file.read().splitlines() if not line.startswith("#")])


class Reading(unittest.TestCase):
    def test_series_have_label_names_and_kinds(self):
        text = ('# HELP a_total x\n# TYPE a_total counter\na_total{b="x",a="{1,\\"2\\"}"} 1\n'
                '# TYPE h histogram\nh_bucket{stage="r",le="+Inf"} 1\n'
                'h_sum{stage="r"} 0.5\nh_count{stage="r"} 1\n# TYPE g gauge\ng 3e+05\n# TYPE empty counter\n')
        self.assertEqual(series(text), {"a_total{a,b} counter", "h{stage} histogram", "g gauge"})

    def test_names_follow_the_rule(self):
        good = ["tollgate_auth_a_total{b} counter", "tollgate_auth_b gauge", "process_threads gauge"]
        self.assertEqual(list(wrong_names("auth", good)), [])
        self.assertEqual(len(list(wrong_names("auth", ["tollgate_auth_a counter", "tollgate_billing_b gauge", "b gauge"]))), 3)


if __name__ == "__main__":
    main()
