# SPDX-License-Identifier: Apache-2.0
"""`strait trace`: what it says a client would get is what the client then gets."""

import json

import pytest

from servers import name_servers, server_lines
from traffic import ask, is_refused, who

FRONT = ("127.0.0.1", 8000)


def configuration(servers, service="", pool="", **suffixes):
    return (f"service web {{\n listen 127.0.0.1:8000\n listen udp 127.0.0.1:8000\n to web\n {service}\n}}\n"
            f"pool web {{\n {pool}\n {server_lines(servers, **suffixes)}\n}}\n")


@pytest.fixture
def servers(loopback):
    return name_servers(loopback.server, 3, "127.0.0.1")


def trace(daemon, client, *words):
    result = daemon.command("trace", client, "--service", "web", "-o", "json", *words)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("algorithm", ["round-robin", "source-hash", "first"])
def test_choice(strait, loopback, servers, algorithm):
    """The server that is named is the one that the next client gets, and asking changes nothing."""
    daemon = strait(loopback.proxy, configuration(servers, pool=f"balance {algorithm}"))
    for i in range(6):
        client = f"127.0.0.{i + 2}"
        told = [trace(daemon, client)["server"] for _ in range(2)]
        assert told[0] == told[1] == who(loopback.client, FRONT, source=(client, 0))
        assert all(s["flows_active"] <= 1 for s in daemon.get("/v1/pools/web").json["servers"])


def test_fewest_flows(strait, loopback, servers):
    """least-connections: the one server that has fewer flows than the others."""
    daemon = strait(loopback.proxy, configuration(servers, pool="balance least-connections"))
    held = [loopback.client.connect(FRONT) for _ in range(2)]
    busy = {ask(s)[0] for s in held}
    (idle,) = set("abc") - busy
    assert trace(daemon, "127.0.0.2")["server"] == idle == who(loopback.client, FRONT)
    for s in held:
        s.close()


def test_rule(strait, loopback, servers):
    """The rule, where it stands, and the refusal."""
    daemon = strait(loopback.proxy, configuration(servers, service="allow 127.0.0.5\n deny 127.0.0.0/29"))
    denied = trace(daemon, "127.0.0.2:4000")
    assert (denied["verdict"], denied["reason"]) == ("refused", "denied_access")
    lines = daemon.configuration_path.read_text().splitlines()
    assert "deny" in lines[denied["rule"]["line"] - 1] and denied["rule"]["network"] == "127.0.0.0/29"
    assert is_refused(loopback.client, FRONT, source=("127.0.0.2", 0))
    assert trace(daemon, "127.0.0.5")["rule"]["action"] == "allow"
    assert trace(daemon, "127.0.0.9")["rule"] is None
    text = daemon.command("trace", "127.0.0.2", "--service", "web").stdout
    assert "deny 127.0.0.0/29" in text and "refused: denied_access" in text


def test_obstacles(strait, loopback, servers):
    """Why a server is not used stands beside it."""
    daemon = strait(loopback.proxy, configuration(servers, pool="check tcp every=100ms timeout=1s fall=1",
                                                  b="drain", c="max-connections=1 backup"))
    servers["a"].kill()
    daemon.wait_for_state("web", "a", "down")
    told = trace(daemon, "127.0.0.2")
    assert {s["name"]: s["obstacle"] for s in told["servers"]} == {"a": "down", "b": "drain", "c": ""}
    assert told["server"] == "c" and any("backup" in line for line in told["why"])
    with loopback.client.connect(FRONT) as s:
        assert ask(s)[0] == "c"
        told = trace(daemon, "127.0.0.2")
        assert (told["verdict"], told["reason"]) == ("refused", "no_server")
        assert {s["name"]: s["obstacle"] for s in told["servers"]}["c"] == "full"


def test_limit(strait, loopback, servers):
    daemon = strait(loopback.proxy, configuration(servers, service="limit connections=1"))
    assert trace(daemon, "127.0.0.2")["verdict"] == "server"
    with loopback.client.connect(FRONT) as s:
        ask(s)
        assert trace(daemon, "127.0.0.2")["reason"] == "limit_connections"
        assert trace(daemon, "127.0.0.2", "--protocol", "udp")["verdict"] == "server"


def test_session(strait, loopback, servers):
    """A UDP client that has a session is told its server."""
    daemon = strait(loopback.proxy, configuration(servers))
    with loopback.client.udp(FRONT) as u:
        name = ask(u)[0]
        client = f"127.0.0.1:{u.getsockname()[1]}"
        for _ in range(4):
            told = trace(daemon, client, "--protocol", "udp")
            assert told["server"] == name and any("session" in line for line in told["why"])


@pytest.mark.parametrize("words", [["127.0.0.1", "--service", "nobody"], ["nobody", "--service", "web"],
                                   ["127.0.0.0/8", "--service", "web"], ["127.0.0.1"]])
def test_wrong_questions(strait, loopback, servers, words):
    daemon = strait(loopback.proxy, configuration(servers))
    assert daemon.command("trace", *words).returncode in (1, 2)
