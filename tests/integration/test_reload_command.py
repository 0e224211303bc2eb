# SPDX-License-Identifier: Apache-2.0
"""`strait reload` and `confirm`, and what stands behind them in the API."""

import json
import socket

import pytest

from servers import small_server
from traffic import exchange, is_refused, is_served
from waiting import eventually

FRONT, OTHER = ("127.0.0.1", 8000), ("127.0.0.1", 8001)
SMALL = "service web {\n listen 127.0.0.1:8000\n to web\n}\npool web {\n check none\n server 127.0.0.1:9001 name=a\n}\n"
LARGE = SMALL + "service more {\n listen 127.0.0.1:8001\n to web\n}\n"
BROKEN = SMALL.replace("to web", "to nowhere")


@pytest.fixture
def daemon(strait, loopback):
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    return strait(loopback.proxy, SMALL)


def test_reload_says_what_changed(daemon, loopback):
    """It is in force when the command returns."""
    daemon.configure(LARGE.replace("name=a", "name=a weight=5"))
    result = daemon.command("reload")
    assert result.returncode == 0
    assert is_served(loopback.client, OTHER)
    assert "service more added" in result.stdout
    assert "server a has weight 5, was 1" in result.stdout
    assert "generation 2" in result.stdout
    again = daemon.command("reload")
    assert again.returncode == 0 and "no changes" in again.stdout


def test_reload_as_json(daemon):
    daemon.configure(LARGE)
    document = json.loads(daemon.command("reload", "-o", "json").stdout)
    assert document["generation"] == 2 and document["changes"] == ["service more added"]


def test_reload_of_a_broken_file(daemon, loopback):
    """Exit code 78, the errors as strait check shows them, and that nothing was changed."""
    daemon.configure(BROKEN)
    result = daemon.command("reload")
    assert result.returncode == 78
    line = next(i for i, text in enumerate(daemon.configuration_path.read_text().splitlines(), 1) if "nowhere" in text)
    assert f"{daemon.configuration_path}:{line}:5: error:" in result.stderr
    assert "^~~" in result.stderr
    assert "1 error. Nothing was changed; generation 1 keeps running." in result.stderr
    assert is_served(loopback.client, FRONT)
    reloads = daemon.status()["reloads"]
    assert (reloads["done_total"], reloads["failed_total"], reloads["is_last_good"]) == (0, 1, False)


def test_errors_in_the_api(daemon):
    """A problem document with a list of errors."""
    daemon.configure(BROKEN)
    answer = daemon.ask("POST", "/v1/reload")
    assert answer.status == 422 and answer.type.startswith("application/problem+json")
    error = next(e for e in answer.json["errors"] if e["severity"] == "error")
    assert error["line"] > 0 and error["column"] == 5 and "nowhere" in error["message"]


def test_reload_that_cannot_listen(daemon, loopback):
    """Exit code 5 and the address."""
    daemon.configure(LARGE)
    with loopback.proxy.listen(OTHER):
        result = daemon.command("reload")
    assert result.returncode == 5 and "127.0.0.1:8001" in result.stderr


def test_dry_run(daemon, loopback):
    """Says what would change, finds what would fail, and changes nothing."""
    daemon.configure(LARGE)
    result = daemon.command("reload", "--dry-run")
    assert result.returncode == 0 and "service more added" in result.stdout and "dry run" in result.stdout
    assert is_refused(loopback.client, OTHER)
    with loopback.proxy.listen(OTHER):
        assert daemon.command("reload", "--dry-run").returncode == 5
    daemon.configure(BROKEN)
    assert daemon.command("reload", "--dry-run").returncode == 78
    status = daemon.status()
    assert status["generation"] == 1 and status["reloads"]["failed_total"] == 0


def test_without_confirmation_the_old_one_returns(daemon, loopback):
    """A connection of what goes away again goes on, as after any reload."""
    daemon.configure(LARGE)
    result = daemon.command("reload", "--confirm", "3s")
    assert result.returncode == 0 and "strait confirm" in result.stdout
    with exchange(loopback.client.connect(OTHER)) as s:
        daemon.wait_for_event("reload_reverted")
        eventually(lambda: is_refused(loopback.client, OTHER))
        exchange(s)
    assert daemon.status()["generation"] == 3
    assert daemon.command("confirm").returncode == 5


def test_confirmed(daemon, loopback):
    daemon.configure(LARGE)
    assert daemon.command("reload", "--confirm", "3s").returncode == 0
    assert daemon.command("confirm").returncode == 0
    daemon.wait_for_event("reload_confirmed")
    with pytest.raises(AssertionError):
        daemon.wait_for_event("reload_reverted", timeout=3.5)
    assert is_served(loopback.client, OTHER)


def test_another_reload_waits_for_the_confirmation(daemon):
    """Which configuration would come back must be plain: others are refused, by command and by signal."""
    daemon.configure(LARGE)
    assert daemon.command("reload", "--confirm", "60s").returncode == 0
    assert daemon.command("reload").returncode == 5
    assert daemon.hang_up()["event"] == "reload_failed"
    assert daemon.command("confirm").returncode == 0
    assert daemon.hang_up()["event"] == "reloaded"


@pytest.mark.parametrize("words", [["--confirm", "60"], ["--confirm", "never"], ["--confirm", "2d"]])
def test_wrong_confirm(daemon, words):
    assert daemon.command("reload", *words).returncode == 1
    assert daemon.status()["generation"] == 1


def test_reload_without_a_daemon(strait, loopback):
    from daemon import strait as run
    result = run(loopback.proxy, "reload", "--admin", f"unix:{loopback.directory}/nobody.sock")
    assert result.returncode == 3


def test_diff(daemon):
    """/v1/config/diff tells how what runs differs from the file."""
    assert daemon.get("/v1/config/diff").json["changes"] == []
    daemon.configure(LARGE)
    assert daemon.get("/v1/config/diff").json["changes"] == ["service more removed"]
    daemon.configure(BROKEN)
    assert daemon.get("/v1/config/diff").status == 422


def test_writes_want_json(daemon):
    """A write without the type, or with that of a web form, is refused and changes nothing."""
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}):
        assert daemon.get("/v1/reload", method="POST", headers=headers).status == 415
    assert daemon.get("/v1/reload").status == 405
    assert daemon.status()["generation"] == 1


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"a":1,"a":2}', b"null", b"\xff", b"[" * 60000, b'"' + b"x" * 60000])
def test_bodies_that_are_none(daemon, body):
    """What is no JSON object is refused with 400."""
    answer = daemon.get("/v1/reload", method="POST", headers={"Content-Type": "application/json"}, body=body)
    assert answer.status == 400, answer.text


def test_bodies_that_are_too_large(daemon):
    """Announced or not: 413, and the daemon goes on."""
    headers = {"Content-Type": "application/json"}
    try:
        assert daemon.get("/v1/reload", "POST", headers, b"x" * 100_000).status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(daemon.admin_socket))
        s.sendall(b"POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            s.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
        s.sendall(b"0\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 413")
    assert daemon.status()["generation"] == 1


def test_audit(daemon):
    """Each change by the API is an event, also one that was refused."""
    daemon.ask("POST", "/v1/reload")
    daemon.wait_for_event("audit", method="POST", path="/v1/reload", status=200)
    daemon.ask("POST", "/v1/confirm")
    daemon.wait_for_event("audit", method="POST", path="/v1/confirm", status=409)
