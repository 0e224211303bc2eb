# SPDX-License-Identifier: Apache-2.0
"""Access records and events: complete, true, one line each, and never in the way of the traffic."""

import json
import os
import re
import socket
import subprocess
import time
from datetime import datetime, timezone

import pytest

from daemon import FLOW_FIELDS
from servers import Scripted, name_servers, small_server
from traffic import ask, exchange, is_refused, receive_all, receive_exactly
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
CONFIGURATION = """
service web {{
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    {more}
    to backends
}}
pool backends {{
    balance least-connections
    server 127.0.0.1:9000 name=blue
}}
"""


def start(strait, lab, more="", **options):
    return strait(lab.proxy, CONFIGURATION.format(more=more), **options)


def respond(connection):
    """1,000 bytes in, 50,000 out."""
    receive_exactly(connection, 1000)
    connection.sendall(bytes(50_000))
    receive_all(connection)


def one_connection(lab):
    """A whole conversation of the server above; returns the client's address."""
    with lab.client.connect(FRONT) as s:
        s.sendall(bytes(1000))
        receive_exactly(s, 50_000)
        time.sleep(0.5)
        return s.getsockname()


# content

def test_tcp_record(strait, loopback):
    """Every field of a TCP connection's record is there and true."""
    local = []

    def script(connection):
        local.append(connection.getpeername())
        respond(connection)
    Scripted(loopback.server, ("127.0.0.1", 9000), script)
    daemon = start(strait, loopback)
    client = one_connection(loopback)
    record = daemon.wait_for_flows(1)[0]
    assert FLOW_FIELDS <= set(record)
    expected = {"event": "flow_end", "service": "web", "protocol": "tcp", "client": f"127.0.0.1:{client[1]}",
                "listen": "127.0.0.1:8000", "pool": "backends", "server": "blue", "server_address": "127.0.0.1:9000",
                "local": f"127.0.0.1:{local[0][1]}", "path": "relay", "reason": "client_fin", "bytes_in": 1000,
                "bytes_out": 50_000, "packets_in": 0, "packets_out": 0, "retries": 0, "tried": [],
                "chosen_by": "least-connections"}
    assert {k: record[k] for k in expected} == expected
    assert 450 <= record["duration_ms"] < 10_000
    assert 0 <= record["connect_us"] < 5_000_000
    check_time(record["ts"])


def check_time(text):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    written = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs((datetime.now(timezone.utc) - written).total_seconds()) < 60


def test_udp_record(strait, loopback):
    """Every field of a UDP session's record is there and true; datagrams are counted."""
    name_servers(loopback.server, 1, "127.0.0.1", 9000)
    daemon = start(strait, loopback, "session idle=600ms new=600ms")
    with loopback.client.udp(FRONT) as s:
        for _ in range(3):
            _, port = ask(s)
        client = s.getsockname()
        record = daemon.wait_for_flows(1)[0]
    assert FLOW_FIELDS <= set(record)
    expected = {"event": "flow_end", "service": "web", "protocol": "udp", "client": f"127.0.0.1:{client[1]}",
                "listen": "127.0.0.1:8000", "pool": "backends", "server": "blue", "server_address": "127.0.0.1:9000",
                "local": f"127.0.0.1:{port}", "path": "relay", "reason": "idle_timeout", "bytes_in": 12,
                "packets_in": 3, "packets_out": 3, "retries": 0, "tried": []}
    assert {k: record[k] for k in expected} == expected
    assert record["bytes_out"] == 3 * len(f"a {port}\n")


def test_refused_record(strait, loopback):
    """A refused client has a record, too, with what is known."""
    daemon = start(strait, loopback, "deny 127.0.0.9")
    assert is_refused(loopback.client, FRONT, source=("127.0.0.9", 0))
    record = daemon.wait_for_flows(1)[0]
    assert (record["reason"], record["service"], record["listen"]) == ("denied_access", "web", "127.0.0.1:8000")
    assert record["client"].startswith("127.0.0.9:")
    assert (record["bytes_in"], record["bytes_out"]) == (0, 0)


def test_ipv6_addresses(strait, lab):
    """IPv6 addresses stand in brackets, IPv4 clients of a dual listener as IPv4."""
    small_server(lab.server, "echo", (lab.back[6], 9000))
    daemon = strait(lab.proxy, f"service web {{\n listen :8000\n to web\n}}\n"
                               f"pool web {{\n server [{lab.back[6]}]:9000\n}}\n")
    for version in (6, 4):
        exchange(lab.client.connect((lab.front[version], 8000))).close()
        daemon.wait_for_flows(1 if version == 6 else 2)
    six, four = daemon.flows()
    assert six["client"].startswith(f"[{lab.clients[6]}]:") and six["listen"] == f"[{lab.front[6]}]:8000"
    assert four["client"].startswith(f"{lab.clients[4]}:") and four["listen"] == f"{lab.front[4]}:8000"
    assert six["server_address"] == four["server_address"] == f"[{lab.back[6]}]:9000"
    assert six["local"].startswith(f"[{lab.local[6]}]:")


def test_ids_are_unique(strait, loopback):
    """No two flows have the same id."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = start(strait, loopback, "session idle=500ms")
    clients = [loopback.client.udp(FRONT) for _ in range(100)]
    for s in clients:
        exchange(s)
        exchange(loopback.client.connect(FRONT)).close()
    ids = [f["id"] for f in daemon.wait_for_flows(200)]
    assert len(set(ids)) == 200
    assert all(isinstance(i, str) and i for i in ids)
    for s in clients:
        s.close()


def test_every_line_is_a_record(strait, loopback):
    """With format=json stderr holds nothing but JSON objects with a time and an event, from start to stop."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = start(strait, loopback)
    for _ in range(20):
        exchange(loopback.client.connect(FRONT)).close()
    daemon.wait_for_flows(20)
    daemon.stop()
    text = daemon.program.errors
    assert text.endswith("\n")
    for line in text.splitlines():
        record = json.loads(line)
        assert record["event"]
        check_time(record["ts"])


def test_text_format(strait, loopback):
    """The text format has the same facts, one line for each record."""
    Scripted(loopback.server, ("127.0.0.1", 9000), respond)
    daemon = start(strait, loopback, log="stderr format=text")
    client = one_connection(loopback)
    line = eventually(lambda: [l for l in daemon.lines() if "client_fin" in l])[0]
    for fact in ("web", "blue", f"127.0.0.1:{client[1]}", "127.0.0.1:9000", "1000", "50000"):
        assert fact in line, f"{fact} is missing in: {line}"


def test_several_sinks(strait, loopback):
    """Two log lines write to two places, each in its own format."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    path = loopback.directory / "access.log"
    daemon = start(strait, loopback, log=f"stderr format=json\nlog file:{path} format=text")
    exchange(loopback.client.connect(FRONT)).close()
    daemon.wait_for_flows(1)
    eventually(lambda: "client_fin" in path.read_text())
    assert not path.read_text().startswith("{")


# escaping

NASTY = 'x"\n\\{\x1b[31m\x01\t,"reason":"forged"}\x7f\x80é'


@pytest.mark.parametrize("log", ["json", "text"])
def test_escaping(strait, loopback, log):
    """What a client can choose, such as the name of its unix socket, cannot break a line or forge another."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    path = loopback.directory / "front.sock"
    daemon = start(strait, loopback, f"listen unix:{path}", log=f"stderr format={log}")
    for name in (NASTY.encode("utf-8", "surrogateescape"), b"\xff\xfe\n{}", b"\0abstract\n\"name"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.bind(name if name.startswith(b"\0") else os.fsencode(loopback.directory) + b"/" + name)
            s.connect(str(path))
            exchange(s)
    eventually(lambda: sum("client_fin" in line for line in daemon.lines()) == 3)
    raw = daemon.program.errors_path.read_bytes()
    assert not [byte for byte in raw if byte < 0x20 and byte != 0x0A or byte == 0x7F], "a control character in the log"
    if log == "json":
        raw.decode("utf-8")
        assert len(daemon.flows(reason="client_fin")) == 3
        assert all(r["client"].startswith("unix:") for r in daemon.flows())
    assert daemon.flows(reason="forged") == []


# a reader that is stuck

def make_records(lab, count):
    """Ends that many UDP sessions, of one reply each."""
    with lab.client.udp(FRONT) as s:
        for _ in range(count):
            s.send(b"x")
            assert s.recv(10) == b"x"


def find_dropped(value):
    """The numbers of everything in the status that counts dropped log lines."""
    if isinstance(value, dict):
        own = [v for k, v in value.items() if "dropped" in k and isinstance(v, int)]
        return own + [n for v in value.values() for n in find_dropped(v)]
    if isinstance(value, list):
        return [n for v in value for n in find_dropped(v)]
    return []


@pytest.mark.xdist_group("heavy")
def test_stuck_reader_does_not_stop_the_traffic(strait, loopback):
    """
    While nobody reads the daemon's stderr all clients are served, what does not fit is counted, memory stays bounded;
    and when reading goes on, every line is whole.
    """
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = start(strait, loopback, "session replies=1", stderr=subprocess.PIPE)
    make_records(loopback, 1000)
    before = daemon.private_bytes()
    for _ in range(40):
        make_records(loopback, 1000)
        if sum(find_dropped(daemon.status())):
            break
    exchange(loopback.client.connect(FRONT), b"tcp too").close()
    assert sum(find_dropped(daemon.status())) > 0, "the overflow is counted in the status"
    assert daemon.private_bytes() - before < 32 << 20
    daemon.terminate()
    text = daemon.program.process.stderr.read().decode()
    assert daemon.wait() == 0
    records = [json.loads(line) for line in text.splitlines()]
    assert len([r for r in records if r.get("reason") == "replies_done"]) > 50


def test_closed_stderr(strait, loopback):
    """A reader of stderr that went away does not end the daemon."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = start(strait, loopback, stderr=subprocess.PIPE)
    daemon.program.process.stderr.close()
    for _ in range(20):
        exchange(loopback.client.connect(FRONT)).close()
    daemon.wait_for_active("web", 0)
    assert daemon.program.is_running()


def test_full_disk(strait, loopback):
    """A log file that cannot be written to (/dev/full) does not stop the traffic."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = start(strait, loopback, log="file:/dev/full format=json")
    for _ in range(20):
        exchange(loopback.client.connect(FRONT)).close()
    daemon.wait_for_active("web", 0)


def test_no_record_is_lost(strait, loopback):
    """In ordinary times every flow has exactly one record."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = start(strait, loopback, "session replies=1", workers=2)
    make_records(loopback, 2000)
    for _ in range(300):
        exchange(loopback.client.connect(FRONT)).close()
    daemon.wait_for_flows(2300, timeout=15)
    daemon.stop()
    assert len(daemon.flows()) == 2300
