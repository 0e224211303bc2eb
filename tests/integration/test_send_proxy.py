# SPDX-License-Identifier: Apache-2.0
"""Servers that are told by a PROXY header who the client is: what stands in it, and that it is the first there is."""

import pytest

from proxy_headers import receive_header, tlv, v2
from servers import Scripted, small_server
from traffic import exchange, receive_all, receive_exactly

FRONT, SERVER = ("127.0.0.1", 8000), ("127.0.0.1", 9000)
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


@pytest.mark.parametrize("word", ["v1", "v2"])
def test_passed_on(start, loopback, word):
    """What a header that came in says is passed on, with its TLVs in version 2."""
    start(word, "accept-proxy 127.0.0.1")
    server = Scripted(loopback.server, SERVER, header_then_echo)
    with loopback.client.connect(FRONT) as s:
        s.sendall(v2(tlvs=tlv(2, b"host") + tlv(0xe0, b"")))
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
        s.sendall(v2(tlvs=tlv(0xe0, bytes(count))))
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


# checks

CHECKS = ["tcp", 'tcp send="hello" expect="hello"', "http path=/health"]


def header_then_http(connection):
    header = receive_header(connection)
    if (data := connection.recv(1000)).startswith(b"GET "):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    elif data:
        connection.sendall(data)
    receive_all(connection)
    return header, data[:4]


@pytest.mark.parametrize("word", ["v1", "v2 unique-id"])
@pytest.mark.parametrize("check", CHECKS)
def test_checks(start, loopback, word, check):
    """They begin with a header that speaks for strait itself, and end in the normal way."""
    server = Scripted(loopback.server, SERVER, header_then_http)
    daemon = start(word + f"\ncheck {check} every=100ms timeout=2s rise=1 fall=1")
    data = {"tcp": b"", "http": b"GET "}.get(check.split(" path")[0], b"hell")
    assert server.results(3)[:3] == 3 * [("UNKNOWN" if word == "v1" else (None, {}), data)]
    assert daemon.events("server_down") == []
    with loopback.client.connect(FRONT) as s:
        exchange(s, b"client")


def test_check_of_another_port(start, loopback):
    """Who answers at a port of its own wants no header."""
    Scripted(loopback.server, SERVER, header_then_echo)
    other = Scripted(loopback.server, ("127.0.0.1", 9001), receive_all)
    start("v2\ncheck tcp port=9001 send=hello every=100ms timeout=2s")
    assert other.results(2)[0] == b"hello"
