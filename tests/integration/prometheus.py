# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus with the shipped configuration and alert rules, shortened in time, and what it says of strait."""

import json
import sys
import urllib.parse
from pathlib import Path

import yaml

from daemon import AdminConnection, Answer
from lab import program_path
from waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/repository"))

import monitoring  # pylint: disable=wrong-import-position

LISTEN = ("127.0.0.1", 9090)
EVERY = "500ms"


def shortened_rules():
    """The alert rules, with what must last for minutes lasting a second."""
    document = yaml.safe_load(monitoring.ALERTS.read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "1s"
    return document


class Prometheus:
    """Runs in a place until the lab ends. Scrapes one target, as the job "strait", or "strait-remote" with a token."""

    def __init__(self, place, target, token_file=None):
        self.place = place
        directory = place.lab.directory / f"prometheus-{next(place.lab.numbers)}"
        directory.mkdir()
        (directory / "alerts.yml").write_text(yaml.safe_dump(shortened_rules()))
        (directory / "prometheus.yml").write_text(yaml.safe_dump(self.configuration(target, token_file)))
        self.program = place.start(program_path("prometheus"), f"--config.file={directory}/prometheus.yml",
                                   f"--storage.tsdb.path={directory}/data", "--web.listen-address={}:{}".format(*LISTEN),
                                   "--log.format=logfmt", name="prometheus", env={"GOMAXPROCS": "1"})
        eventually(lambda: self.get("/-/ready").status == 200, 30, what="Prometheus is ready")

    @staticmethod
    def configuration(target, token_file):
        document = yaml.safe_load((monitoring.PROMETHEUS / "prometheus.yml").read_text())
        wanted = "strait-remote" if token_file else "strait"
        job, = [j for j in document["scrape_configs"] if j["job_name"] == wanted]
        job["static_configs"] = [{"targets": [target]}]
        if token_file:
            job["authorization"]["credentials_file"] = str(token_file)
        document["scrape_configs"] = [job]
        document["global"] = {"scrape_interval": EVERY, "evaluation_interval": EVERY, "scrape_timeout": EVERY}
        return document

    def get(self, path):
        with self.place.connect(LISTEN) as s:
            connection = AdminConnection(s)
            connection.request("GET", path)
            return Answer(connection.getresponse())

    def api(self, path, **parameters):
        answer = self.get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        document = json.loads(answer.text)
        assert answer.status == 200 and document["status"] == "success", f"{parameters}: {answer.text}"
        assert not document.get("warnings"), document["warnings"]
        return document["data"]

    def query(self, text):
        """Pairs of labels and value."""
        found = self.api("query", query=text)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in found]

    def value(self, text):
        """Of a query that has one result; None when it has no result yet."""
        found = self.query(text)
        assert len(found) <= 1, f"{text}: {found}"
        return found[0][1] if found else None

    def wait_for(self, text, is_wanted, timeout=30):
        """Until the value of the query is as wanted; returns it."""
        def has_come():
            value = self.value(text)
            assert value is not None and is_wanted(value), f"{text} is {value}"
            return True
        eventually(has_come, timeout, every=0.1, what=text)
        return self.value(text)

    def wait_for_scrapes(self, count=2):
        """So many scrapes that began after this was called."""
        begun = float(self.api("query", query="time()")["result"][1])
        def have_come():
            found = self.api("query", query="timestamp(up)")["result"]
            return found and float(found[0]["value"][1]) > begun
        for _ in range(count):
            eventually(have_come, 30, every=0.1, what="a scrape")
            begun = float(self.api("query", query="time()")["result"][1])

    def target(self):
        found, = self.api("targets", state="active")["activeTargets"]
        return found

    def alerts(self, state="firing"):
        """Labels of the alerts that are in this state."""
        return [a["labels"] for a in self.api("alerts")["alerts"] if a["state"] == state]

    def wait_for_alert(self, name, timeout=30, **labels):
        def fires():
            return [a for a in self.alerts() if a["alertname"] == name and labels.items() <= a.items()]
        return eventually(fires, timeout, every=0.1, what=f"alert {name} {labels} fires")[0]

    def wait_until_quiet(self, name, timeout=30):
        eventually(lambda: name not in [a["alertname"] for a in self.alerts()], timeout, every=0.1,
                   what=f"alert {name} fires no more")

    def problems(self):
        """What it has warned of in its log."""
        return [line for line in self.program.errors.splitlines() if "level=warn" in line or "level=error" in line]
