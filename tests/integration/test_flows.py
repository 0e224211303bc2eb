# SPDX-License-Identifier: Apache-2.0
"""Live flows: listed with filters, and closed, by API and command."""

import json

import pytest

from servers import name_servers, server_lines, small_server
from traffic import ask, ending, exchange
from waiting import eventually

FRONT, OTHER = ("127.0.0.1", 8000), ("127.0.0.1", 8001)


@pytest.fixture
def servers(loopback):
    return name_servers(loopback.server, 2, "127.0.0.1")


@pytest.fixture
def daemon(strait, loopback, servers):
    return strait(loopback.proxy, f"""
service web {{
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to web
}}
service other {{
    listen 127.0.0.1:8001
    to other
}}
pool web {{
    balance first
    {server_lines({"a": servers["a"]})}
}}
pool other {{
    {server_lines({"b": servers["b"]})}
}}
""")


def flows(daemon, query=""):
    answer = daemon.get(f"/v1/flows{query}")
    assert answer.status == 200, answer.text
    return answer.json["flows"]


def test_flows_are_told(daemon, loopback):
    """Each with what its record will say, and under the same keys."""
    with loopback.client.connect(FRONT) as s, loopback.client.udp(FRONT) as u:
        ports = {"tcp": ask(s)[1], "udp": ask(u)[1]}
        clients = {"tcp": s.getsockname()[1], "udp": u.getsockname()[1]}
        found = {f["protocol"]: f for f in flows(daemon)}
        assert set(found) == {"tcp", "udp"}
        for protocol, flow in found.items():
            assert flow["service"] == "web" and flow["pool"] == "web" and flow["server"] == "a"
            assert flow["client"] == f"127.0.0.1:{clients[protocol]}"
            assert flow["listen"] == "127.0.0.1:8000" and flow["server_address"] == "127.0.0.1:9001"
            assert flow["local"] == f"127.0.0.1:{ports[protocol]}"
            assert flow["bytes_in"] == 4 and flow["bytes_out"] > 0
        ids = {f["id"] for f in found.values()}
    daemon.wait_for_flows(1, protocol="tcp")
    assert {f["id"] for f in daemon.flows(protocol="tcp")} <= ids
    eventually(lambda: [f["protocol"] for f in flows(daemon)] == ["udp"])


def test_filters(daemon, loopback):
    """By service, client and server; a name that fits nothing gives an empty list."""
    with loopback.client.connect(FRONT) as s, loopback.client.connect(OTHER, source=("127.0.0.9", 0)) as o, \
            loopback.client.udp(FRONT) as u:
        for one in (s, o, u):
            ask(one)
        port = o.getsockname()[1]
        for query, count in {"service=web": 2, "service=other": 1, "service=nobody": 0, "server=a": 2, "server=web/a": 2,
                             "server=other/a": 0, "server=b": 1, "client=127.0.0.9": 1, "client=127.0.0.0/8": 3,
                             f"client=127.0.0.9:{port}": 1, f"client=127.0.0.1:{port}": 0, "client=10.0.0.0/8": 0,
                             "client=::1": 0, "service=web&client=127.0.0.9": 0, "limit=0": 0, "limit=1": 1,
                             "limit=10000": 3}.items():
            assert len(flows(daemon, "?" + query)) == count, query
        assert daemon.get("/v1/flows?limit=1").json["matched_count"] >= 1


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=10001", "limit=", "client=x", "client=127.0.0.1:99999",
                                   "service=", "server=", "what=web", "service=web&service=web", "service=" + "x" * 100])
def test_wrong_questions(daemon, query):
    assert daemon.get(f"/v1/flows?{query}").status == 400


def test_closing(daemon, loopback):
    """The flow that was named ends with a record that says why; the others go on."""
    with loopback.client.connect(FRONT) as s, loopback.client.connect(FRONT) as t, loopback.client.udp(FRONT) as u:
        for one in (s, t, u):
            ask(one)
        port = s.getsockname()[1]
        target = next(f for f in flows(daemon) if f["client"] == f"127.0.0.1:{port}")
        session = next(f for f in flows(daemon) if f["protocol"] == "udp")
        assert daemon.ask("DELETE", f"/v1/flows/{target['id']}").status == 200
        assert ending(s) == "reset"
        ask(t)
        first_port = ask(u)[1]
        assert daemon.command("close", session["id"]).returncode == 0
        assert ask(u)[1] != first_port, "the next datagram begins another session"
    for one in (target, session):
        assert [f["reason"] for f in daemon.wait_for_flows(id=one["id"])] == ["admin_closed"]


@pytest.mark.parametrize("flow_id", ["0", "ffffffffffffffff", "x", "1%2f2", "100000000000000000"])
def test_closing_what_is_not_there(daemon, flow_id):
    assert daemon.ask("DELETE", f"/v1/flows/{flow_id}").status == 404
    assert daemon.command("close", "0").returncode == 1


def test_command(daemon, loopback):
    """`strait connections`: a table, or JSON; `strait pools`: the servers."""
    with exchange(loopback.client.connect(FRONT), b"who\n"[:0]) as s:
        ask(s)
        client = f"127.0.0.1:{s.getsockname()[1]}"
        table = daemon.command("connections").stdout.splitlines()
        assert len(table) == 2 and client in table[1] and "web/a" in table[1]
        document = json.loads(daemon.command("connections", "-o", "json", "--service", "web").stdout)
        assert [f["client"] for f in document["flows"]] == [client]
        assert len(daemon.command("connections", "--service", "other").stdout.splitlines()) == 1
        pools = daemon.command("pools").stdout
        assert "127.0.0.1:9001" in pools and "127.0.0.1:9002" in pools
        one = daemon.command("pools", "other").stdout
        assert "127.0.0.1:9001" not in one and "127.0.0.1:9002" in one
        assert json.loads(daemon.command("pools", "other", "-o", "json").stdout)["name"] == "other"
        assert daemon.command("pools", "nobody").returncode == 1


def test_services_and_pools_of_the_api(daemon):
    assert [s["name"] for s in daemon.get("/v1/services").json["services"]] == ["web", "other"]
    assert daemon.get("/v1/services/other").json["pool"] == "other"
    assert daemon.get("/v1/services/nobody").status == 404
    assert [p["name"] for p in daemon.get("/v1/pools").json["pools"]] == ["web", "other"]
    assert daemon.get("/v1/pools/web").json["servers"][0]["name"] == "a"
    assert daemon.get("/v1/pools/nobody").status == 404


def test_many_flows(strait, loopback):
    """Thousands are listed and counted, a part of them told, and traffic goes on meanwhile."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    daemon = strait(loopback.proxy, "service web {\n listen 127.0.0.1:8000\n to web\n}\n"
                                    "pool web {\n check none\n server 127.0.0.1:9001\n}\n")
    held = [loopback.client.connect(FRONT) for _ in range(1500)]
    daemon.wait_for_active("web", 1500)
    answer = daemon.get("/v1/flows?limit=10000").json
    assert answer["matched_count"] == 1500 and len({f["id"] for f in answer["flows"]}) == 1500
    answer = daemon.get("/v1/flows").json
    assert answer["matched_count"] == 1500 and len(answer["flows"]) == 100
    exchange(held[700])
    for s in held:
        s.close()
