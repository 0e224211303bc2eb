# SPDX-License-Identifier: Apache-2.0
"""
What many flows have to be done for in one turn is done with few system calls, and flow by flow where io_uring is
switched off or refused. Nothing else differs: every test of the relay here is made with all three.
"""

import os
import socket
import threading
import time

import pytest

from lab import address_text
from servers import Scripted, small_server, tool
from traffic import ending, exchange, receive_all, receive_exactly, receive_stream, reset, send_stream
from waiting import eventually, thread

LISTEN, SERVER = ("127.0.0.1", 8000), ("127.0.0.1", 9000)
READ_BYTES = 16 * 1024  # at a time, of a connection in a batch
BATCH_MAX = 32
CONFIGURATION = """
{more}
service stream {{
    listen {listen}
    listen udp {listen}
    {policy}
    to stream
}}
pool stream {{
    {servers}
}}
"""


def configuration(more="", policy="", servers=f"server {address_text(*SERVER)}"):
    return CONFIGURATION.format(more=more, policy=policy, servers=servers, listen=address_text(*LISTEN))


def rings(daemon):
    """How many io_urings the daemon has."""
    names = [os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{daemon.pid}/fd")]
    return names.count("anon_inode:[io_uring]")


@pytest.fixture(params=["on", "off", "refused"])
def start(request, strait, loopback):
    """start(policy=..., servers=...): the daemon; its one worker does what comes in one turn with one call, or not."""
    def start_with(**words):
        if request.param == "refused":
            return strait(loopback.proxy, configuration(**words), workers=1, through=[tool("without_io_uring")])
        return strait(loopback.proxy, configuration(f"io-uring {request.param}", **words), workers=1)
    return start_with


def connect_all(loopback, count):
    return [exchange(loopback.client.connect(LISTEN)) for _ in range(count)]


def pattern(i, count):
    return bytes((i + j) % 251 for j in range(count))


# TCP

def test_many_at_once(start, loopback):
    """More connections than a batch takes, with less, as much and more than it reads: each gets its own back."""
    small_server(loopback.server, "echo", SERVER)
    daemon = start()
    clients = connect_all(loopback, 2 * BATCH_MAX + 9)
    sizes = [1, 100, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES, 100000]
    said = [pattern(i, sizes[i % len(sizes)]) for i in range(len(clients))]
    for _ in range(3):
        with daemon.program.held():
            for s, data in zip(clients, said):
                s.sendall(data)
        for s, data in zip(clients, said):
            assert receive_exactly(s, len(data)) == data
    for s in clients:
        s.close()
    records = daemon.wait_for_flows(len(clients))
    assert sorted(r["bytes_in"] for r in records) == sorted(5 + 3 * len(d) for d in said)
    assert sorted(r["bytes_out"] for r in records) == sorted(5 + 3 * len(d) for d in said)


def test_endings_at_once(start, loopback):
    """Last words, ends and resets of many in one turn: each side hears what the other has said, and how it ended."""
    daemon = start()
    def script(connection):
        receive_exactly(connection, 5)
        connection.sendall(b"hello")
        return receive_all_or_reset(connection)
    server = Scripted(loopback.server, SERVER, script)
    clients = connect_all(loopback, 90)
    with daemon.program.held():
        for i, s in enumerate(clients):
            s.sendall(b"last words %d" % i)
            if i % 3 == 0:
                s.shutdown(socket.SHUT_WR)
            elif i % 3 == 1:
                s.close()
            else:
                reset(s)
    for s in clients[::3]:
        assert receive_all(s) == b""
    results = server.results(90)
    for i in range(90):
        assert i % 3 == 2 or (b"last words %d" % i, "fin") in results
    assert [how for _, how in results].count("reset") == 30
    reasons = [r["reason"] for r in daemon.wait_for_flows(90)]
    assert {r: reasons.count(r) for r in set(reasons)} == {"client_fin": 60, "client_rst": 30}
    daemon.wait_for_active("stream", 0)


def receive_all_or_reset(s):
    parts = []
    try:
        while part := s.recv(1 << 18):
            parts.append(part)
        return b"".join(parts), "fin"
    except ConnectionResetError:
        return b"".join(parts), "reset"


def test_server_resets_at_once(start, loopback):
    """Servers that reset while their clients send: every client hears of it, and nothing stays."""
    daemon = start()
    due = threading.Event()
    server = Scripted(loopback.server, SERVER, lambda c: (receive_exactly(c, 5), c.sendall(b"hello"),
                                                          due.wait(10), reset(c)))
    clients = connect_all(loopback, 70)
    with daemon.program.held():
        due.set()
        server.results(70)
        for s in clients:
            s.sendall(bytes(READ_BYTES))
    for s in clients:
        assert ending(s) == "reset"
        s.close()
    assert {r["reason"] for r in daemon.wait_for_flows(70)} == {"server_rst"}
    daemon.wait_for_active("stream", 0)


def test_slow_readers_at_once(start, loopback):
    """Servers that take only a part of what is sent: the rest is kept, and all arrives in order."""
    start()
    count = 3 << 20
    server = Scripted(loopback.server, SERVER, lambda c: (receive_exactly(c, 5), c.sendall(b"hello"), time.sleep(0.5),
                                                          receive_stream(c))[-1])
    clients = connect_all(loopback, 12)
    sending = [thread(send_stream, s, count, i) for i, s in enumerate(clients)]
    digests = {work.join() for work in sending}
    results = server.results(12)
    assert {n for n, _ in results} == {count}
    assert {digest for _, digest in results} == digests


# UDP

def test_datagrams_at_once(start, loopback):
    """More sessions than a batch takes, some with several datagrams that lie apart: each gets its own back, in order."""
    small_server(loopback.server, "echo", SERVER)
    daemon = start()
    clients = [exchange(loopback.client.udp(LISTEN)) for _ in range(2 * BATCH_MAX + 9)]
    for _ in range(3):
        with daemon.program.held():
            for number in range(3):
                for i, s in enumerate(clients):
                    if i % 3 >= number:
                        s.send(b"%d of %d" % (number, i))
        for i, s in enumerate(clients):
            assert [s.recv(100) for _ in range(i % 3 + 1)] == [b"%d of %d" % (n, i) for n in range(i % 3 + 1)]
    service = daemon.service("stream")
    assert service["packets_in"] == service["packets_out"] == len(clients) + 3 * sum(i % 3 + 1 for i in range(len(clients)))


def test_sessions_of_one_request(start, loopback):
    """With `session requests=1` datagrams of one client in one turn are sessions of their own, and all are answered."""
    small_server(loopback.server, "echo", SERVER)
    daemon = start(policy="session requests=1 replies=1")
    clients = [loopback.client.udp(LISTEN) for _ in range(20)]
    with daemon.program.held():
        for number in range(3):
            for s in clients:
                s.send(b"%d" % number)
    for s in clients:
        assert sorted(s.recv(100) for _ in range(3)) == [b"0", b"1", b"2"]
    assert {r["reason"] for r in daemon.wait_for_flows(60)} == {"replies_done"}


def test_sessions_without_replies(start, loopback):
    """With `session replies=0` a session ends when its datagram is sent; what comes for it in the same turn is sent, too."""
    daemon = start(policy="session replies=0")
    with loopback.server.socket(kind=socket.SOCK_DGRAM) as server:
        server.bind(SERVER)
        server.settimeout(10)
        clients = [loopback.client.udp(LISTEN) for _ in range(20)]
        with daemon.program.held():
            for number in range(3):
                for i, s in enumerate(clients):
                    s.send(b"%d of %d" % (number, i))
        got = {server.recv(100) for _ in range(60)}
    assert got == {b"%d of %d" % (number, i) for number in range(3) for i in range(20)}
    assert {r["reason"] for r in daemon.wait_for_flows(1)} == {"replies_done"}
    daemon.wait_for_active("stream", 0)


def test_servers_that_are_gone(start, loopback):
    """Nobody listens at one of two servers: its sessions move to the other with the datagram that meets the ICMP error."""
    small_server(loopback.server, "echo", SERVER)
    daemon = start(servers=f"server {address_text(*SERVER)}\nserver 127.0.0.1:9001 name=gone")
    clients = [loopback.client.udp(LISTEN) for _ in range(40)]
    for _ in range(2):
        with daemon.program.held():
            for s in clients:
                s.send(b"hello")
    for s in clients:
        s.settimeout(0.3)
        for _ in range(10):
            s.send(b"hello")
            try:
                assert s.recv(100) == b"hello"
                break
            except TimeoutError:
                continue
        else:
            raise AssertionError("not answered")
    assert daemon.server("stream", "gone")["flows_active"] == 0


# the switch

def test_reload(strait, loopback):
    """It can be switched while flows go on; each worker has one, or none is left."""
    small_server(loopback.server, "echo", SERVER)
    daemon = strait(loopback.proxy, configuration())
    eventually(lambda: rings(daemon) == 2 or daemon.events("io_uring_refused"))
    if daemon.events("io_uring_refused"):
        pytest.skip("io_uring is refused here")
    clients = connect_all(loopback, 20) + [exchange(loopback.client.udp(LISTEN)) for _ in range(20)]
    for word, count in (("off", 0), ("on", 2), ("off", 0)):
        daemon.hang_up(configuration(f"io-uring {word}"))
        eventually(lambda: rings(daemon) == count)
        for s in clients:
            exchange(s)
        assert daemon.reloads()[-1]["event"] == "reloaded"
    assert daemon.flows() == []


def test_refused(strait, loopback):
    """Where it is refused strait says so, and why; where it is switched off it does not ask for it."""
    daemon = strait(loopback.proxy, configuration("io-uring off"), through=[tool("without_io_uring")])
    daemon.hang_up(configuration("io-uring on"))
    assert daemon.wait_for_event("io_uring_refused")["error"] == "Operation not permitted"
    events = [r["event"] for r in daemon.records()]
    assert events.index("io_uring_refused") > events.index("reloaded"), "not before it was wanted"
