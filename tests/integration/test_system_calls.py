# SPDX-License-Identifier: Apache-2.0
"""What a flow costs in system calls, counted with strace: none is made that is not needed."""

import signal

import pytest

import daemon as daemons
from servers import small_server
from traffic import exchange

COUNT = 300
CONFIGURATION = """
log file:/dev/null level=error
service echo {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to echo
}
pool echo {
    server 127.0.0.1:9000
}
"""


@pytest.fixture
def counted(strait, loopback):
    """counted(daemon, work): the system calls that the daemon makes meanwhile, by name."""
    if daemons.is_sanitized():
        pytest.skip("sanitizers make system calls of their own")

    def count(daemon, work):
        strace = loopback.proxy.start("strace", "-f", "-c", "-p", daemon.pid)
        strace.wait_for_output("attached")
        work()
        strace.signal(signal.SIGINT)
        strace.wait(20)
        rows = [line.split() for line in strace.errors.splitlines()]
        return {r[-1]: int(r[3]) for r in rows if len(r) >= 5 and r[3].isdigit() and r[-1] != "total"}
    return count


@pytest.fixture
def start(strait, loopback):
    """start(more): the daemon, with one worker, before an echo server."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    return lambda more="": strait(loopback.proxy, more + CONFIGURATION, workers=1)


def test_short_connection(counted, start, loopback, figure):
    """A connection with one request: no option is set, and each descriptor is registered once and closed once."""
    def work():
        for _ in range(COUNT):
            exchange(loopback.client.connect(("127.0.0.1", 8000))).close()
    calls = counted(start("io-uring off"), work)
    each = {name: count / COUNT for name, count in calls.items()}
    figure("system calls of a short connection: " + ", ".join(f"{n} {c:.1f}" for n, c in each.items() if c >= 0.1))
    assert each.get("setsockopt", 0) < 0.5
    for name in ("epoll_ctl", "close", "sendto"):
        assert 1.5 < each[name] < 2.5, name
    for name in ("accept4", "socket", "connect", "shutdown"):
        assert 0.5 < each[name] < 1.5, name
    assert each["recvfrom"] < 4.5


def test_round_trip_of_a_datagram(counted, start, loopback, figure):
    """A request and its reply: each is received with one call and sent with one, and nothing else is done."""
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        def work():
            for i in range(COUNT):
                s.send(b"%d" % i)
                assert s.recv(100) == b"%d" % i
        calls = counted(start("io-uring off"), work)
    each = {name: count / COUNT for name, count in calls.items()}
    figure("system calls of a round trip: " + ", ".join(f"{n} {c:.1f}" for n, c in each.items() if c >= 0.1))
    received = each["recvmmsg"] + each.get("recvfrom", 0)
    sent = each["sendto"] + each.get("sendmmsg", 0)
    assert received < 2.5 and sent < 2.5
    assert "setsockopt" not in calls or calls["setsockopt"] < 10


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_many_round_trips(counted, start, loopback, figure, protocol):
    """What comes for many flows in one turn is received with one call and sent with one, through io_uring."""
    daemon = start()
    connect = loopback.client.connect if protocol == "tcp" else loopback.client.udp
    clients = [exchange(connect(("127.0.0.1", 8000))) for _ in range(50)]
    if daemon.events("io_uring_refused"):
        pytest.skip("io_uring is refused here")
    def work():
        for _ in range(4):
            with daemon.program.held():
                for s in clients:
                    s.send(b"again")
            for s in clients:
                assert s.recv(100) == b"again"
    calls = counted(daemon, work)
    figure(f"system calls of 200 {protocol} round trips, 50 at once: " + ", ".join(f"{n} {c}" for n, c in calls.items()))
    made = sum(calls.get(name, 0) for name in ("io_uring_enter", "recvfrom", "sendto", "recvmmsg", "sendmmsg"))
    assert made < 200
