# SPDX-License-Identifier: Apache-2.0
"""Logs over sockets, sampled, and of flows that go on: rsyslogd and the journal get whole records, and only those."""

import json
import re
import threading
import time
from collections import Counter
from datetime import datetime

import pytest

from log_servers import Journal, Rsyslog
from servers import small_server
from traffic import exchange
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
CONFIGURATION = """
service web {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to backends
}
pool backends {
    server 127.0.0.1:9000 name=blue
}
"""


@pytest.fixture
def echo(loopback):
    return small_server(loopback.server, "echo", ("127.0.0.1", 9000))


@pytest.fixture
def rsyslog(loopback):
    return Rsyslog(loopback.server, loopback.directory / "rsyslog")


def start(strait, loopback, *sinks):
    lines = "\nlog ".join(("stderr format=json", *sinks))
    return strait(loopback.proxy, CONFIGURATION, log=lines)


def connections(loopback, count):
    for _ in range(count):
        exchange(loopback.client.connect(FRONT)).close()


@pytest.mark.parametrize("way", ["unix", "udp", "tcp"])
def test_syslog(strait, loopback, echo, rsyslog, way):
    """Records and events arrive whole over each transport, with severity, program, pid, event and time."""
    target = {"unix": f"syslog:unix:{rsyslog.socket}", "udp": "syslog:127.0.0.1:5514", "tcp": "syslog:tcp:127.0.0.1:6514"}
    daemon = start(strait, loopback, f"{target[way]} format=json")
    connections(loopback, 50)
    daemon.wait_for_flows(50)
    eventually(lambda: len(rsyslog.texts("flow_end")) == 50)
    ids = {r["id"] for r in daemon.flows()}
    assert {json.loads(t)["id"] for t in rsyslog.texts("flow_end")} == ids
    for pri, version, when, name, pid, _, _ in rsyslog.received():
        assert (pri, version, name, pid) == ("30", "1", "strait", str(daemon.pid))
        assert abs(datetime.fromisoformat(when).timestamp() - time.time()) < 300
    assert [json.loads(t)["event"] for t in rsyslog.texts("started")] == ["started"]
    daemon.hang_up("nonsense")
    eventually(lambda: rsyslog.texts("reload_failed"))
    assert [parts[0] for parts in rsyslog.received() if parts[5] == "reload_failed"] == ["27"]


def test_text_over_syslog(strait, loopback, echo, rsyslog):
    """format=text is the text form, without its newline."""
    daemon = start(strait, loopback, "syslog:udp:127.0.0.1:5514 format=text")
    connections(loopback, 1)
    daemon.wait_for_flows(1)
    text = eventually(lambda: rsyslog.texts("flow_end"))[0]
    assert " flow_end id=" in text and "service=web" in text


def test_hostile_text_over_syslog(strait, loopback, echo, rsyslog):
    """Newlines and other control characters in what a reload complains of neither split nor forge a message."""
    daemon = start(strait, loopback, "syslog:tcp:127.0.0.1:6514 format=text", f"syslog:unix:{rsyslog.socket} format=json")
    before = len(rsyslog.received())
    daemon.hang_up('"x\\n<0>1 - evil forged 1 forged - forged\\x1b[31m\\x00" {}')
    eventually(lambda: len(rsyslog.texts("reload_failed")) == 2)
    connections(loopback, 1)
    eventually(lambda: len(rsyslog.texts("flow_end")) == 2)
    assert {parts[3] for parts in rsyslog.received()[before:]} == {"strait"}
    assert all(len(parts) == 7 and "\x1b" not in parts[6] for parts in rsyslog.received())


def test_server_comes_later(strait, loopback, echo):
    """strait starts without a log server, and what happened meanwhile is there when it comes."""
    place = loopback.directory / "rsyslog"
    daemon = start(strait, loopback, f"syslog:unix:{place}/log", "syslog:tcp:127.0.0.1:6514")
    connections(loopback, 20)
    daemon.wait_for_flows(20)
    rsyslog = Rsyslog(loopback.server, place)
    eventually(lambda: len(rsyslog.texts("flow_end")) == 40, 20)
    assert daemon.status()["log"]["dropped"] == 0


def test_server_restarts_under_load(strait, loopback, echo, rsyslog):
    """
    While rsyslogd is killed and started again, again and again, traffic goes on, no message arrives torn, and hardly one
    twice. What it had taken, or the system had taken for it, may be lost with it.
    """
    daemon = start(strait, loopback, f"syslog:unix:{rsyslog.socket} format=json", "syslog:tcp:127.0.0.1:6514 format=json")
    stop = threading.Event()

    def load():
        while not stop.is_set():
            connections(loopback, 1)

    thread = threading.Thread(target=load)
    thread.start()
    for _ in range(3):
        time.sleep(0.5)
        rsyslog.stop()
        time.sleep(0.5)
        rsyslog.start()
    stop.set()
    thread.join()

    def arrives():
        """A new flow's record comes by both ways, when what was held back has been delivered."""
        connections(loopback, 1)
        last = daemon.wait_for_flows(daemon.service("web")["flows_total"])[-1]["id"]
        time.sleep(0.2)
        return sum(last in text for text in rsyslog.texts("flow_end")[-50:]) == 2
    eventually(arrives, 30)
    records = daemon.flows()
    count = len(records)
    seen = Counter(json.loads(t)["id"] for t in rsyslog.texts("flow_end"))
    assert seen.keys() <= {r["id"] for r in records}
    assert len(seen) > count / 4
    assert {parts[5] for parts in rsyslog.received()} <= {"flow_end", "started", "server_down", "server_up", "limit_reached"}


def test_absent_server_is_bounded(strait, loopback, echo, own_memory):
    """A log server that never comes costs a bounded buffer; what does not fit is counted at that place, not at others."""
    daemon = start(strait, loopback, "syslog:tcp:127.0.0.1:6514 format=json", "syslog:unix:/nonexistent/log format=json")
    connections(loopback, 1500)
    daemon.wait_for_flows(1500)
    places = eventually(lambda: {p["name"]: p["dropped"] for p in daemon.status()["log"]["places"]})
    assert places["syslog:tcp:127.0.0.1:6514"] > 0 and places["syslog:unix:/nonexistent/log"] > 0
    assert places["stderr"] == 0 and places["rings"] == 0
    daemon.terminate()
    assert daemon.wait() == 0


def test_journal(strait, loopback, echo):
    """Each field of a record is a field of the entry, beside message, priority and identifier; nothing forges another."""
    journal = Journal(loopback.directory / "journal")
    daemon = start(strait, loopback, f"journald:{journal.path} format=text")
    connections(loopback, 3)
    records = daemon.wait_for_flows(3)
    entries = eventually(lambda: len(journal.of("flow_end")) == 3 and journal.of("flow_end"))
    for record, entry in zip(records, entries):
        assert entry["PRIORITY"] == [b"6"] and entry["SYSLOG_IDENTIFIER"] == [b"strait"]
        assert re.match(rb"2\S+Z flow_end id=", entry["MESSAGE"][0])
        for key, value in record.items():
            if key not in ("ts", "tried"):
                assert entry[f"STRAIT_{key.upper()}"] == [str(value).encode()], key
    daemon.hang_up('"x\\nPRIORITY=0\\nMESSAGE=forged\\x00" {}')
    entry, = eventually(lambda: journal.of("reload_failed"))
    assert entry["PRIORITY"] == [b"3"] and len(entry["MESSAGE"]) == 1
    journal.close()


def test_sinks_change_at_reload(strait, loopback, echo, rsyslog):
    """A sink comes and goes with a reload, and two of the same kind are two."""
    daemon = start(strait, loopback)
    daemon.hang_up(CONFIGURATION, log="stderr format=json\nlog syslog:udp:127.0.0.1:5514")
    connections(loopback, 1)
    eventually(lambda: len(rsyslog.texts("flow_end")) == 1)
    daemon.hang_up(CONFIGURATION, log="stderr format=json")
    connections(loopback, 1)
    daemon.wait_for_flows(2)
    daemon.hang_up(CONFIGURATION, log="stderr format=json\nlog syslog:udp:127.0.0.1:5514")
    connections(loopback, 1)
    eventually(lambda: len(rsyslog.texts("flow_end")) == 2)


def test_stop_does_not_wait_for_a_dead_server(strait, loopback, echo):
    """What cannot be delivered is given up soon, and the stop succeeds."""
    daemon = start(strait, loopback, "syslog:tcp:127.0.0.1:6514")
    connections(loopback, 10)
    daemon.wait_for_flows(10)
    begun = time.monotonic()
    daemon.terminate()
    assert daemon.wait() == 0
    assert time.monotonic() - begun < 8


# sampling

def test_sampling(strait, loopback, echo):
    """One flow in ten, by chance but with all its records; events are all there, and the other sink has all."""
    path = loopback.directory / "sampled.log"
    daemon = start(strait, loopback, f"file:{path} format=json sample=1/10")
    connections(loopback, 1000)
    whole = {r["id"] for r in daemon.wait_for_flows(1000)}
    daemon.hang_up("nonsense")
    eventually(lambda: "reload_failed" in path.read_text())
    sampled = [json.loads(line) for line in path.read_text().splitlines()]
    flows = [r for r in sampled if r["event"] == "flow_end"]
    assert 50 <= len(flows) <= 160  # 100 and five deviations
    assert {r["id"] for r in flows} <= whole
    assert {r["sample"] for r in flows} == {10}
    assert {"started", "reload_failed"} <= {r["event"] for r in sampled}
    assert all("sample" not in r for r in daemon.flows())


# flows that go on

def test_progress(strait, loopback, echo):
    """
    A flow that goes on is told of once in each period, with counts so far, and at its end once more; a sink with twice
    the period gets half of it; a short flow and a sink that has not asked get nothing of it.
    """
    often, seldom = loopback.directory / "often.log", loopback.directory / "seldom.log"
    daemon = start(strait, loopback, f"file:{often} format=json every=1s", f"file:{seldom} format=json every=2s")
    tcp, udp = exchange(loopback.client.connect(FRONT), b"x" * 100), loopback.client.udp(FRONT)
    udp.send(b"y" * 10)
    udp.recv(100)
    connections(loopback, 1)
    time.sleep(5.5)
    exchange(tcp, b"x" * 50)
    tcp.close()
    daemon.wait_for_flows(2, protocol="tcp")
    eventually(lambda: often.read_text().count("flow_end") == 2)
    progress = {}
    for path in (often, seldom):
        for record in map(json.loads, path.read_text().splitlines()):
            if record["event"] == "flow_progress":
                progress.setdefault((path, record["protocol"]), []).append(record)
    for protocol, count in (("tcp", 100), ("udp", 10)):
        records = progress[often, protocol]
        assert 4 <= len(records) <= 7
        assert len({r["id"] for r in records}) == 1
        assert {(r["bytes_in"], r["bytes_out"], r["reason"], r["server"]) for r in records} == {(count, count, "none", "blue")}
        ages = [r["duration_ms"] for r in records]
        assert all(999 <= after - before <= 1001 for before, after in zip(ages, ages[1:]))
        assert 2 <= len(progress[seldom, protocol]) <= 3
        assert {r["duration_ms"] for r in progress[seldom, protocol]} <= set(ages)
    assert not daemon.events("flow_progress")
    end = next(r for r in daemon.flows(protocol="tcp") if r["bytes_in"] == 150)
    assert end["id"] == progress[often, "tcp"][0]["id"] and end["event"] == "flow_end"


def test_progress_changes_at_reload(strait, loopback, echo):
    """Asked for by a reload it begins, taken back it ends, for flows that are there already."""
    daemon = start(strait, loopback)
    held = exchange(loopback.client.connect(FRONT))
    daemon.hang_up(CONFIGURATION, log="stderr format=json every=1s")
    eventually(lambda: len(daemon.events("flow_progress")) >= 2, 20)
    daemon.hang_up(CONFIGURATION, log="stderr format=json")
    time.sleep(1.5)
    count = len(daemon.events("flow_progress"))
    time.sleep(2.5)
    assert len(daemon.events("flow_progress")) == count
    held.close()


def test_progress_of_many_flows(strait, loopback, echo):
    """Thousands of flows are told of in each period, none twice, and none is lost while the log keeps up."""
    count = 3000
    path = loopback.directory / "often.log"
    daemon = start(strait, loopback, f"file:{path} format=json every=2s")
    sockets = [loopback.client.udp(FRONT) for _ in range(count)]
    for s in sockets:
        s.send(b"x")
    daemon.wait_for_active("web", count, 30)
    eventually(lambda: path.read_text().count("flow_progress") >= 2 * count, 40)
    assert daemon.status()["log"]["dropped"] == 0
    by_flow = Counter()
    ages = {}
    for record in map(json.loads, path.read_text().splitlines()):
        if record["event"] == "flow_progress":
            by_flow[record["id"]] += 1
            assert record["duration_ms"] not in ages.setdefault(record["id"], set())
            ages[record["id"]].add(record["duration_ms"])
    assert len(by_flow) == count
    assert max(by_flow.values()) - min(by_flow.values()) <= 1
