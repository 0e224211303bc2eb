# SPDX-License-Identifier: Apache-2.0
"""What is shipped for monitoring, read for tests: the table of metrics, alert rules, and the queries of the board."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "examples/prometheus"
ALERTS, ALERT_TESTS = PROMETHEUS / "alerts.yml", PROMETHEUS / "alerts_test.yml"
BOARD, BOARD_MAKER = ROOT / "examples/grafana/strait.json", ROOT / "examples/grafana/make_board.py"

TARGET_LABELS = {"job", "instance"}  # added by Prometheus
PROMETHEUS_OWN = {"up": set()}
HISTOGRAM_ENDINGS = ("_bucket", "_sum", "_count")
# what Grafana puts into a query, and values that stand for it
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$service": ".*", "$pool": ".*"}


@dataclass
class Query:
    where: str
    text: str


def read_table(path):
    """Labels by metric, of every table of a page that has the columns metric, type and labels."""
    metrics, columns = {}, {}
    for line in path.read_text().splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if {"metric", "type", "labels"} <= set(cells):
            columns = {name: i for i, name in enumerate(cells)}
        elif not cells:
            columns = {}
        elif columns and "`" in cells[columns["metric"]]:
            labels = set(re.findall(r"\w+", re.sub(r"=[^,`\s]*", "", cells[columns["labels"]])))
            for name in re.findall(r"`(\w+)`", cells[columns["metric"]]):
                metrics[name] = labels
                if cells[columns["type"]] == "histogram":
                    metrics |= {name + ending: labels | {"le"} for ending in HISTOGRAM_ENDINGS}
    assert metrics, f"{path} has no table of metrics"
    return metrics


def alerts():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def alert_queries():
    return [Query(rule["alert"], rule["expr"]) for rule in alerts()]


def with_values(text):
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    assert "$" not in text, f"an unknown variable in {text}"
    return text


def board():
    return json.loads(BOARD.read_text())


def panels():
    return [p for p in board()["panels"] if p["type"] != "row"]


def board_queries():
    """Of panels, annotations and variables, ready for Prometheus."""
    found = [Query(p["title"], t["expr"]) for p in panels() for t in p["targets"]]
    found += [Query(a["name"], a["expr"]) for a in board()["annotations"]["list"]]
    for variable in board()["templating"]["list"]:
        asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
        if asked:
            found.append(Query(variable["name"], f"count by ({asked[2]}) ({asked[1]})"))
    return [Query(f"board: {q.where}", with_values(q.text)) for q in found]


def uses(query):
    """Pairs of a metric and the labels that are used with it; labels of `by (...)` count for all metrics of the query."""
    text = re.sub(r'"[^"]*"', '""', query)
    common = set()
    for words in re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", text):
        common |= set(re.findall(r"\w+", words))
    found = []
    for metric, matchers in re.findall(r"\b(up|[a-z]+_[a-z0-9_]+)\b(?!\s*\()(?:\{([^}]*)\})?", text):
        if metric not in common | {"group_left", "group_right", "on"}:
            found.append((metric, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) | common))
    return found
