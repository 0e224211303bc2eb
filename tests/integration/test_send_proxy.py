# SPDX-License-Identifier: Apache-2.0
"""Servers that are told by a PROXY header who the client is: what stands in it, and that it is the first there is."""

import socket
import struct

import pytest

from lab import program_path
from servers import Scripted, small_server
from traffic import exchange, is_served, receive_all, receive_exactly, receive_line
from waiting import eventually

FRONT, SERVER = ("127.0.0.1", 8000), ("127.0.0.1", 9000)
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CONFIGURATION = """
service web {{
    listen 127.0.0.1:8000 unix:{directory}/front.sock
    {service}
    to web
}}
pool web {{
    send-proxy {word}
    server 127.0.0.1:9000
}}
"""


@pytest.fixture
def start(strait, loopback):
    def start_with(word, service=""):
        return strait(loopback.proxy, CONFIGURATION.format(word=word, service=service, directory=loopback.directory))
    return start_with


def receive_header(s):
    """The addresses and TLVs of a header of version 2, or the line of version 1."""
    begin = receive_exactly(s, 6)
    if begin == b"PROXY ":
        return receive_line(s).rstrip("\r")
    head = begin + receive_exactly(s, 10)
    assert head[:12] == SIGNATURE
    command, family, length = struct.unpack(">BBH", head[12:])
    body = receive_exactly(s, length)
    if command == 0x20:
        return None, {}
    size = {0x11: 12, 0x21: 36, 0x31: 216}[family]
    return addresses(family, body[:size]), tlvs(body[size:])


def addresses(family, body):
    if family == 0x31:
        return "unix"
    kind, size = (socket.AF_INET, 4) if family == 0x11 else (socket.AF_INET6, 16)
    ports = struct.unpack(">HH", body[2 * size:])
    return [(socket.inet_ntop(kind, body[i * size:(i + 1) * size]), ports[i]) for i in range(2)]


def tlvs(rest):
    found = {}
    while rest:
        kind, size = struct.unpack(">BH", rest[:3])
        found[kind] = rest[3:3 + size]
        rest = rest[3 + size:]
    return found


def header_then_echo(connection):
    header = receive_header(connection)
    while data := connection.recv(65536):
        connection.sendall(data)
    return header


@pytest.mark.parametrize("word", ["v1", "v2", "v2 unique-id"])
def test_header(start, loopback, word):
    """The client and the address that it asked, before its first byte; the bytes of the header are not counted."""
    daemon = start(word)
    server = Scripted(loopback.server, SERVER, header_then_echo)
    with loopback.client.connect(FRONT) as s:
        exchange(s)
        own = s.getsockname()
    found, = server.results()
    record = daemon.wait_for_flows(1)[0]
    assert (record["bytes_in"], record["bytes_out"]) == (5, 5)
    if word == "v1":
        assert found == f"TCP4 127.0.0.1 127.0.0.1 {own[1]} 8000"
        return
    assert found[0] == [own, FRONT]
    assert found[1] == ({5: record["id"].encode()} if "unique-id" in word else {})


@pytest.mark.parametrize("word", ["v1", "v2"])
def test_unix_client(start, loopback, word):
    start(word)
    server = Scripted(loopback.server, SERVER, header_then_echo)
    with loopback.client.connect(f"{loopback.directory}/front.sock") as s:
        exchange(s)
    assert server.results() == ["UNKNOWN" if word == "v1" else ("unix", {})]


def test_server_speaks_first(start, loopback):
    """A server that waits for the header before it says something gets it though the client is silent."""
    start("v2")
    Scripted(loopback.server, SERVER, lambda c: (receive_header(c), c.sendall(b"hello"), receive_all(c)))
    with loopback.client.connect(FRONT) as s:
        assert receive_exactly(s, 5) == b"hello"


def v2(tlvs_bytes=b""):
    body = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.2") + struct.pack(">HH", 1234, 443) + tlvs_bytes
    return SIGNATURE + b"\x21\x11" + struct.pack(">H", len(body)) + body


@pytest.mark.parametrize("word", ["v1", "v2"])
def test_passed_on(start, loopback, word):
    """What a header that came in says is passed on, with its TLVs in version 2."""
    start(word, "accept-proxy 127.0.0.1")
    server = Scripted(loopback.server, SERVER, header_then_echo)
    with loopback.client.connect(FRONT) as s:
        s.sendall(v2(b"\x02\x00\x04host\xe0\x00\x00"))
        exchange(s)
    asked = [("192.0.2.1", 1234), ("198.51.100.2", 443)]
    assert server.results() == ["TCP4 192.0.2.1 198.51.100.2 1234 443" if word == "v1" else
                                (asked, {2: b"host", 0xe0: b""})]


@pytest.mark.parametrize("count", [60000, 65535 - 12 - 3])
def test_long_tlvs(start, loopback, count):
    """As much as fits is passed on; the connection works in any case."""
    start("v2", "accept-proxy 127.0.0.1")
    server = Scripted(loopback.server, SERVER, header_then_echo)
    with loopback.client.connect(FRONT) as s:
        s.sendall(v2(b"\xe0" + struct.pack(">H", count) + bytes(count)))
        exchange(s, b"x" * 100000)
    (asked, found), = server.results()
    assert asked[0] == ("192.0.2.1", 1234)
    assert found in ({}, {0xe0: bytes(count)})
    assert count > 65000 or found


def test_next_server(strait, loopback):
    """Each server that is tried gets the header when it is reached."""
    server = Scripted(loopback.server, SERVER, header_then_echo)
    strait(loopback.proxy, CONFIGURATION.format(word="v1", service="", directory=loopback.directory).replace(
        "server 127.0.0.1:9000", "balance first\nserver 127.0.0.1:9001\nserver 127.0.0.1:9000"))
    with loopback.client.connect(FRONT) as s:
        exchange(s)
    assert server.results()[0].startswith("TCP4 127.0.0.1 ")


# independent receivers

HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen back
    bind 127.0.0.1:9000 accept-proxy
    server strait 127.0.0.1:9005 send-proxy
"""


@pytest.mark.parametrize("word", ["v1", "v2", "v2 unique-id"])
def test_haproxy(start, loopback, word):
    """HAProxy reads the header, and writes one of its own that says the same."""
    path = loopback.directory / "haproxy.cfg"
    path.write_text(HAPROXY)
    server = Scripted(loopback.server, ("127.0.0.1", 9005), header_then_echo)
    start(word)
    loopback.server.start(program_path("haproxy"), "-db", "-f", path)
    eventually(lambda: is_served(loopback.client, FRONT), what="HAProxy serves")
    with loopback.client.connect(FRONT) as s:
        exchange(s)
        own = s.getsockname()
    eventually(lambda: f"TCP4 127.0.0.1 127.0.0.1 {own[1]} 8000" in server.results(len(server.works)))
