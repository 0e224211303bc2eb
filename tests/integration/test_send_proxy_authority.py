# SPDX-License-Identifier: Apache-2.0
"""Servers that are told by a PROXY header for which name a TLS client has come: read from its greeting, which they get whole."""

import os
import socket
import ssl
import time

import pytest

from lab import program_path
from proxy_headers import receive_header, tlv, v2
from servers import Scripted
from traffic import exchange, receive_all, receive_exactly, reset
from waiting import eventually

FRONT, SERVER = ("127.0.0.1", 8000), ("127.0.0.1", 9000)
AUTHORITY = 2
CONFIGURATION = """
service web {{
    listen 127.0.0.1:8000
    timeout hello={hello}
    {service}
    to web
}}
pool web {{
    send-proxy v2 authority
    {pool}
    server 127.0.0.1:9000
}}
"""


def client_hello(name):
    """What OpenSSL says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


HELLO = client_hello("www.example.test")


def header_then_echo(connection):
    header = receive_header(connection)
    while data := connection.recv(65536):
        connection.sendall(data)
    return header[1]


@pytest.fixture
def server(loopback):
    """results(): the TLVs that came in each connection."""
    return Scripted(loopback.server, SERVER, header_then_echo)


@pytest.fixture
def start(strait, loopback):
    return lambda hello="1m", service="", pool="": strait(loopback.proxy, CONFIGURATION.format(hello=hello, service=service,
                                                                                              pool=pool))


@pytest.mark.parametrize("header", [b"", v2()])
def test_split_at_every_byte(start, loopback, server, header):
    """In two pieces, split anywhere; also behind a header, and in its middle."""
    daemon = start(service="accept-proxy 127.0.0.1" if header else "")
    data = header + HELLO
    clients = []
    for i in range(1, len(data)):
        s = loopback.client.connect(FRONT)
        s.sendall(data[:i])
        clients.append(s)
    time.sleep(0.1)
    assert not server.works, "no server is asked before the whole greeting is there"
    for i, s in enumerate(clients):
        s.sendall(data[i + 1:])
        assert receive_exactly(s, len(HELLO)) == HELLO
        exchange(s, b"and more").close()
    assert server.results(len(clients)) == len(clients) * [{AUTHORITY: b"www.example.test"}]
    assert {r["bytes_in"] for r in daemon.wait_for_flows(len(clients))} == {len(HELLO) + 8}


def test_byte_by_byte(start, loopback, server):
    start()
    with loopback.client.connect(FRONT) as s:
        for i in range(len(HELLO)):
            s.sendall(HELLO[i:i + 1])
        assert receive_exactly(s, len(HELLO)) == HELLO
    assert server.results() == [{AUTHORITY: b"www.example.test"}]


def test_many_records(start, loopback, server):
    """A greeting of nearly 16 KiB, in records of 1,000 bytes, with a stream right behind it."""
    start()
    at = 5 + 4 + 2 + 32
    for size in (1, 2, 1):  # session id, cipher suites, compression methods
        at += size + int.from_bytes(HELLO[at:at + size], "big")
    extensions = HELLO[at + 2:] + b"\xfe\xfe" + (15000).to_bytes(2, "big") + os.urandom(15000)
    body = HELLO[9:at] + len(extensions).to_bytes(2, "big") + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    data = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
                    for part in (message[i:i + 1000] for i in range(0, len(message), 1000))) + bytes(300_000)
    with loopback.client.connect(FRONT) as s:
        s.sendall(data[:10_000])
        time.sleep(0.05)
        s.sendall(data[10_000:20_000])
        assert receive_exactly(s, 20_000) == data[:20_000]
        exchange(s, data[20_000:])
    assert server.results() == [{AUTHORITY: b"www.example.test"}]


OTHERS = {"http": b"GET / HTTP/1.1\r\n\r\n", "ssh": b"S", "nobody": client_hello(None), "malformed": HELLO[:9] + b"\xff" * 508,
          "other message": b"\x16\x03\x01\x02\x00\x02", "too long": b"\x16\x03\x01\x40\x00\x01\x00\x40\x00"}


@pytest.mark.parametrize("kind", OTHERS)
def test_others(start, loopback, server, kind):
    """What is no greeting, or names nobody, goes on at once."""
    start()
    with loopback.client.connect(FRONT) as s:
        begun = time.monotonic()
        exchange(s, OTHERS[kind])
        assert time.monotonic() - begun < 20
    assert server.results() == [{}]


@pytest.mark.parametrize("size", [0, len(HELLO) - 1])
def test_server_speaks_first(start, loopback, size):
    """A client that waits for the server is served after `timeout hello=`, and one that has only begun to greet, too."""
    start(hello="500ms")
    server = Scripted(loopback.server, SERVER, lambda c: (receive_header(c)[1], c.sendall(b"hello"), receive_all(c)))
    with loopback.client.connect(FRONT) as s:
        begun = time.monotonic()
        s.sendall(HELLO[:size])
        assert receive_exactly(s, 5) == b"hello"
        assert 0.4 < time.monotonic() - begun < 8
        s.sendall(b"bye")
    assert server.results() == [({}, None, HELLO[:size] + b"bye")]


def test_end_before_greeting(start, loopback, server):
    """A client that has finished sending is not waited for; one that resets is gone."""
    daemon = start()
    with loopback.client.connect(FRONT) as s:
        s.sendall(HELLO[:50])
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == HELLO[:50]
    with loopback.client.connect(FRONT) as s:
        s.sendall(HELLO)
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == HELLO
    assert server.results(2) == [{}, {AUTHORITY: b"www.example.test"}]
    s = loopback.client.connect(FRONT)
    s.sendall(HELLO[:50])
    daemon.wait_for_active("web", 1)
    reset(s)
    assert daemon.wait_for_flows(1, reason="client_rst")[0]["bytes_in"] == 0
    daemon.wait_for_active("web", 0)


def test_authority_that_came(start, loopback):
    """What a header that came in says is passed on, and nothing is waited for."""
    start(service="accept-proxy 127.0.0.1")
    server = Scripted(loopback.server, SERVER, lambda c: (receive_header(c)[1], c.sendall(b"hello"), receive_all(c))[0])
    for name, data in ((b"theirs", b""), (b"theirs", HELLO)):
        with loopback.client.connect(FRONT) as s:
            s.sendall(v2(tlvs=tlv(AUTHORITY, name)) + data)
            assert receive_exactly(s, 5) == b"hello"
    with loopback.client.connect(FRONT) as s:
        s.sendall(v2(tlvs=tlv(0xe0, b"x")) + HELLO)
        assert receive_exactly(s, 5) == b"hello"
    assert server.results(3) == [{AUTHORITY: b"theirs"}, {AUTHORITY: b"theirs"}, {0xe0: b"x", AUTHORITY: b"www.example.test"}]


def test_next_server(start, loopback, server):
    """Each server that is tried would be told, and so is the one that is reached."""
    start(pool="balance first\nserver 127.0.0.1:9001")
    with loopback.client.connect(FRONT) as s:
        exchange(s, HELLO)
    assert server.results() == [{AUTHORITY: b"www.example.test"}]


def test_limits_hold_while_waiting(start, loopback, server):
    """A connection that is listened to has its place in the limits."""
    daemon = start(service="limit connections=1")
    with loopback.client.connect(FRONT) as s:
        daemon.wait_for_active("web", 1)
        with loopback.client.connect(FRONT):
            daemon.wait_for_flows(1, reason="limit_connections")
        exchange(s, HELLO)
    assert server.results() == [{AUTHORITY: b"www.example.test"}]


def test_stop_while_waiting(start, loopback, server):
    daemon = start()
    with loopback.client.connect(FRONT):
        daemon.wait_for_active("web", 1)
        daemon.stop()


HAPROXY = """
global
    log stdout format raw local0
defaults
    mode tcp
    log global
    log-format "%[fc_pp_authority] of %ci"
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen back
    bind 127.0.0.1:9000 accept-proxy
    server echo 127.0.0.1:9005
"""


def test_haproxy(start, loopback):
    """HAProxy reads the name from the header."""
    def echo(connection):
        while data := connection.recv(65536):
            connection.sendall(data)
    Scripted(loopback.server, ("127.0.0.1", 9005), echo)
    path = loopback.directory / "haproxy.cfg"
    path.write_text(HAPROXY)
    haproxy = loopback.server.start(program_path("haproxy"), "-db", "-f", path)
    start()

    def is_told():
        with loopback.client.connect(FRONT) as s:
            exchange(s, HELLO)
        return True
    eventually(is_told, what="HAProxy serves")
    haproxy.wait_for_output("www.example.test of 127.0.0.1")
