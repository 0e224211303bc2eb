# SPDX-License-Identifier: Apache-2.0
"""What idle flows cost: user memory for each TCP connection and UDP session, printed and bounded."""

import time

import pytest

import process
from servers import small_server
from traffic import exchange
from waiting import eventually

WARM_UP = 300
CONNECTIONS = 4000
SESSIONS = 10_000
CONFIGURATION = """
limit connections=6k sessions=12k
service idle {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    timeout idle=10m
    session idle=10m new=10m
    limit connections=6k sessions=12k
    to idle
}
pool idle {
    server 127.0.0.1:9000
}
"""


def settled_private_bytes(daemon):
    """Private memory once it stands still."""
    last = daemon.private_bytes()
    for _ in range(20):
        time.sleep(0.2)
        now = daemon.private_bytes()
        if now == last:
            return now
        last = now
    return last


def open_connections(loopback, count):
    return [exchange(loopback.client.connect(("127.0.0.1", 8000))) for _ in range(count)]


def open_sessions(loopback, count):
    """Clients that sent one datagram and got the answer."""
    made = []
    for _ in range(count):
        s = loopback.client.udp(("127.0.0.1", 8000))
        s.send(b"hello")
        assert s.recv(10) == b"hello"
        made.append(s)
    return made


@pytest.mark.xdist_group("memory")
def test_idle_connections(strait, loopback, figure, own_memory):
    """4,000 idle TCP connections cost at most 400 bytes of user memory each, work afterwards, and cost no CPU."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, CONFIGURATION)
    clients = open_connections(loopback, WARM_UP)
    before = settled_private_bytes(daemon)
    clients += open_connections(loopback, CONNECTIONS)
    each = (settled_private_bytes(daemon) - before) / CONNECTIONS
    figure(f"idle TCP connection: {each:.0f} bytes of user memory")
    assert daemon.service("idle")["flows_active"] == CONNECTIONS + WARM_UP
    assert process.cpu_share(daemon.pid, 1) < 0.2
    assert each <= 400
    for s in clients[::100]:
        exchange(s, b"still here")
    for s in clients:
        s.close()
    daemon.wait_for_active("idle", 0)


@pytest.mark.xdist_group("memory")
def test_idle_sessions(strait, loopback, figure, own_memory):
    """10,000 UDP sessions cost at most 512 bytes of user memory each, and each still reaches its server afterwards."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, CONFIGURATION)
    clients = open_sessions(loopback, WARM_UP)
    before = settled_private_bytes(daemon)
    clients += open_sessions(loopback, SESSIONS)
    each = (settled_private_bytes(daemon) - before) / SESSIONS
    figure(f"UDP session: {each:.0f} bytes of user memory")
    assert daemon.service("idle")["flows_active"] == SESSIONS + WARM_UP
    assert process.cpu_share(daemon.pid, 1) < 0.2
    assert each <= 512
    for s in clients[::100]:
        s.send(b"still here")
        assert s.recv(20) == b"still here"
    for s in clients:
        s.close()


@pytest.mark.xdist_group("memory")
def test_memory_is_reused(strait, loopback, own_memory):
    """Connections that come and go again and again do not make memory grow: nothing leaks."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    # No access records: their rings, of a fixed size, become resident only as they fill. Those of what the trends are
    # told do so in the first ten rounds.
    daemon = strait(loopback.proxy, CONFIGURATION.replace("session idle=10m", "session idle=300ms"),
                    log="stderr level=error")
    sizes = []
    for _ in range(16):
        for s in open_connections(loopback, 500) + open_sessions(loopback, 500):
            s.close()
        daemon.wait_for_active("idle", 0)
        sizes.append(daemon.private_bytes())
    print(f"private memory after each round: {sizes}")
    assert sizes[-1] - sizes[11] < 150_000, "four rounds of 1,000 flows"


def test_descriptors_are_given_back(strait, loopback):
    """After connections and sessions have ended the daemon has as many descriptors open as before."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, CONFIGURATION.replace("session idle=10m", "session idle=500ms"))
    for s in open_connections(loopback, 5) + open_sessions(loopback, 5):
        s.close()
    daemon.wait_for_active("idle", 0)
    before = process.descriptor_count(daemon.pid)
    for s in open_connections(loopback, 200) + open_sessions(loopback, 200):
        s.close()
    daemon.wait_for_active("idle", 0)
    eventually(lambda: process.descriptor_count(daemon.pid) <= before + 5, 5, what="descriptors are closed")
