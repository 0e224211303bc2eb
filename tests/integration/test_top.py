# SPDX-License-Identifier: Apache-2.0
"""
`strait top` on a terminal and without one: every view has live numbers, every way out gives the terminal back, and
neither its size, nor its kind, nor what the daemon does or says can break the picture.
"""

import json
import re
import signal
import socket
import threading
import time

import pytest
from wcwidth import wcswidth

from daemon import is_sanitized, strait_path
from lab import program_path
from servers import name_servers, small_server
from terminal import Terminal
from traffic import exchange, is_served
from waiting import eventually

WEB = ("127.0.0.1", 8000)
CONFIGURATION = """
service web {
    listen 127.0.0.1:8000
    to web
}
service closed {
    listen 127.0.0.1:8001
    deny 127.0.0.0/8
    to web
}
pool web {
    check tcp every=200ms timeout=200ms fall=1 rise=1
    server 127.0.0.1:9001 name=a
    server 127.0.0.1:9002 name=b
}
"""
VIEWS = {"s": "services", "p": "pools", "f": "flows", "t": "talkers", "e": "events", "r": "refused"}


@pytest.fixture
def daemon(strait, loopback):
    for port in (9001, 9002):
        small_server(loopback.server, "echo", ("127.0.0.1", port))
    return strait(loopback.proxy, CONFIGURATION)


@pytest.fixture
def top(loopback):
    """Opens a terminal with strait top on it: top(daemon, "--view", "flows", columns=40, lines=10)."""
    def open_terminal(daemon, *words, **options):
        return Terminal(loopback.proxy, strait_path(), "top", "--admin", f"unix:{daemon.admin_socket}", *words, **options)
    return open_terminal


class Load:
    """Connections one after the other, and two that stay and exchange bytes; some that are refused."""

    def __init__(self, place):
        self.place, self.is_over, self.count = place, False, 0
        self.kept = [place.connect(WEB) for _ in range(2)]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over:
            for s in self.kept:
                exchange(s, b"x" * 5000)
            self.count += is_served(self.place, WEB)
            is_served(self.place, ("127.0.0.1", 8001))
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        for s in self.kept:
            s.close()


def once(daemon, *words, **env):
    return daemon.place.run(strait_path(), "top", "--once", "--admin", f"unix:{daemon.admin_socket}", *words, check=False,
                            env={"LC_ALL": "C.UTF-8", **env})


# views

def test_every_view_is_live(daemon, loopback, top):
    """Each view, chosen by its key, shows what flows now."""
    terminal = top(daemon, columns=140, lines=30)
    with Load(loopback.client):
        terminal.wait_for(r"^web +127\.0\.0\.1:8000 +web +2/2 +[23] +[1-9][\d.]*")
        terminal.wait_for(r"[1-9]\S* flows/s  in [1-9]\S*KB/s  out [1-9]\S*KB/s  refused [1-9]")
        terminal.type("p")
        terminal.wait_for(r"^web +a +127\.0\.0\.1:9001 +up +\d+s +1 +\d+ +[1-9][\d.]* +[1-9].*good, [\d.]+ ms")
        terminal.type("f")
        flow = r"^127\.0\.0\.1:\d+ +web +web/[ab] +tcp +\d+s +[1-9][\d.]*K.* ([\d.]+)([KM]) [0-9a-f]{16}$"
        first = terminal.wait_for(flow).group(1, 2)
        eventually(lambda: terminal.wait_for(flow).group(1, 2) != first, what="the bytes of a flow rise")
        terminal.type("t")
        terminal.wait_for(r"does not watch who talks|^127\.0\.0\.1 ")
        terminal.type("e")
        terminal.wait_for(r"^ +1 \d\d:\d\d:\d\d +started +version=")
        terminal.type("r")
        terminal.wait_for(r"^closed +denied_access +[1-9][\d.]* +[1-9]\S* an access rule denies the client")


def test_a_server_that_goes_down(daemon, loopback, top):
    """It is seen with its state, since when and why, in the view of servers and that of services, and as an event."""
    terminal = top(daemon, "--view", "pools", columns=140)
    terminal.wait_for(r"^web +b .* up ")
    next(p for p in loopback.server.lab.programs if getattr(p, "address", None) == ("127.0.0.1", 9002)).kill()
    terminal.wait_for(r"^web +b +127\.0\.0\.1:9002 +down +\d+s .*connection refused, \d+s ago")
    terminal.wait_for("DEGRADED$")
    terminal.type("s")
    terminal.wait_for(r"^web +127\.0\.0\.1:8000 +web +1/2")
    terminal.type("e")
    terminal.wait_for(r"^ +\d+ \S+ +server_down +pool=web server=b")


def test_keys(daemon, loopback, top):
    """Sorting, filtering, scrolling, pausing, help, quitting."""
    terminal = top(daemon)
    terminal.wait_for(r"1-2 of 2, by FLOWS/S$")
    terminal.type("\x1b[D")
    terminal.wait_for(r"by ACTIVE$")
    terminal.type("o")
    terminal.wait_for(r"by ACTIVE, reversed$")
    terminal.type("<<<<")
    terminal.wait_for(r"by SERVICE$")
    assert terminal.text().index("\nclosed") < terminal.text().index("\nweb")
    terminal.type("/cló\x7fsed\n")
    terminal.type("/\x7f")
    terminal.type("\x1b")
    terminal.wait_for(r"1-2 of 2")
    terminal.type("/clos")
    terminal.wait_for(r"^/clos_")
    terminal.wait_for(r"^closed ")
    assert not re.search("^web ", terminal.text(), re.MULTILINE)
    terminal.type("\n")
    terminal.wait_for(r"^/clos .*1-1 of 1")
    terminal.type("\x1b")
    terminal.wait_for(r"1-2 of 2")
    terminal.type(" ")
    terminal.wait_for(r"^PAUSED")
    seen = terminal.rows()[0]
    time.sleep(2.2)
    assert terminal.rows()[0] == seen
    terminal.type(" ")
    eventually(lambda: terminal.rows()[0] != seen, what="it goes on")
    terminal.type("?")
    terminal.wait_for(r"^q +quit")
    terminal.type("x")
    terminal.wait_for(r"\[services\]")
    terminal.type("q")
    assert terminal.wait() == 0


def test_every(daemon, top):
    """--every says how often is asked."""
    terminal = top(daemon, "--every", "1h")
    uptime = terminal.wait_for(r"running \S+").group()
    time.sleep(2.2)
    assert uptime in terminal.text()


# sizes and kinds of terminals

def is_whole(terminal, columns, lines):
    rows = terminal.rows()
    assert len(rows) == lines
    assert rows[0].startswith("strait ") and re.search(r"(well|DEGRADED)$", rows[0]) and len(rows[0]) == columns
    assert "[services]" in rows[2] and "SERVICE" in rows[3]
    assert rows[4].startswith(("web ", "closed ")) and rows[5].startswith(("web ", "closed "))
    assert not any(rows[6:-1])
    assert re.search(r"1-2 of 2, by \S+$", rows[-1]) and len(rows[-1]) == columns
    return True


def test_resizing(daemon, top):
    """After each change of size the picture fits, and nothing of the old one is left."""
    terminal = top(daemon)
    eventually(lambda: is_whole(terminal, 80, 24))
    for columns, lines in ((40, 10), (120, 40), (300, 80), (80, 24), (40, 10)):
        terminal.resize(columns, lines)
        eventually(lambda: is_whole(terminal, columns, lines), what=f"a picture of {columns} by {lines}")
    for columns, lines in ((1, 1), (7, 2), (39, 5)):
        terminal.resize(columns, lines)
        terminal.type("?x")
    terminal.resize(80, 24)
    eventually(lambda: is_whole(terminal, 80, 24))
    terminal.type("q")
    assert terminal.wait() == 0


@pytest.mark.parametrize("env,has_colour", [({"TERM": "linux"}, True), ({"TERM": "linux", "NO_COLOR": "1"}, False),
                                            ({"TERM": "vt100"}, False), ({"TERM": "xterm", "LC_ALL": "C"}, True)])
def test_colour(daemon, top, env, has_colour):
    """Colour where the terminal can and nobody has said no; without it all is there to be read."""
    terminal = top(daemon, "--view", "pools", env=env)
    terminal.wait_for(r"^web +a .* up ")
    terminal.wait_for(r"\[pools\]")
    assert bool(re.search(rb"\x1b\[[\d;]*3[0-7][;m]", bytes(terminal.raw))) == has_colour


@pytest.mark.parametrize("kind", ["dumb", "", "no-such-terminal"])
def test_terminal_that_cannot(daemon, top, kind):
    """An error that says what to use instead, and nothing else on the terminal."""
    terminal = top(daemon, env={"TERM": kind})
    assert terminal.wait() == 1
    assert "strait top --once" in terminal.program.errors
    assert terminal.raw == b""


# ways out

@pytest.mark.parametrize("way,code", [("q", 0), ("\x03", -signal.SIGINT), ("\x1c", -signal.SIGQUIT), (signal.SIGTERM,) * 2,
                                      (signal.SIGHUP,) * 2, (signal.SIGINT,) * 2, (signal.SIGABRT,) * 2])
def test_ways_out(daemon, top, way, code):
    """However it ends, the terminal is as it was before."""
    terminal = top(daemon, env={"TERM": "xterm"})
    terminal.wait_for(r"\[services\]")
    assert not terminal.is_restored()
    if isinstance(way, str):
        terminal.type(way)
    else:
        terminal.program.signal(way)
    assert terminal.wait() == (code if isinstance(way, str) else -way)
    eventually(terminal.is_restored, what="the terminal is as it was")
    assert b"\x1b[?1049l" in terminal.raw
    assert b"\x1b[?1049h" not in terminal.raw[terminal.raw.index(b"\x1b[?1049l"):]


def test_stopped_and_continued(daemon, loopback):
    """Ctrl-Z gives the terminal to the shell; fg draws it anew, in the size that it has now."""
    shell = Terminal(loopback.proxy, program_path("bash"), "-c", "exec bash --norc -i 2>&1")
    shell.wait_for(r"[#$]$")
    shell.type(f"{strait_path()} top --admin unix:{daemon.admin_socket}\n")
    shell.wait_for(r"\[services\]")
    shell.type("\x1a")
    shell.wait_for("Stopped")
    shell.type("echo $((6*7)) words\n")
    shell.wait_for("^42 words$")
    shell.resize(100, 30)
    shell.type("fg\n")
    shell.type("p")
    eventually(lambda: "[pools]" in shell.rows()[2] and len(shell.rows()[0]) == 100)
    shell.type("q")
    eventually(lambda: not shell.screen.cursor.hidden)
    shell.type("echo $((6*8)) words\n")
    shell.wait_for("^48 words$")


# the daemon

def test_daemon_restarted(strait, loopback, top):
    """While it is away that is said and the last picture stays; when it is back all goes on, without wild rates."""
    for port in (9001, 9002):
        small_server(loopback.server, "echo", ("127.0.0.1", port))
    first = strait(loopback.proxy, CONFIGURATION)
    with Load(loopback.client):
        terminal = top(first, columns=140)
        terminal.wait_for(r"^web +\S+ +web +2/2 +\d+ +[1-9]")
    first.stop()
    terminal.wait_for(r"^no answer for \d+s: .*; asking again")
    assert re.search("^web ", terminal.text(), re.MULTILINE)
    terminal.type("p")
    terminal.wait_for(r"\[pools\]")
    terminal.type("s")
    again = strait(loopback.proxy, CONFIGURATION.replace("service closed", "service other"), admin=None,
                   arguments=["run", "-c", first.configuration_path], wait=False)
    again.admin_socket = first.admin_socket
    terminal.wait_for(r"running [0-9]s .*well$", 20)
    terminal.wait_for(r"1-2 of 2")
    eventually(lambda: not re.search("flows/s  in (?!0B)", terminal.text()), what="no rate after a new start")


def test_slow_daemon(daemon, top):
    """One that is stuck makes the numbers late, not the keys."""
    terminal = top(daemon)
    terminal.wait_for(r"\[services\]")
    daemon.program.stop_and_hold()
    try:
        terminal.wait_for(r"no answer (for \d+s|yet)|waiting for the daemon")
        for key in "prs":
            begun = time.monotonic()
            terminal.type(key)
            terminal.wait_for(rf"\[{VIEWS[key]}\]")
            assert time.monotonic() - begun < 1.5
        begun = time.monotonic()
        terminal.type("q")
        eventually(terminal.is_restored)
        assert time.monotonic() - begun < 1.5
        assert terminal.wait() == 0
    finally:
        daemon.program.resume()


def test_daemon_stuck_from_the_start(daemon, loopback, tmp_path):
    """One that answers who it is, and then nothing, is not said to be silent since before it was asked."""
    body = json.dumps(daemon.status()).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "admin.sock"))
        listener.listen()
        terminal = Terminal(loopback.proxy, strait_path(), "top", "--admin", f"unix:{tmp_path}/admin.sock")
        with listener.accept()[0] as s:
            s.recv(65536)
            s.sendall(answer)
            terminal.wait_for(r"^no answer yet: .*; asking again")
            terminal.type("q")
            assert terminal.wait() == 0


def test_no_daemon(loopback):
    """None there at the start: the usual message and exit code, before there is a screen."""
    terminal = Terminal(loopback.proxy, strait_path(), "top", "--admin", "unix:/nowhere")
    assert terminal.wait() == 3
    assert "no answer from the daemon" in terminal.program.errors
    assert terminal.raw == b""


HOSTILE = "\x1b[2J\x1b]0;t\x07\r\n\t\u202e\u2066\x9b31m中\u0301\u0301\u0301\u200b\ufeff x"


def answer_hostile(connection):
    """An admin listener that says whatever can be said in JSON, and bytes that are no UTF-8 as one of the documents."""
    request = connection.recv(65536).decode()
    status = {"version": HOSTILE, "phase": HOSTILE, "uptime_seconds": 5, "generation": -1, "is_degraded": True,
              "workers": HOSTILE, "limits": {"connections": {"used": 2**62, "max": 1}},
              "services": [{"name": HOSTILE, "pool": HOSTILE, "flows_total": "many", "refused": {HOSTILE: 5},
                            "listens": [{"protocol": HOSTILE, "address": HOSTILE * 50}]}],
              "pools": [{"name": HOSTILE, "available_count": 0, "names": [{"host": HOSTILE, "last_error": HOSTILE}],
                         "servers": [{"name": HOSTILE, "address": HOSTILE, "state": HOSTILE},
                                     {"name": HOSTILE * 100, "state": "down",
                                      "last_check": {"good": False, "cause": HOSTILE * 20}}]}]}
    documents = {"/v1/status": status,
                 "/v1/flows": {"flows": [{"id": HOSTILE, "client": HOSTILE, "service": HOSTILE}]},
                 "/v1/trends": {"window_seconds": 0, "services": [{"name": HOSTILE, "top": [{"source": HOSTILE}]}]},
                 "/v1/history": {"events": [{"id": 1, "ts": HOSTILE, "event": HOSTILE, HOSTILE: HOSTILE}]}}
    body = json.dumps(documents[re.match(r"GET (/\w+/\w+)", request).group(1)], ensure_ascii=False).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    connection.close()


@pytest.fixture
def hostile(loopback):
    listener = loopback.server.listen(("127.0.0.1", 9900))
    listener.settimeout(None)

    def serve():
        while True:
            try:
                answer_hostile(listener.accept()[0])
            except OSError:
                if listener.fileno() < 0:
                    return
    threading.Thread(target=serve, daemon=True).start()
    yield "127.0.0.1:9900"
    listener.close()


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_hostile_daemon(hostile, loopback, locale):
    """Nothing in its answers reaches the terminal as anything but text in its own row, in any view."""
    terminal = Terminal(loopback.proxy, strait_path(), "top", "--admin", hostile, "--every", "200ms",
                        env={"LC_ALL": locale}, columns=120, lines=24)
    for key, name in VIEWS.items():
        terminal.type(key)
        terminal.wait_for(rf"\[{name}\]")
        eventually(lambda: "?[2J" in terminal.rows()[4], what="a row with the name")
        assert terminal.rows()[0].endswith("DEGRADED") and " of " in terminal.rows()[-1]
    raw = bytes(terminal.raw)
    for bad in (b"\x1b]0;t", b"\xe2\x80\xae", b"\xe2\x81\xa6", b"\xc2\x9b", b"\x07", b"\xef\xbb\xbf"):
        assert bad not in raw
    assert (b"\xe4\xb8\xad" in raw) == (locale == "C.UTF-8")
    result = loopback.proxy.run(strait_path(), "status", "--admin", hostile, check=False, env={"LC_ALL": locale})
    assert result.returncode == 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066]", result.stdout)
    assert all(wcswidth(line) in range(81) for line in result.stdout.splitlines())


# many services

def test_thousand_services(strait, loopback, top):
    """They scroll and filter; one screen of status stays one screen."""
    count = 200 if is_sanitized() else 1000
    name_servers(loopback.server, 1, "127.0.0.1")
    daemon = strait(loopback.proxy, "\n".join(
        f"service s{i} {{\n listen 127.0.0.1:{20000 + i}\n to p{i}\n}}\npool p{i} {{\n check none\n server "
        f"127.0.0.1:{9001 + (i == 5)} name=n\n}}" for i in range(count)), is_ready="/livez")
    terminal = top(daemon)
    terminal.wait_for(rf"1-19 of {count}, by FLOWS/S$")
    with loopback.client.connect(("127.0.0.1", 20000 + count - 7)):
        terminal.wait_for(rf"^s{count - 7} +127\.0\.0\.1:{20000 + count - 7} ")  # the busiest is at the top
        shown = daemon.command("status").stdout
        assert f"\ns{count - 7} " in shown
    terminal.type("\x1b[6~")
    terminal.wait_for(rf"20-38 of {count}")
    terminal.type("\x1b[4~")
    terminal.wait_for(rf"{count - 18}-{count} of {count}")
    terminal.type(f"/s{count - 3} ")
    terminal.type("\x7f\n")
    terminal.wait_for(r"1-1 of 1")
    terminal.type("q")
    assert terminal.wait() == 0
    assert len(shown.splitlines()) <= 24 and max(map(len, shown.splitlines())) <= 80
    assert "more: strait pools" in shown and "more: strait top --once" in shown
    listed = once(daemon).stdout
    assert all(f"\ns{i} " in listed for i in range(count))


# as text

def test_once(daemon, loopback):
    """One picture, also when stdout is no terminal, with rates, in 80 columns or as many as COLUMNS says."""
    with Load(loopback.client):
        result = once(daemon)
        assert result.returncode == 0 and result.stderr == ""
        assert re.search(r"^web .* [1-9][\d.]* +[1-9][\d.]*K", result.stdout, re.MULTILINE)
        assert max(map(len, result.stdout.splitlines())) == 80 and "\x1b" not in result.stdout
        result = daemon.command("top")
        assert result.returncode == 0 and "[services]" in result.stdout
    result = once(daemon, "--view", "pools", "--filter", "9001", COLUMNS="120")
    assert max(map(len, result.stdout.splitlines())) == 120
    assert "1-1 of 1" in result.stdout and "127.0.0.1:9001" in result.stdout
    result = once(daemon, "--view", "pools", COLUMNS="40", LINES="10")
    assert len(result.stdout.splitlines()) == 10 and max(map(len, result.stdout.splitlines())) == 40
    for view in VIEWS.values():
        assert f"[{view}]" in once(daemon, "--view", view).stdout


@pytest.mark.parametrize("words", [["-o", "json"], ["--every", "1ms"], ["--every", "x"], ["--view", "nothing"]])
def test_refused_options(daemon, words):
    result = once(daemon, *words)
    assert result.returncode == 2 and result.stdout == ""
    if words[1] == "json":
        assert "strait status -o json" in result.stderr


# strait status

def test_status_is_one_screen(daemon, loopback):
    """In plain words: is it well, since when, what is exposed, how much flows; what is wrong comes first, with its cause."""
    eventually(lambda: daemon.command("status").returncode == 0)
    with Load(loopback.client) as load:
        eventually(lambda: load.count > 5)
        shown = daemon.command("status").stdout
    assert shown.startswith("All is well, since ")
    assert re.search(r"^strait \S+, running for \d+s, 2 workers, generation 1$", shown, re.MULTILINE)
    assert re.search(r"^refused since the start: denied_access \d+$", shown, re.MULTILINE)
    assert re.search(r"^web +127\.0\.0\.1:8000 +web +\d+ +[1-9]", shown, re.MULTILINE)
    assert re.search(r"^web/a +127\.0\.0\.1:9001 +up ", shown, re.MULTILINE)
    for program in loopback.server.lab.programs:
        if getattr(program, "address", None) in (("127.0.0.1", 9001), ("127.0.0.1", 9002)):
            program.kill()
    daemon.wait_for_state("web", "a", "down")
    daemon.wait_for_state("web", "b", "down")
    daemon.hang_up(CONFIGURATION.replace("check tcp", "chekc tcp"))
    result = daemon.command("status")
    assert result.returncode == 1
    assert re.match(r"DEGRADED for \d+s\n", result.stdout)
    assert "! pool web: none of 2 servers is available, new flows are refused\n" in result.stdout
    assert re.search(r"^! the last reload failed, .*", result.stdout, re.MULTILINE)
    assert re.search(r"^! server web/a: down for \d+s: connection refused$", result.stdout, re.MULTILINE)
    assert result.stdout.index("\n!") < result.stdout.index("SERVICE")
    assert len(result.stdout.splitlines()) <= 24 and max(map(len, result.stdout.splitlines())) <= 80
