# SPDX-License-Identifier: Apache-2.0
"""
Connections that begin with a PROXY header: it is required of proxies, in any pieces, and the client that it names is the one
that is judged, limited and told.
"""

import os
import socket
import time

import pytest

from proxy_headers import LOCAL, UNSPECIFIED, tlv, v1, v2
from servers import Scripted, name_servers, server_lines, small_server
from traffic import ending, exchange, receive_exactly
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
CONFIGURATION = """
service web {{
    listen 127.0.0.1:8000
    accept-proxy 127.0.0.1
    timeout proxy-header={wait}
    {more}
    to web
}}
pool web {{
    server 127.0.0.1:9000
}}
"""


@pytest.fixture
def start(strait, loopback):
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    return lambda more="", wait="1m": strait(loopback.proxy, CONFIGURATION.format(more=more, wait=wait))


@pytest.mark.parametrize("header", [v1(), v2(), v2(tlvs=tlv(2, b"example.com") + tlv(4, b""))])
def test_split_at_every_byte(start, loopback, header):
    """In two pieces, split anywhere, and with the first bytes of the connection behind it."""
    daemon = start()
    data = header + b"hello"
    clients = []
    for i in range(1, len(data)):
        s = loopback.client.connect(FRONT)
        s.sendall(data[:i])
        clients.append(s)
    time.sleep(0.1)
    for i, s in enumerate(clients):
        s.sendall(data[i + 1:])
        assert receive_exactly(s, 5) == b"hello"
        exchange(s, b"and more").close()
    records = daemon.wait_for_flows(len(clients))
    assert {r["client"] for r in records} == {"192.0.2.1:1234"}
    assert {r["bytes_in"] for r in records} == {13}


def test_byte_by_byte(start, loopback):
    start()
    with loopback.client.connect(FRONT) as s:
        for i in range(len(v2())):
            s.sendall(v2()[i:i + 1])
            time.sleep(0.002)
        exchange(s)


def test_longest_header(start, loopback):
    """65,535 bytes behind the head, in pieces, with a stream right behind it."""
    start()
    header = v2(tlvs=tlv(0xe0, bytes(65535 - 12 - 3)))
    assert len(header) == 16 + 65535
    with loopback.client.connect(FRONT) as s:
        s.sendall(header[:40000])
        time.sleep(0.05)
        exchange_behind = b"x" * 200000
        s.sendall(header[40000:] + exchange_behind)
        assert receive_exactly(s, len(exchange_behind)) == exchange_behind


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", LOCAL, UNSPECIFIED])
def test_without_addresses(start, loopback, header):
    """A proxy that speaks for itself, or does not know: its own address counts."""
    daemon = start()
    with loopback.client.connect(FRONT) as s:
        s.sendall(header)
        exchange(s)
        own = "%s:%d" % s.getsockname()
    assert daemon.wait_for_flows(1)[0]["client"] == own


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", v1()[:-2] + b"\n", v2()[:12] + b"\x11" + v2()[13:],
                                  v2(tlvs=b"\x04\xff\xff")])
def test_missing_or_malformed(start, loopback, data):
    """Refused at once, with the reason."""
    daemon = start()
    with loopback.client.connect(FRONT) as s:
        begun = time.monotonic()
        s.sendall(data)
        assert ending(s) == "reset"
        assert time.monotonic() - begun < 8
    assert daemon.wait_for_flows(1)[0]["reason"] == "bad_proxy_header"
    daemon.wait_for_active("web", 0)


@pytest.mark.parametrize("data", [b"", v1()[:20], v2()[:20]])
def test_header_that_does_not_come(start, loopback, data):
    """Waited for as long as `timeout proxy-header=` says; one that is cut off by the end is not waited for."""
    daemon = start(wait="1s")
    begun = time.monotonic()
    with loopback.client.connect(FRONT) as s:
        s.sendall(data)
        assert ending(s) == "reset"
        assert 0.99 < time.monotonic() - begun < 8
    daemon.hang_up(CONFIGURATION.format(more="", wait="1m"))
    with loopback.client.connect(FRONT) as s:
        begun = time.monotonic()
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        assert ending(s) == "reset"
        assert time.monotonic() - begun < 8
    assert {r["reason"] for r in daemon.wait_for_flows(2)} == {"bad_proxy_header"}


def test_client_is_judged(start, loopback):
    """Access rules and limits are those of the client that the header names, not of the proxy."""
    daemon = start("deny 203.0.113.0/24\nlimit per-source=2")
    with loopback.client.connect(FRONT) as s:
        s.sendall(v1("203.0.113.9"))
        assert ending(s) == "reset"
    assert daemon.wait_for_flows(1)[0]["reason"] == "denied_access"
    clients = []
    for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"):
        s = loopback.client.connect(FRONT)
        s.sendall(v2(client))
        clients.append(exchange(s))
    with loopback.client.connect(FRONT) as s:
        s.sendall(v1())
        assert ending(s) == "reset"
    assert daemon.wait_for_flows(2)[1]["reason"] == "limit_per_source"
    for s in clients:
        s.close()
    daemon.wait_for_active("web", 0)
    with loopback.client.connect(FRONT) as s:
        s.sendall(v1())
        exchange(s)


def test_source_hash(strait, loopback):
    """Clients keep their server, by the address that the header names."""
    servers = name_servers(loopback.server, 4, "127.0.0.1")
    strait(loopback.proxy, CONFIGURATION.format(more="", wait="1m").replace(
        "server 127.0.0.1:9000", "balance source-hash\n" + server_lines(servers)))
    def name_for(client):
        with loopback.client.connect(FRONT) as s:
            s.sendall(v2(client) + b"who\n")
            return s.recv(100).split()[0]
    names = {client: name_for(client) for client in (f"192.0.2.{i}" for i in range(1, 21))}
    assert len(set(names.values())) > 1
    for client, name in names.items():
        assert name_for(client) == name


def test_others_need_none(start_for_another, loopback):
    """Who is not called a proxy is served without a header."""
    start_for_another()
    exchange(loopback.client.connect(FRONT)).close()
    with loopback.client.connect(FRONT, source=("127.0.0.9", 0)) as s:
        s.sendall(v1())
        exchange(s)


@pytest.mark.xdist_group("memory")
def test_memory_of_headers(strait, loopback, own_memory):
    """What many long headers need is given back when they have been read."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, CONFIGURATION.format(more="", wait="1m"))
    header = v2(tlvs=tlv(0xe0, os.urandom(65535 - 12 - 3)))
    count = 300
    before = daemon.private_bytes()
    clients = []
    for _ in range(count):
        s = loopback.client.connect(FRONT)
        s.sendall(header[:-1])
        clients.append(s)
    eventually(lambda: daemon.private_bytes() - before > count * 60_000, what="headers are in memory")
    for s in clients:
        s.sendall(header[-1:])
        exchange(s)
    eventually(lambda: daemon.private_bytes() - before < 12 << 20, what="their memory is given back")
    for s in clients:
        s.close()


def test_stop_while_waiting(start, loopback):
    """A stop does not wait for headers longer than for flows."""
    daemon = start()
    with loopback.client.connect(FRONT):
        daemon.wait_for_active("web", 1)
        daemon.stop()


# who is no proxy

@pytest.fixture
def start_for_another(strait, loopback):
    """Headers are accepted from 127.0.0.9 only."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    return lambda wait="1m": strait(loopback.proxy, for_another(wait))


def for_another(wait):
    return CONFIGURATION.format(more="", wait=wait).replace("accept-proxy 127.0.0.1", "accept-proxy 127.0.0.9")


@pytest.mark.parametrize("header", [v1(), v2(), b"PROXY UNKNOWN\r\n"])
def test_forbidden(start_for_another, loopback, header):
    """A header of somebody else is refused, in one piece and byte by byte, and no byte of it reaches a server."""
    daemon = start_for_another()
    for piece in (len(header), 1):
        with loopback.client.connect(FRONT) as s:
            assert send_in_pieces(s, header, piece) == "reset"
    records = daemon.wait_for_flows(2)
    assert {r["reason"] for r in records} == {"bad_proxy_header"}
    assert {r["bytes_in"] for r in records} == {0}


def send_in_pieces(s, data, piece):
    """Returns how the connection ends, which may be before all is sent."""
    try:
        for i in range(0, len(data), piece):
            s.sendall(data[i:i + piece])
            time.sleep(0.002)
    except ConnectionError:
        return "reset"
    return ending(s)


@pytest.mark.parametrize("data", [b"P", b"PROXY", b"\r\n", b"PROXY TCP5 ", b"POST", b"PROXY UNKNOWM"])
def test_similar_beginnings(start_for_another, loopback, data):
    """What only begins alike is passed on: at once when it is clear, else when more or the end comes, or in a while."""
    daemon = start_for_another("1s")
    with loopback.client.connect(FRONT) as s:
        exchange(s, data)
        exchange(s, v1())
    daemon.hang_up(for_another("1m"))
    with loopback.client.connect(FRONT) as s:
        s.sendall(data)
        time.sleep(0.05)
        s.sendall(b"!")
        assert receive_exactly(s, len(data) + 1) == data + b"!"
    with loopback.client.connect(FRONT) as s:
        begun = time.monotonic()
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        assert receive_exactly(s, len(data)) == data
        assert time.monotonic() - begun < 8


def test_server_speaks_first(strait, loopback):
    """Who is no proxy and says nothing is served at once."""
    Scripted(loopback.server, ("127.0.0.1", 9000), lambda c: (c.sendall(b"hello"), c.recv(1)))
    strait(loopback.proxy, for_another("1m"))
    with loopback.client.connect(FRONT) as s:
        begun = time.monotonic()
        assert receive_exactly(s, 5) == b"hello"
        assert time.monotonic() - begun < 8
