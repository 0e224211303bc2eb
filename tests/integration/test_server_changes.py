# SPDX-License-Identifier: Apache-2.0
"""Servers are added, removed, drained and weighed while strait runs, by API and by command."""

import json
import time

import pytest

from daemon import strait as run_strait
from servers import name_servers, server_lines, small_server
from traffic import ask, ending, is_refused, who
from waiting import eventually, thread

FRONT = ("127.0.0.1", 8000)


def configuration(servers, more="", top="", **suffixes):
    return (f"service web {{\n listen 127.0.0.1:8000\n listen udp 127.0.0.1:8000\n to web\n {top}\n}}\n"
            f"pool web {{\n check none\n {more}\n {server_lines(servers, **suffixes)}\n}}\n")


@pytest.fixture
def servers(loopback):
    return name_servers(loopback.server, 3, "127.0.0.1")


@pytest.fixture
def daemon(strait, loopback, servers):
    return strait(loopback.proxy, configuration({n: servers[n] for n in "ab"}))


def shares(loopback, count):
    names = [who(loopback.client, FRONT) for _ in range(count)]
    return {name: names.count(name) for name in sorted(set(names))}


def held(loopback, count):
    """Connections that have a server: by name of it."""
    found = {}
    for _ in range(count):
        s = loopback.client.connect(FRONT)
        found.setdefault(ask(s)[0], []).append(s)
    return found


# adding and removing

def test_an_added_server_has_its_share(daemon, loopback):
    """From the answer on; its weight counts."""
    answer = daemon.ask("POST", "/v1/pools/web/servers", {"address": "127.0.0.1:9003", "name": "c", "weight": 2})
    assert answer.status == 201 and answer.json["name"] == "c" and answer.json["weight"] == 2
    assert shares(loopback, 40) == {"a": 10, "b": 10, "c": 20}
    daemon.wait_for_event("server_added", pool="web", server="c")


def test_adding_by_command(daemon, loopback):
    result = daemon.command("add", "web", "127.0.0.1:9003", "name=c", "weight=2", "backup")
    assert result.returncode == 0 and "web/c" in result.stdout
    found = daemon.server("web", "c")
    assert found["is_backup"] and found["weight"] == 2
    assert daemon.command("add", "web", "127.0.0.1:9003").returncode == 0
    assert daemon.server("web", "127.0.0.1:9003")["state"] == "up"


@pytest.mark.parametrize("document", [
    None, {}, {"address": "127.0.0.1"}, {"address": "nonsense:1:2"}, {"address": 5}, {"address": "127.0.0.1:1", "weight": 0},
    {"address": "127.0.0.1:1", "weight": "x"}, {"address": "127.0.0.1:1", "colour": "red"},
    {"address": "127.0.0.1:1", "state": "gone"}, {"address": "127.0.0.1:1", "name": "a b"}, {"address": ["127.0.0.1:1"]}])
def test_wrong_servers(daemon, document):
    """Refused with what is wrong, and nothing is changed."""
    answer = daemon.ask("POST", "/v1/pools/web/servers", document)
    assert answer.status in (400, 422), answer.text
    assert len(daemon.get("/v1/pools/web").json["servers"]) == 2
    assert daemon.get("/v1/config/diff").json["changes"] == []


def test_a_taken_name(daemon):
    assert daemon.ask("POST", "/v1/pools/web/servers", {"address": "127.0.0.1:9003", "name": "a"}).status == 409
    assert daemon.command("add", "web", "127.0.0.1:9003", "name=a").returncode == 5
    assert daemon.ask("POST", "/v1/pools/nobody/servers", {"address": "127.0.0.1:9003"}).status == 404


def test_removing_with_live_connections(daemon, loopback):
    """Nobody notices: neither those of the server that goes, nor those of the others."""
    found = held(loopback, 200)
    assert {n: len(s) for n, s in found.items()} == {"a": 100, "b": 100}
    answer = daemon.ask("DELETE", "/v1/pools/web/servers/a")
    assert answer.status == 200 and answer.json["flows_active"] == 100
    assert shares(loopback, 10) == {"b": 10}
    for name, sockets in found.items():
        for s in sockets:
            assert ask(s)[0] == name
            s.close()
    eventually(lambda: daemon.status()["retired_count"] == 0)


def test_removing_and_closing(daemon, loopback):
    """flows=close resets its connections and ends its sessions; the others' go on."""
    found = held(loopback, 10)
    with loopback.client.udp(FRONT) as u, loopback.client.udp(FRONT) as v:
        sessions = {ask(s)[0]: s for s in (u, v)}
        answer = daemon.ask("DELETE", "/v1/pools/web/servers/a?flows=close")
        assert answer.status == 200 and answer.json["flows_closed"] == 6
        assert all(ending(s) == "reset" for s in found["a"])
        assert all(ask(s)[0] == "b" for s in found["b"])
        assert {name: ask(s)[0] for name, s in sessions.items()} == {"a": "b", "b": "b"}
    daemon.wait_for_flows(5, reason="admin_closed", protocol="tcp")


def test_the_last_server_stays(daemon):
    assert daemon.command("remove", "web/a").returncode == 0
    assert daemon.command("remove", "web/b").returncode == 5
    assert [s["name"] for s in daemon.get("/v1/pools/web").json["servers"]] == ["b"]


@pytest.mark.parametrize("path", ["web/servers/nobody", "nobody/servers/a", "web/servers/a?flows=what"])
def test_removing_what_is_not_there(daemon, path):
    assert daemon.ask("DELETE", f"/v1/pools/{path}").status in (400, 404)
    assert len(daemon.get("/v1/pools/web").json["servers"]) == 2


# state and weight

def test_drain_and_ready(daemon, loopback):
    """A drained server gets nothing new; its flows of both protocols go on; ready brings it back."""
    found = held(loopback, 4)
    with loopback.client.udp(FRONT) as u, loopback.client.udp(FRONT) as v:
        sessions = {ask(s)[0]: s for s in (u, v)}
        assert daemon.command("drain", "web/a").returncode == 0
        assert shares(loopback, 10) == {"b": 10}
        assert all(ask(s)[0] == "a" for s in found["a"])
        assert ask(sessions["a"])[0] == "a"
        assert daemon.server("web", "a")["state"] == "drain"
    drained, other = daemon.server("web", "a"), daemon.server("web", "b")
    assert drained["state_age_ms"] < other["state_age_ms"]
    assert daemon.command("ready", "web/a").returncode == 0
    assert shares(loopback, 10) == {"a": 5, "b": 5}


def test_maint_moves_sessions(daemon, loopback):
    with loopback.client.udp(FRONT) as u, loopback.client.udp(FRONT) as v:
        sessions = {ask(s)[0]: s for s in (u, v)}
        assert daemon.command("maint", "web/a").returncode == 0
        assert ask(sessions["a"])[0] == "b"
        assert ask(sessions["b"])[0] == "b"


@pytest.mark.parametrize("change", ["drain", "remove"])
@pytest.mark.parametrize("policy", ["keep", "close"])
def test_sessions_and_on_down(strait, loopback, servers, change, policy):
    """Of a drained or removed server UDP sessions stay with `on-down keep` and move with `on-down close`."""
    daemon = strait(loopback.proxy, configuration({n: servers[n] for n in "ab"}, more=f"on-down {policy}"))
    with loopback.client.udp(FRONT) as u, loopback.client.udp(FRONT) as v:
        sessions = {ask(s)[0]: (s, ask(s)[1]) for s in (u, v)}
        assert daemon.command(change, "web/a").returncode == 0
        s, port = sessions["a"]
        assert (ask(s) == ("a", port)) == (policy == "keep")
        s, port = sessions["b"]
        assert ask(s) == ("b", port)


def test_weight(daemon, loopback):
    assert daemon.command("weight", "web/a", "3").returncode == 0
    assert shares(loopback, 40) == {"a": 30, "b": 10}
    for wrong in ("0", "1001", "x", "-1"):
        assert daemon.command("weight", "web/a", wrong).returncode in (1, 2)
    assert daemon.server("web", "a")["weight"] == 3


def test_wrong_changes(daemon):
    for document in (None, {}, {"state": "what"}, {"weight": "3"}, {"weight": 0}, {"state": "drain", "colour": 1}, {"flows": "x"}):
        assert daemon.ask("PATCH", "/v1/pools/web/servers/a", document).status == 400, document
    assert daemon.server("web", "a")["state"] == "up"
    assert daemon.command("drain", "web").returncode == 2
    assert daemon.command("drain", "web/nobody").returncode == 1


def test_drain_waits_for_the_last(daemon, loopback):
    """--wait returns when the last flow has ended."""
    found = held(loopback, 2)
    work = thread(daemon.command, "drain", "web/a", "--wait", "--timeout", "20s")
    daemon.wait_for_state("web", "a", "drain")
    time.sleep(0.5)
    assert work.is_alive()
    for s in found["a"]:
        s.close()
    assert work.join(20).returncode == 0
    for s in found["b"]:
        s.close()


def test_reload_while_draining(daemon, loopback, servers):
    """A server stays drained through reloads, its last flow goes on, and whoever waits for it is told when it ends."""
    found = held(loopback, 4)
    work = thread(daemon.command, "drain", "web/a", "--wait", "--timeout", "30s")
    daemon.wait_for_state("web", "a", "drain")
    for i in range(5):
        text = configuration({n: servers[n] for n in "ab"}, top=f"limit connections={1000 + i}")
        assert daemon.hang_up(text)["event"] == "reloaded"
        assert daemon.server("web", "a")["state"] == "drain"
        assert shares(loopback, 4) == {"b": 4}
        assert all(ask(s)[0] == "a" for s in found["a"])
    assert work.is_alive()
    for s in found["a"]:
        s.close()
    assert work.join(20).returncode == 0


def test_drain_says_who_is_left(daemon, loopback):
    """--timeout: exit code 4, and the clients."""
    found = held(loopback, 2)
    (s,) = found["a"]
    result = daemon.command("drain", "web/a", "--wait", "--timeout", "300ms")
    assert result.returncode == 4
    assert f"127.0.0.1:{s.getsockname()[1]}" in result.stderr and "1 left" in result.stderr


def test_drain_and_close(daemon, loopback):
    found = held(loopback, 4)
    assert daemon.command("drain", "web/a", "--close", "--wait", "--timeout", "10s").returncode == 0
    assert all(ending(s) == "reset" for s in found["a"])
    assert all(ask(s)[0] == "b" for s in found["b"])


# changes and the file

def test_changes_can_be_seen_and_survive_a_reload(daemon, loopback, servers):
    """What was changed at run time is told against the file, and a reload of the unchanged file keeps it."""
    text = configuration({n: servers[n] for n in "ab"})
    assert daemon.command("add", "web", "127.0.0.1:9003", "name=c").returncode == 0
    assert daemon.command("weight", "web/a", "7").returncode == 0
    assert daemon.command("remove", "web/b").returncode == 0
    changes = set(daemon.get("/v1/config/diff").json["changes"])
    assert changes == {"pool web: server a has weight 7, was 1", "pool web: server c added", "pool web: server b removed"}
    assert daemon.hang_up(text + "\n")["changes"] == 0
    assert shares(loopback, 16) == {"a": 14, "c": 2}
    assert set(daemon.get("/v1/config/diff").json["changes"]) == changes


def test_the_file_wins_where_it_changed(daemon, loopback, servers):
    """A server that the file says something new of is as the file says; the other changes stay."""
    assert daemon.command("weight", "web/a", "7").returncode == 0
    assert daemon.command("weight", "web/b", "9").returncode == 0
    daemon.hang_up(configuration({n: servers[n] for n in "ab"}, a="weight=2"))
    assert (daemon.server("web", "a")["weight"], daemon.server("web", "b")["weight"]) == (2, 9)
    daemon.hang_up(configuration({n: servers[n] for n in "ab"}))
    assert (daemon.server("web", "a")["weight"], daemon.server("web", "b")["weight"]) == (1, 9)


def test_the_file_takes_an_added_server_over(daemon, servers):
    assert daemon.command("add", "web", "127.0.0.1:9003", "name=c", "weight=5").returncode == 0
    daemon.hang_up(configuration(servers))
    assert daemon.server("web", "c")["weight"] == 1
    daemon.hang_up(configuration({n: servers[n] for n in "ab"}))
    assert [s["name"] for s in daemon.get("/v1/pools/web").json["servers"]] == ["a", "b"]


def test_back_and_forth(daemon):
    """A change that was undone is none; the pool's memory does not grow with the number of changes."""
    for _ in range(200):
        assert daemon.ask("POST", "/v1/pools/web/servers", {"address": "127.0.0.1:9003", "name": "c"}).status == 201
        assert daemon.ask("DELETE", "/v1/pools/web/servers/c").status == 200
        assert daemon.ask("PATCH", "/v1/pools/web/servers/a", {"state": "drain"}).status == 200
        assert daemon.ask("PATCH", "/v1/pools/web/servers/a", {"state": "up"}).status == 200
    assert daemon.get("/v1/config/diff").json["changes"] == []
    eventually(lambda: daemon.status()["retired_count"] == 0)


def test_saved_and_loaded(strait, loopback, daemon):
    """GET /v1/config is a file that says what runs."""
    assert daemon.command("add", "web", "127.0.0.1:9003", "name=c", "weight=5").returncode == 0
    text = daemon.get("/v1/config").text
    path = loopback.directory / "saved.conf"
    path.write_text(text)
    assert run_strait(loopback.proxy, "check", "-c", path).returncode == 0
    daemon.configuration_path.write_text(text)
    assert daemon.hang_up()["changes"] == 0
    assert daemon.get("/v1/config/diff").json["changes"] == []
    assert daemon.server("web", "c")["weight"] == 5


# the whole configuration by API

def test_put_text(daemon, loopback, servers):
    """The same way as a reload: all or nothing; run-time changes are gone with what they changed."""
    assert daemon.command("weight", "web/a", "7").returncode == 0
    text = daemon.get("/v1/config").text.replace("weight=7", "weight=3")
    answer = daemon.ask("PUT", "/v1/config", {"text": text})
    assert answer.status == 200 and answer.json["changes"] == ["pool web: server a has weight 3, was 7"]
    assert daemon.server("web", "a")["weight"] == 3
    daemon.wait_for_event("reloaded")
    daemon.hang_up()
    assert daemon.server("web", "a")["weight"] == 1, "the file is what a reload reads"


def test_put_json(daemon):
    document = daemon.get("/v1/config?format=json").json
    answer = daemon.ask("PUT", "/v1/config", document)
    assert answer.status == 200 and answer.json["changes"] == []
    assert daemon.status()["generation"] == 2


def test_put_plain_text(daemon):
    answer = daemon.get("/v1/config", "PUT", {"Content-Type": "text/plain"}, daemon.get("/v1/config").text)
    assert answer.status == 200 and answer.json["generation"] == 2


def test_put_dry(daemon):
    text = daemon.get("/v1/config").text
    answer = daemon.ask("PUT", "/v1/config?dry_run=1", {"text": text.replace("name=a", "name=z")})
    assert answer.status == 200 and len(answer.json["changes"]) == 2
    assert daemon.status()["generation"] == 1


@pytest.mark.parametrize("document", [{"text": "nonsense"}, {"text": "include *.conf"}, {"pool": {"x": {}}}, {"pool": 5}, {"text": 5}])
def test_put_nonsense(daemon, document):
    answer = daemon.ask("PUT", "/v1/config", document)
    assert answer.status == 422 and answer.json["errors"], answer.text
    assert daemon.status()["generation"] == 1


def test_put_needs_a_body(daemon):
    assert daemon.ask("PUT", "/v1/config").status in (400, 422)


def test_changes_wait_for_nobody_while_stopping(strait, loopback, servers):
    daemon = strait(loopback.proxy, configuration(servers))
    with loopback.client.connect(FRONT) as s:
        ask(s)
        daemon.terminate()
        daemon.wait_for_event("stopping")
        assert daemon.ask("PATCH", "/v1/pools/web/servers/a", {"weight": 2}).status == 409
    assert daemon.wait(10) == 0
