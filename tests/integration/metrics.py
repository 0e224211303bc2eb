# SPDX-License-Identifier: Apache-2.0
"""Reading a page of metrics."""

import re


def parse(page):
    """Values by (name, frozenset of labels); each series must stand there once."""
    found = {}
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r'(\w+)(?:\{((?:[^"]|"(?:\\.|[^"\\])*")*)\})? (\S+)', line).groups()
        key = name, frozenset(re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', labels or ""))
        assert key not in found, line
        found[key] = float(value)
    return found


class Metrics:
    """One scrape: m("strait_service_flows_total", service="web") is the sum of what fits."""

    def __init__(self, daemon):
        answer = daemon.get("/metrics")
        assert answer.status == 200, answer.text
        assert answer.type == "text/plain; version=0.0.4; charset=utf-8"
        self.text = answer.text
        self.series = parse(answer.text)

    def __call__(self, metric, **labels):
        fitting = [v for (name, have), v in self.series.items() if name == metric and set(labels.items()) <= have]
        assert fitting, f"{metric} {labels} is not on the page"
        return sum(fitting)

    def reasons(self, metric, **labels):
        """Counts by reason that are not 0."""
        wanted = set(labels.items())
        return {dict(have)["reason"]: int(v) for (name, have), v in self.series.items()
                if name == metric and wanted <= have and v > 0}
