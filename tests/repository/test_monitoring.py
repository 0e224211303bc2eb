# SPDX-License-Identifier: Apache-2.0
"""What is shipped for monitoring fits the metrics that there are: alert rules, their tests, the board, the documentation."""

import re
import shutil
import subprocess

import pytest
import yaml

import monitoring
from monitoring import ALERT_TESTS, ALERTS, BOARD, BOARD_MAKER, PROMETHEUS, ROOT

TABLE = ROOT / "docs/metrics.md"
METRICS = monitoring.read_table(TABLE) | monitoring.PROMETHEUS_OWN
QUERIES = monitoring.alert_queries() + monitoring.board_queries()
SEVERITIES = {"critical", "warning", "info"}


def promtool(*words):
    program = shutil.which("promtool")
    assert program, "promtool is not installed: see the list of test packages"
    result = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_alert_rules_are_valid():
    promtool("check", "rules", ALERTS)


def test_example_configuration_is_valid():
    """All but the token file, which is the reader's own."""
    promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert configuration["rule_files"] == [ALERTS.name]
    for job in configuration["scrape_configs"]:
        assert re.fullmatch("strait.*", job["job_name"]), "alerts look for jobs of that name"


def test_alerts_fire_when_they_should():
    promtool("test", "rules", ALERT_TESTS)


def test_every_alert_is_tested_both_ways():
    """Each alert has a case that fires it and one that does not."""
    fired, silent = set(), set()
    for group in yaml.safe_load(ALERT_TESTS.read_text())["tests"]:
        for case in group["alert_rule_test"]:
            (fired if case.get("exp_alerts") else silent).add(case["alertname"])
    names = {rule["alert"] for rule in monitoring.alerts()}
    assert fired == names
    assert silent == names


@pytest.mark.parametrize("rule", monitoring.alerts(), ids=lambda rule: rule["alert"])
def test_alerts_say_what_to_do(rule):
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "action"}
    assert all(len(text) > 20 for text in rule["annotations"].values())


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_queries_name_what_exists(query):
    """Metrics, and labels that each of them has."""
    used = monitoring.uses(query.text)
    assert used, f"no metric in {query.text}"
    for metric, labels in used:
        assert metric in METRICS, f"there is no metric {metric}"
    known = set().union(*(METRICS[metric] for metric, _ in used)) | monitoring.TARGET_LABELS
    for metric, labels in used:
        assert labels <= known, f"{metric} has no label {labels - known}"


def test_matchers_name_labels_of_their_metric():
    """A matcher of a label that the metric does not have would match nothing, silently."""
    for query in QUERIES:
        for metric, matchers in re.findall(r"\b([a-z]+_[a-z0-9_]+)\{([^}]*)\}", query.text):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers))
            assert labels <= METRICS[metric] | monitoring.TARGET_LABELS, f"{query.where}: {metric}{{{matchers}}}"


@pytest.mark.parametrize("bad", ["strait_no_such_total", "strait_server_up{shelf=\"3\"}"])
def test_unknown_names_are_really_found(bad):
    (metric, labels), = monitoring.uses(f"sum(rate({bad}[5m]))")
    assert metric not in METRICS or not labels <= METRICS[metric]


def test_board_queries_parse(tmp_path):
    rules = [{"record": f"board:query{i}", "expr": q.text} for i, q in enumerate(monitoring.board_queries())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "rules.yml")


def test_board_is_fresh():
    """strait.json is what make_board.py writes."""
    made = subprocess.run(["/usr/bin/python3", BOARD_MAKER], capture_output=True, text=True, check=True).stdout
    assert BOARD.read_text() == made


def test_board_is_laid_out():
    """Panels do not overlap, stay in the grid's 24 columns, and say what they show in which unit."""
    taken = set()
    for panel in monitoring.board()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in monitoring.panels():
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
    ids = [panel["id"] for panel in monitoring.board()["panels"]]
    assert len(ids) == len(set(ids))


def test_documentation_has_every_alert():
    """docs/monitoring.md has the table that scripts/list_alerts makes (`make reference`)."""
    made = subprocess.run(["/usr/bin/python3", ROOT / "scripts/list_alerts"], capture_output=True, text=True, check=True)
    assert made.stdout in (ROOT / "docs/monitoring.md").read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/monitoring.md"])
def test_pages_name_what_exists(page):
    named = re.findall(r"\b(strait_[a-z0-9_]+?|process_[a-z0-9_]+?)\b(?!/)", (ROOT / page).read_text())
    assert [name for name in named if name not in METRICS] == []
