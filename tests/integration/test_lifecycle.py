# SPDX-License-Identifier: Apache-2.0
"""Start, signals and end of the daemon."""

import os
import signal
import socket
import time

import pytest

from daemon import strait as strait_command
from lab import address_text
from servers import small_server
from traffic import ending, exchange, is_refused, is_served
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
CONFIGURATION = """
{top}
service web {{
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    {more}
    to web
}}
pool web {{
    server 127.0.0.1:9000
}}
"""


def start(strait, lab, top="", more="", **options):
    small_server(lab.server, "echo", ("127.0.0.1", 9000))
    return strait(lab.proxy, CONFIGURATION.format(top=top, more=more), **options)


def reason_of(daemon, client):
    """What ended the flow of this client; others may have come and gone while it was there."""
    return [f["reason"] for f in daemon.flows(client=client)]


# TERM, INT

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop(strait, loopback, number):
    """TERM and INT: no new clients, those inside finish in their own time, then exit code 0."""
    daemon = start(strait, loopback)
    with exchange(loopback.client.connect(FRONT)) as s:
        client = address_text(*s.getsockname())
        daemon.program.signal(number)
        eventually(lambda: is_refused(loopback.client, FRONT), 5, what="new clients are refused")
        for _ in range(5):
            time.sleep(0.2)
            exchange(s, b"still inside")
        assert daemon.program.is_running()
    assert daemon.wait(10) == 0
    assert reason_of(daemon, client) == ["client_fin"]


def test_stop_without_flows(strait, loopback):
    """With nothing to finish TERM ends at once."""
    daemon = start(strait, loopback)
    exchange(loopback.client.connect(FRONT)).close()
    daemon.wait_for_active("web", 0)
    begun = time.monotonic()
    daemon.terminate()
    assert daemon.wait(10) == 0
    assert time.monotonic() - begun < 4


def test_drain_is_bounded(strait, loopback):
    """`timeout drain=1s`: connections that do not finish are ended then, with a reason, and the exit code is 0."""
    daemon = start(strait, loopback, top="timeout drain=1s")
    with exchange(loopback.client.connect(FRONT)) as s:
        begun = time.monotonic()
        daemon.terminate()
        ending(s)
        assert daemon.wait(10) == 0
        assert 0.8 < time.monotonic() - begun < 6
    assert [f["reason"] for f in daemon.flows()] in (["shutdown"], ["drained"])


def test_second_term_is_now(strait, loopback):
    """A second TERM does not wait for the connections inside."""
    daemon = start(strait, loopback)
    with exchange(loopback.client.connect(FRONT)) as s:
        client = address_text(*s.getsockname())
        daemon.terminate()
        eventually(lambda: is_refused(loopback.client, FRONT), 5)
        assert daemon.program.is_running()
        begun = time.monotonic()
        daemon.terminate()
        assert daemon.wait(10) == 0
        assert time.monotonic() - begun < 4
        ending(s)
    assert reason_of(daemon, client) == ["shutdown"]


def test_clients_in_the_accept_queue_at_term(strait, loopback):
    """Clients whose handshake was complete before TERM get an end, not silence."""
    daemon = start(strait, loopback, top="timeout drain=2s")
    clients = [loopback.client.connect(FRONT) for _ in range(50)]
    daemon.terminate()
    for s in clients:
        s.settimeout(10)
        try:
            s.sendall(b"hello")
            s.shutdown(socket.SHUT_WR)
            assert s.recv(10) in (b"hello", b"")
        except ConnectionError:
            pass
        s.close()
    assert daemon.wait(10) == 0


def test_sessions_at_term(strait, loopback):
    """UDP sessions end with a record when strait stops."""
    daemon = start(strait, loopback, top="timeout drain=1s")
    with loopback.client.udp(FRONT) as s:
        exchange(s)
        daemon.terminate()
        assert daemon.wait(10) == 0
    assert [f["reason"] for f in daemon.flows()] in (["shutdown"], ["drained"])


def test_readyz_while_draining(strait, loopback):
    """A draining strait says that it is not ready any more, as long as its API can be asked."""
    daemon = start(strait, loopback)
    with exchange(loopback.client.connect(FRONT)):
        daemon.terminate()
        eventually(lambda: daemon.get("/readyz").status == 503, 5)
        assert daemon.get("/livez").status == 200
    assert daemon.wait(10) == 0


# HUP, USR1, others

def test_hup_does_no_harm(strait, loopback):
    """After HUP flows go on and new ones are served."""
    daemon = start(strait, loopback)
    with exchange(loopback.client.connect(FRONT)) as s, loopback.client.udp(FRONT) as u:
        exchange(u)
        for _ in range(5):
            daemon.program.signal(signal.SIGHUP)
            time.sleep(0.1)
            exchange(s)
            exchange(u)
            assert is_served(loopback.client, FRONT)
        assert daemon.program.is_running()


def test_usr1_reopens_the_log(strait, loopback):
    """After the log file was renamed, USR1 makes strait write to a new one; nothing is lost between."""
    path, old = loopback.directory / "access.log", loopback.directory / "access.log.1"
    daemon = start(strait, loopback, log=f"file:{path} format=json")
    exchange(loopback.client.connect(FRONT)).close()
    eventually(lambda: "client_fin" in path.read_text())
    path.rename(old)
    exchange(loopback.client.connect(FRONT)).close()
    eventually(lambda: old.read_text().count("client_fin") == 2)
    daemon.program.signal(signal.SIGUSR1)
    eventually(path.exists, what="a new log file")
    exchange(loopback.client.connect(FRONT)).close()
    eventually(lambda: "client_fin" in path.read_text())
    assert old.read_text().count("client_fin") == 2


def test_closed_pipes_and_signals(strait, loopback):
    """PIPE and WINCH do not end it."""
    daemon = start(strait, loopback)
    for number in (signal.SIGPIPE, signal.SIGWINCH):
        daemon.program.signal(number)
    time.sleep(0.2)
    exchange(loopback.client.connect(FRONT)).close()
    assert daemon.program.is_running()


def test_stop_and_continue(strait, loopback):
    """A daemon that was stopped and continued (Ctrl-Z, a snapshot of the machine) goes on."""
    daemon = start(strait, loopback)
    with exchange(loopback.client.connect(FRONT)) as s:
        daemon.program.stop_and_hold()
        time.sleep(0.5)
        daemon.program.resume()
        exchange(s)


# the start

def test_port_in_use(strait, loopback):
    """A port that another program has is an error that names it: exit code 1, and nothing was opened."""
    with loopback.proxy.listen(FRONT):
        daemon = start(strait, loopback, wait=False)
        assert daemon.wait() == 1
    assert "127.0.0.1:8000" in daemon.program.errors


def test_two_daemons_do_not_share_a_port(strait, loopback):
    """A second strait with the same listener does not take half of the clients of the first."""
    first = start(strait, loopback)
    second = strait(loopback.proxy, CONFIGURATION.format(top="", more=""), wait=False)
    assert second.wait() == 1
    assert first.program.is_running()
    assert all(is_served(loopback.client, FRONT) for _ in range(10))


@pytest.mark.parametrize("listen", ["127.0.0.1:8001", "udp 127.0.0.1:8001"])
def test_one_bad_listener_opens_none(strait, loopback, listen):
    """When one of several listeners cannot be opened strait does not start with the rest."""
    kind = socket.SOCK_DGRAM if listen.startswith("udp") else socket.SOCK_STREAM
    with loopback.proxy.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 8001))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        daemon = start(strait, loopback, more=f"listen {listen}", wait=False)
        assert daemon.wait() == 1
    assert "8001" in daemon.program.errors


def test_bad_configuration(strait, loopback):
    """A wrong file: exit code 78, the place and a guess on stderr, and nothing on stdout."""
    daemon = strait(loopback.proxy, "service web {\n listen 127.0.0.1:8000\n to web\n}\n"
                    "pool web {\n balance least-con\n server 127.0.0.1:9000\n}\n", wait=False)
    assert daemon.wait() == 78
    assert "least-connections" in daemon.program.errors
    assert f"{daemon.configuration_path}:9:" in daemon.program.errors
    assert daemon.program.output == ""


def test_missing_configuration(loopback):
    """A file that does not exist: exit code 78, and its name is said."""
    result = strait_command(loopback.proxy, "run", "-c", "does-not-exist.conf")
    assert result.returncode == 78
    assert "does-not-exist.conf" in result.stderr


def test_dead_servers_do_not_keep_it_from_starting(strait, loopback):
    """Servers that are down or unreachable at start are no reason not to start."""
    daemon = strait(loopback.proxy, CONFIGURATION.format(top="", more="").replace(
        "server 127.0.0.1:9000", "check tcp every=200ms timeout=200ms\nserver 127.0.0.1:9000\nserver 192.0.2.1:80"),
        is_ready="/livez")
    daemon.wait_for_event("server_down")
    assert daemon.program.is_running()


def test_restart_at_once(strait, loopback):
    """A strait that is started right after another has ended gets its ports, though old connections linger."""
    first = start(strait, loopback)
    for _ in range(20):
        exchange(loopback.client.connect(FRONT)).close()
    first.stop()
    strait(loopback.proxy, CONFIGURATION.format(top="", more=""))
    exchange(loopback.client.connect(FRONT)).close()


def test_events_of_the_life(strait, loopback):
    """Start and stop are events in the log."""
    daemon = start(strait, loopback)
    daemon.wait_for_event("started")
    daemon.stop()
    assert daemon.events("stopping") and daemon.events("stopped")


# the service manager

@pytest.fixture
def manager(loopback):
    """A service manager's notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(loopback.directory / "notify.sock"))
        s.settimeout(10)
        yield s


def notified(manager, word):
    while True:
        if word in manager.recv(4096).decode().splitlines():
            return


def test_service_manager_is_told(strait, loopback, manager):
    """sd_notify: READY=1 when clients are served, STOPPING=1 on TERM."""
    daemon = start(strait, loopback, env={"NOTIFY_SOCKET": manager.getsockname()}, wait=False)
    notified(manager, "READY=1")
    assert is_served(loopback.client, FRONT)
    with exchange(loopback.client.connect(FRONT)):
        daemon.terminate()
        notified(manager, "STOPPING=1")
    assert daemon.wait() == 0


def test_notification_to_nobody(strait, loopback):
    """A notification socket that does not exist is no reason not to serve."""
    start(strait, loopback, env={"NOTIFY_SOCKET": str(loopback.directory / "nobody.sock")})
    assert is_served(loopback.client, FRONT)


def test_watchdog(strait, loopback, manager):
    """With WATCHDOG_USEC set the service manager hears WATCHDOG=1 more often than that."""
    daemon = start(strait, loopback, env={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000"})
    for _ in range(3):
        begun = time.monotonic()
        notified(manager, "WATCHDOG=1")
        assert time.monotonic() - begun < 3
    assert daemon.program.is_running()


def test_files_are_not_inherited(strait, loopback):
    """Every descriptor of the daemon but 0, 1 and 2 is closed on exec."""
    daemon = start(strait, loopback)
    with exchange(loopback.client.connect(FRONT)):
        for number in os.listdir(f"/proc/{daemon.pid}/fd"):
            try:
                name = os.readlink(f"/proc/{daemon.pid}/fd/{number}")
                with open(f"/proc/{daemon.pid}/fdinfo/{number}", encoding="ascii") as file:
                    flags = next(int(line.split()[1], 8) for line in file if line.startswith("flags:"))
            except FileNotFoundError:
                continue  # closed since the listing: a health check, for one
            assert int(number) <= 2 or flags & os.O_CLOEXEC, name
