# SPDX-License-Identifier: Apache-2.0
"""Log sinks change at a reload: no record is lost, none is written twice, and what cannot be opened changes nothing."""

import json
import re
import signal
import threading

import process
from servers import small_server
from traffic import exchange, is_served
from waiting import eventually, thread

FRONT = ("127.0.0.1", 8000)
CONFIGURATION = "service web {\n listen 127.0.0.1:8000\n to web\n}\npool web {\n server 127.0.0.1:9001 name=a\n}\n"


def start(strait, loopback, **options):
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    return strait(loopback.proxy, CONFIGURATION, **options)


def change(daemon, log):
    """A reload with these log lines, wherever its event may go."""
    generation = daemon.status()["generation"]
    daemon.configure(CONFIGURATION, log=log)
    daemon.program.signal(signal.SIGHUP)
    eventually(lambda: daemon.status()["generation"] == generation + 1, every=0.002)


def connect_once(loopback):
    exchange(loopback.client.connect(FRONT)).close()


def events(text):
    """The names of the events in a log, of either format. Flows and other events need not be in order."""
    lines = text[:text.rfind("\n") + 1].splitlines()
    return sorted(json.loads(line)["event"] if line.startswith("{") else line.split()[1] for line in lines)


def flow_ids(text):
    return re.findall(r'(?m)^\S+ flow_end .*\bid=([0-9a-f]{16})|"event":"flow_end","id":"([0-9a-f]{16})"', text)


def test_text_and_json(strait, loopback):
    """The format of a sink changes between two lines."""
    daemon = start(strait, loopback)
    daemon.wait_for_event("started")
    for log, opening in (("stderr format=text", "2"), ("stderr format=json", "{"), ("stderr format=text", "2")):
        before = len(daemon.lines())
        change(daemon, log)
        connect_once(loopback)
        eventually(lambda: len(daemon.lines()) == before + 2)
        assert {line[0] for line in daemon.lines()[before:]} == {opening}
        assert events("\n".join(daemon.lines()[before:]) + "\n") == ["flow_end", "reloaded"]


def test_from_stderr_to_a_file_and_back(strait, loopback):
    """Each event goes to the sinks of its time, and the removed file is closed."""
    daemon = start(strait, loopback)
    path = loopback.directory / "moved.log"
    connect_once(loopback)
    daemon.wait_for_flows(1)
    descriptors = process.descriptor_count(daemon.pid)
    change(daemon, f"file:{path} format=json")
    connect_once(loopback)
    eventually(lambda: events(path.read_text()) == ["flow_end", "reloaded"])
    assert [p["name"] for p in daemon.status()["log"]["places"]] == ["rings", str(path)]
    change(daemon, "stderr format=json")
    connect_once(loopback)
    daemon.wait_for_flows(2)
    assert events(path.read_text()) == ["flow_end", "reloaded"]
    assert events(daemon.program.errors) == ["flow_end", "flow_end", "reloaded", "started"]
    eventually(lambda: process.descriptor_count(daemon.pid) <= descriptors)


def test_a_level_changes(strait, loopback):
    """Access records come and go with the level of the only sink."""
    daemon = start(strait, loopback, log="stderr format=json level=warning")
    for i in range(1, 4):
        connect_once(loopback)
        daemon.wait_for_active("web", 0)
        assert not daemon.flows()[i - 1:]
        change(daemon, "stderr format=json level=info")
        connect_once(loopback)
        daemon.wait_for_flows(i)
        change(daemon, "stderr format=json level=warning")


def test_a_file_that_cannot_be_opened(strait, loopback):
    """The reload is refused with path and error; the sinks and all else stay as they were."""
    daemon = start(strait, loopback)
    other = loopback.directory / "other.log"
    good = f"stderr format=json\nlog file:{other}"
    connect_once(loopback)
    daemon.wait_for_flows(1)
    descriptors = process.descriptor_count(daemon.pid)
    event = daemon.hang_up(CONFIGURATION.replace("8000", "8001"), log=f"{good}\nlog file:/nowhere/at/all.log")
    assert event["event"] == "reload_failed" and event["generation"] == 1
    assert "/nowhere/at/all.log" in event["cause"] and "No such file" in event["cause"]
    assert is_served(loopback.client, FRONT)
    daemon.wait_for_flows(2)
    assert not other.exists() or other.read_text() == ""
    eventually(lambda: process.descriptor_count(daemon.pid) <= descriptors)
    assert daemon.hang_up(CONFIGURATION, log=good)["event"] == "reloaded"
    eventually(lambda: "reloaded" in other.read_text())


def test_a_listener_that_cannot_be_opened(strait, loopback):
    """Sinks that were opened for a reload that is refused afterwards are closed again."""
    daemon = start(strait, loopback)
    other = loopback.directory / "other.log"
    with loopback.proxy.listen(("127.0.0.1", 8001)):
        descriptors = process.descriptor_count(daemon.pid)
        event = daemon.hang_up(CONFIGURATION.replace("8000", "8001"), log=f"file:{other}")
        assert event["event"] == "reload_failed" and "8001" in event["cause"]
        connect_once(loopback)
        daemon.wait_for_flows(1)
        eventually(lambda: process.descriptor_count(daemon.pid) <= descriptors)


def test_records_are_complete_while_sinks_change(strait, loopback):
    """Under load, over fifty changes of sinks and formats, every connection has one record in one of the sinks."""
    daemon = start(strait, loopback)
    paths = [loopback.directory / f"{i}.log" for i in range(3)]
    is_over = threading.Event()

    def connect_often():
        count = 0
        while not is_over.is_set():
            connect_once(loopback)
            count += 1
        return count
    clients = [thread(connect_often) for _ in range(3)]
    for i in range(50):
        form = ("json", "text")[i // 5 % 2]
        change(daemon, [f"stderr format={form}", *(f"file:{p} format={form}" for p in paths)][(i + 1) % 4])
    is_over.set()
    count = sum(c.join() for c in clients)
    daemon.wait_for_active("web", 0)
    assert daemon.status()["log"]["dropped"] == 0
    assert daemon.stop() == 0
    found = {p.name: flow_ids(p.read_text()) for p in (*paths, daemon.program.errors_path)}
    ids = [one for some in found.values() for one in some]
    assert len(ids) == len(set(ids)) == count > 200, {name: len(some) for name, some in found.items()}
    assert all(found.values()), "every sink has had some"
