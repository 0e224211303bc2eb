# SPDX-License-Identifier: Apache-2.0
"""Admin listeners come, go and change their token at a reload, also at one that was asked for through them."""

import http.client
import socket

import pytest

from servers import small_server
from traffic import is_served
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
TEXT = "service web {\n listen 127.0.0.1:8000\n to web\n}\npool web {\n check none\n server 127.0.0.1:9001\n}\n"


@pytest.fixture
def daemon(strait, loopback):
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    return strait(loopback.proxy, TEXT)


def connect(loopback, port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.sock = loopback.client.connect(("127.0.0.1", port))
    return connection


def status(connection, token=None):
    connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {token}"} if token else {})
    response = connection.getresponse()
    response.read()
    return response.status


def is_there(loopback, port):
    try:
        loopback.client.connect(("127.0.0.1", port), timeout=2).close()
        return True
    except ConnectionRefusedError:
        return False


def test_a_listener_comes_and_goes(daemon, loopback):
    unix = f"unix:{daemon.admin_socket}"
    result = daemon.ask("POST", "/v1/reload")
    assert result.json["changes"] == []
    for _ in range(3):
        daemon.configure(TEXT, admin=f"{unix} 127.0.0.1:9901")
        assert daemon.ask("POST", "/v1/reload").json["changes"] == ["admin 127.0.0.1:9901 added"]
        assert status(connect(loopback, 9901)) == 200
        daemon.configure(TEXT, admin=unix)
        assert daemon.ask("POST", "/v1/reload").json["changes"] == ["admin 127.0.0.1:9901 removed"]
        eventually(lambda: not is_there(loopback, 9901))
    assert is_served(loopback.client, FRONT)


def test_a_listener_answers_the_request_that_ends_it(daemon, loopback):
    """The answer still comes; then the address is free, and the daemon goes on."""
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket} 127.0.0.1:9901")
    daemon.ask("POST", "/v1/reload")
    connection = connect(loopback, 9901)
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket} 127.0.0.1:9902")
    connection.request("POST", "/v1/reload", headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200 and b"9902" in answer.read()
    assert status(connect(loopback, 9902)) == 200
    eventually(lambda: not is_there(loopback, 9901))
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket} 127.0.0.1:9901")
    assert eventually(lambda: daemon.ask("POST", "/v1/reload").status == 200)
    assert status(connect(loopback, 9901)) == 200


def test_a_client_that_stays_is_closed_in_the_end(daemon, loopback):
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket} 127.0.0.1:9901")
    daemon.ask("POST", "/v1/reload")
    idle = loopback.client.connect(("127.0.0.1", 9901), timeout=15)
    idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert idle.recv(1000).startswith(b"HTTP/1.1 200")
    idle.sendall(b"GET /livez HT")
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket}")
    daemon.ask("POST", "/v1/reload")
    with idle:
        while idle.recv(1000):
            pass
    assert daemon.status()["generation"] == 3


def test_tokens_change(daemon, loopback):
    """Token files are read anew at each reload, and who has the old token is refused from then on."""
    path = loopback.directory / "token"
    path.write_text("first\n")
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket}\nadmin 127.0.0.1:9901 token=file:{path}")
    assert daemon.ask("POST", "/v1/reload").status == 200
    connection = connect(loopback, 9901)
    assert (status(connection, "first"), status(connection, "second")) == (200, 401)
    path.write_text("second\n")
    assert daemon.ask("POST", "/v1/reload").json["changes"] == []
    assert (status(connection, "second"), status(connection, "first")) == (200, 401)


def test_what_cannot_be_opened_changes_nothing(daemon, loopback):
    """An address in use, or a token that cannot be read: refused whole, with the reason."""
    with loopback.proxy.listen(("127.0.0.1", 9901)):
        daemon.configure(TEXT.replace("server 127", "server 127.0.0.1:9002\n server 127"),
                         admin=f"unix:{daemon.admin_socket} 127.0.0.1:9901")
        answer = daemon.ask("POST", "/v1/reload")
        assert answer.status == 409 and "127.0.0.1:9901" in answer.json["detail"]
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket}\nadmin 127.0.0.1:9901 token=file:/nowhere/token")
    answer = daemon.ask("POST", "/v1/reload")
    assert answer.status == 409 and "token" in answer.json["detail"]
    assert not is_there(loopback, 9901)
    assert len(daemon.get("/v1/pools/web").json["servers"]) == 1
    assert daemon.status()["generation"] == 1


def test_the_socket_file_goes_with_its_listener(daemon, loopback):
    other = loopback.directory / "other.sock"
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket} unix:{other}")
    daemon.ask("POST", "/v1/reload")
    assert other.exists()
    daemon.configure(TEXT, admin=f"unix:{daemon.admin_socket}")
    daemon.ask("POST", "/v1/reload")
    eventually(lambda: not other.exists())
    with socket.socket(socket.AF_UNIX) as s:
        with pytest.raises(OSError):
            s.connect(str(other))
