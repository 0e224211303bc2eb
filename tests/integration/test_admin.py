# SPDX-License-Identifier: Apache-2.0
"""The admin API: health for others to ask, status, and whom it does not answer."""

import http.client
import json
import socket

import pytest

from servers import small_server
from traffic import exchange
from waiting import eventually

FOUR, SIX = ("127.0.0.1", 9900), ("::1", 9900)
CONFIGURATION = """
service web {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to web
}
pool web {
    check tcp every=200ms timeout=300ms rise=1 fall=1
    server 127.0.0.1:9001 name=a
    server 127.0.0.1:9002 name=b
}
pool spare {
    server 127.0.0.1:9003 name=c
}
"""


@pytest.fixture
def servers(loopback):
    return {n: small_server(loopback.server, "echo", ("127.0.0.1", 9001 + i), n) for i, n in enumerate("ab")}


@pytest.fixture
def daemon(strait, loopback, servers):
    return strait(loopback.proxy, CONFIGURATION)


def test_livez(daemon):
    """GET /livez answers 200 while strait lives."""
    assert daemon.get("/livez").status == 200


def test_readyz(daemon):
    """GET /readyz answers 200 once strait serves."""
    assert daemon.get("/readyz").status == 200


def test_readyz_of_a_pool(daemon, servers):
    """/readyz?pool=NAME&min=N answers 200 as long as N servers of the pool are up, else 503."""
    assert daemon.get("/readyz?pool=web").status == 200
    assert daemon.get("/readyz?pool=web&min=2").status == 200
    assert daemon.get("/readyz?pool=web&min=3").status == 503
    servers["a"].kill()
    eventually(lambda: daemon.get("/readyz?pool=web&min=2").status == 503)
    assert daemon.get("/readyz?pool=web&min=1").status == 200
    servers["b"].kill()
    eventually(lambda: daemon.get("/readyz?pool=web").status == 503)


@pytest.mark.parametrize("query", ["pool=nobody", "pool=web&min=x", "pool=web&min=-1"])
def test_readyz_wrong_question(daemon, query):
    """A pool that does not exist and a number that is none are never "ready"."""
    answer = daemon.get(f"/readyz?{query}")
    assert 400 <= answer.status < 600


def test_status(daemon, loopback):
    """/v1/status tells version, uptime, generation, workers, services, pools and memory, and it is current."""
    with exchange(loopback.client.connect(("127.0.0.1", 8000))):
        status = daemon.status()
        assert status["version"]
        assert status["uptime_seconds"] >= 0
        assert status["generation"] == 1
        assert status["workers"] == 2 or len(status["workers"]) == 2
        assert "memory" in status or "memory_bytes" in status
        web = next(s for s in status["services"] if s["name"] == "web")
        assert (web["flows_active"], web["flows_total"]) == (1, 1)
        pools = {p["name"]: {s["name"]: s for s in p["servers"]} for p in status["pools"]}
        assert set(pools) == {"web", "spare"}
        assert {n: s["state"] for n, s in pools["web"].items()} == {"a": "up", "b": "up"}
        assert sum(s["flows_active"] for s in pools["web"].values()) == 1
    daemon.wait_for_active("web", 0)


def test_status_shows_down(daemon, servers):
    """A server that is down is shown so."""
    servers["a"].kill()
    daemon.wait_for_state("web", "a", "down")
    assert daemon.server("web", "b")["state"] == "up"


def test_content_type(daemon):
    """The status is announced as JSON."""
    assert daemon.get("/v1/status").type.startswith("application/json")


@pytest.mark.parametrize("path", ["/v1/", "/v1/nothing", "/v1/status/x", "/..%2f..%2fetc/passwd", "/livez/x"])
def test_unknown_path(daemon, path):
    """An unknown path is answered 404 with a problem document."""
    answer = daemon.get(path)
    assert answer.status == 404
    assert answer.type.startswith("application/problem+json")
    assert answer.json["status"] == 404
    assert answer.json["title"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods(daemon, method):
    """What can only be read answers other methods with 405, and nothing changes."""
    answer = daemon.get("/v1/status", method=method)
    assert answer.status in (403, 405, 415)
    assert daemon.status()["generation"] == 1


def test_head(daemon):
    """HEAD answers like GET, without a body."""
    answer = daemon.get("/livez", method="HEAD")
    assert (answer.status, answer.text) == (200, "")


# over TCP

@pytest.fixture
def tcp_daemon(strait, loopback, servers):
    made = strait(loopback.proxy, CONFIGURATION, admin="127.0.0.1:9900 [::1]:9900")
    eventually(lambda: ask(loopback, "/readyz")[0] == 200)
    return made


def ask(loopback, path, host="127.0.0.1:9900", address=FOUR, headers=()):
    """A request with a Host header of one's own choice: status and body."""
    with loopback.client.connect(address) as s:
        lines = [f"GET {path} HTTP/1.1", *headers, "Connection: close"]
        if host is not None:
            lines.insert(1, f"Host: {host}")
        s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        response = http.client.HTTPResponse(s)
        response.begin()
        return response.status, response.read()


@pytest.mark.parametrize("host,address", [
    ("127.0.0.1:9900", FOUR), ("127.0.0.1", FOUR), ("localhost:9900", FOUR), ("[::1]:9900", SIX), ("localhost", SIX)])
def test_own_host(tcp_daemon, loopback, host, address):
    """Requests to the loopback addresses and to localhost are answered."""
    status, body = ask(loopback, "/v1/status", host, address)
    assert status == 200
    assert json.loads(body)["version"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9900", "127.0.0.1.evil.example",
                                  "localhost.evil.example", "127.0.0.1@evil.example", ""])
def test_foreign_host(tcp_daemon, loopback, host):
    """A foreign Host (a web page that rebinds its name to 127.0.0.1) is refused and learns nothing."""
    status, body = ask(loopback, "/v1/status", host)
    assert status in (400, 403, 421)
    assert b"uptime" not in body


def test_foreign_origin(tcp_daemon, loopback):
    """A request that a foreign web page makes (Origin) is refused; there are no CORS headers to invite it."""
    status, body = ask(loopback, "/v1/status", headers=["Origin: http://evil.example"])
    assert status in (400, 403)
    assert b"uptime" not in body


def test_large_request(tcp_daemon, loopback):
    """Headers beyond any reason are refused, and strait stays."""
    try:
        status, _ = ask(loopback, "/livez", headers=[f"X-{i}: {'x' * 1000}" for i in range(500)])
        assert status >= 400
    except (OSError, http.client.HTTPException):
        pass
    assert ask(loopback, "/livez")[0] == 200


def test_garbage(tcp_daemon, loopback):
    """Bytes that are no HTTP do no harm."""
    for data in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\x00" * 5000, b"GET / HTTP/9.9\r\n\r\n"):
        with loopback.client.connect(FOUR) as s:
            s.settimeout(0.5)
            try:
                s.sendall(data)
                s.recv(1000)
            except OSError:
                pass
    assert ask(loopback, "/livez")[0] == 200


def test_silent_clients_do_not_lock_others_out(tcp_daemon, loopback):
    """Connections that say nothing do not keep others from asking, and do not touch the traffic."""
    silent = []
    for _ in range(40):
        try:
            silent.append(loopback.client.connect(FOUR, timeout=2))
        except OSError:
            break
    exchange(loopback.client.connect(("127.0.0.1", 8000))).close()
    for s in silent:
        s.close()
    eventually(lambda: ask(loopback, "/livez")[0] == 200, 10)
