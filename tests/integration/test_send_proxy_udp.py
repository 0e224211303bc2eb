# SPDX-License-Identifier: Apache-2.0
"""
Datagrams to servers that want PROXY headers: each has one, whole, in front of what the client has sent, as large as it may be.
Every test is made with and without io_uring.
"""

import os
import socket
import struct
from contextlib import suppress

import pytest

from lab import address_text
from proxy_headers import DATAGRAM, LOCAL, split, tlv, v2
from waiting import eventually

SOL_UDP, UDP_SEGMENT = 17, 103
HEADER_BYTES = {4: 28, 6: 52}
FRONT, SERVER = ("127.0.0.1", 8000), ("127.0.0.1", 9000)
CONFIGURATION = """
io-uring {ring}
service game {{
    listen udp {listen}
    {more}
    to game
}}
pool game {{
    send-proxy {word}
    server {server}
}}
"""


@pytest.fixture(params=["on", "off"])
def start(request, strait):
    """start(lab, ...): the daemon."""
    def start_with(lab, word="v2", more="", listen=FRONT, server=SERVER, **options):
        start_with.text = CONFIGURATION.format(ring=request.param, word=word, more=more, listen=address_text(*listen),
                                               server=address_text(*server))
        return strait(lab.proxy, start_with.text, workers=1, **options)
    return start_with


@pytest.fixture
def server(loopback):
    with loopback.server.udp(source=SERVER) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        yield s


def take(server):
    """Addresses, TLVs, payload."""
    return split(server.recv(70_000))


def answer(server, data):
    """Takes a datagram, and answers; returns what take() does."""
    came, session = server.recvfrom(70_000)
    server.sendto(data, session)
    return split(came)


@pytest.mark.parametrize("front,back", [(4, 4), (6, 6), (4, 6), (6, 4)])
def test_header(start, lab, front, back):
    """The client and the address that it asked, whatever the family of the server."""
    listen, address = (lab.front[front], 8000), (lab.back[back], 9000)
    daemon = start(lab, listen=listen, server=address)
    with lab.server.udp(source=address) as server, lab.client.udp(listen) as s:
        for data in (b"one", b"two", b"", b"three"):
            s.send(data)
            assert answer(server, data) == ([s.getsockname()[:2], listen], {}, data)
            assert s.recv(100) == data
    daemon.stop()
    record = daemon.wait_for_flows(1)[0]
    assert (record["packets_in"], record["bytes_in"], record["bytes_out"]) == (4, 11, 11), "headers are not counted"


def test_wildcard(start, lab):
    """On a wildcard listener it says which address was asked."""
    start(lab, listen=("*", 8000), server=(lab.back[4], 9000))
    with lab.server.udp(source=(lab.back[4], 9000)) as server, lab.client.udp(source=(lab.clients[4], 0)) as s:
        for host in (lab.front[4], lab.front_other[4]):
            s.sendto(b"x", (host, 8000))
            assert take(server)[0][1] == (host, 8000)


def test_unique_id(start, loopback, server):
    """The same in each datagram of a session, and as the record has it."""
    daemon = start(loopback, "v2 unique-id")
    for _ in range(2):
        with loopback.client.udp(FRONT) as s:
            s.send(b"one")
            s.send(b"two")
    ids = [take(server)[1] for _ in range(4)]
    daemon.stop()
    records = daemon.wait_for_flows(2)
    assert sorted(i[5].decode() for i in ids) == sorted(2 * [r["id"] for r in records])


@pytest.mark.parametrize("word", ["v2", "v2 unique-id"])
def test_passed_on(start, loopback, server, word):
    """What the header of a datagram says is passed on with that datagram, but the checksum, and the id where we have one."""
    daemon = start(loopback, word, "accept-proxy 127.0.0.1")
    with loopback.client.udp(FRONT) as s:
        for i in range(5):
            s.send(v2(tlvs=tlv(2, b"host%d" % i) + tlv(5, b"theirs") + tlv(0xe0, b""), transport=DATAGRAM) + b"%d" % i)
        s.send(v2("2001:db8::1", transport=DATAGRAM) + b"six")
        s.send(LOCAL + b"local")
        own = s.getsockname()
    got = [take(server) for _ in range(7)]
    for i in range(5):
        asked, tlvs, data = got[i]
        assert (asked, data) == ([("192.0.2.1", 1234), ("198.51.100.2", 443)], b"%d" % i)
        assert (tlvs[2], tlvs[0xe0]) == (b"host%d" % i, b"")
        assert (tlvs[5] == b"theirs") == (word == "v2")
    assert got[5][0] == [("2001:db8::1", 1234), ("2001:db8::2", 443)]
    assert got[6][0] == [own, FRONT] and got[6][2] == b"local"
    daemon.stop()
    assert len(daemon.wait_for_flows(3)) == 3


def test_long_tlvs(start, loopback, server):
    """TLVs that fill a datagram are passed on as they came; where an id does not fit the datagram is dropped."""
    daemon = start(loopback, "v2", "accept-proxy 127.0.0.1")
    long = v2(tlvs=tlv(0xe0, os.urandom(65507 - 28 - 3)), transport=DATAGRAM)
    with loopback.client.udp(FRONT) as s:
        s.send(long)
        assert server.recv(70_000) == long
        daemon.hang_up(start.text.replace("send-proxy v2", "send-proxy v2 unique-id"))
        s.send(long)
        s.send(v2(transport=DATAGRAM) + b"next")
        assert take(server)[2] == b"next"
    assert daemon.service("game")["packets_dropped"] == 1


@pytest.mark.parametrize("version", [4, 6])
def test_largest(start, lab, version):
    """What does not fit into a datagram together with its header is dropped and counted; all else goes on."""
    listen, address = (lab.front[version], 8000), (lab.back[version], 9000)
    daemon = start(lab, listen=listen, server=address)
    largest = {4: 65507, 6: 65527}[version] - HEADER_BYTES[version]
    with lab.server.udp(source=address) as server, lab.client.udp(listen) as s:
        for size in (largest + 1, 65507):
            s.send(bytes(size))
            for data in (os.urandom(largest), b"small"):
                s.send(data)
                assert take(server)[2] == data
    assert daemon.service("game")["packets_dropped"] == 2
    assert daemon.service("game")["refused"] == {} or sum(daemon.service("game")["refused"].values()) == 0


@pytest.mark.parametrize("size,count,end", [(1200, 40, 0), (1200, 54, 3), (100, 64, 99), (1, 64, 0), (1472, 44, 0)])
def test_train(start, lab, size, count, end):
    """Of datagrams that come as a train each has its header, and each is what it was."""
    listen, address = (lab.front[4], 8000), (lab.back[4], 9000)
    daemon = start(lab, listen=listen, server=address)
    data = os.urandom(size * count + end)[:65507]
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    with lab.server.udp(source=address) as server, lab.client.udp(listen) as s:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        for _ in range(3):
            s.sendmsg([data[:size * 64]], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", size))])
            expected = parts[:64]
            got = [take(server) for _ in expected]
            assert [g[2] for g in got] == expected
            assert all(g[0] == [s.getsockname(), listen] for g in got)
    daemon.stop()
    assert daemon.wait_for_flows(1)[0]["packets_in"] == 3 * len(parts[:64])


def test_boundaries(start, loopback, server):
    """Datagrams of all sizes in a burst keep order and boundaries."""
    daemon = start(loopback)
    burst = [os.urandom(size) for size in [0, 1, 100, 100, 100, 1200, 1200, 3000, 0, 0, 9000, 1, 50]]
    with loopback.client.udp(FRONT) as s:
        with daemon.program.held():
            for data in burst:
                s.send(data)
        assert [take(server)[2] for _ in burst] == burst


def test_many_clients(start, loopback, server):
    """Datagrams of many clients that wait together each have the header of their own."""
    daemon = start(loopback)
    clients = [loopback.client.udp(FRONT) for _ in range(100)]
    for turn in range(3):
        with daemon.program.held():
            for s in clients:
                s.send(b"%d" % turn)
        got = [take(server) for _ in clients]
        assert {g[0][0] for g in got} == {s.getsockname() for s in clients}
        assert {g[2] for g in got} == {b"%d" % turn}
    for s in clients:
        s.close()


@pytest.mark.parametrize("more", ["", "accept-proxy 127.0.0.1"])
def test_first(start, loopback, server, more):
    """With `first` only the first datagram of a session has the header, also when it is the first of a train or a burst."""
    daemon = start(loopback, "v2 first", more)
    header = v2(transport=DATAGRAM) if more else b""
    for _ in range(2):
        with loopback.client.udp(FRONT) as s:
            s.sendmsg([header + b"train", header + b"train", header + b"end"],
                      [(SOL_UDP, UDP_SEGMENT, struct.pack("H", len(header) + 5))])
            assert answer(server, b"reply")[2] == b"train"
            assert [server.recv(100) for _ in range(2)] == [b"train", b"end"]
            assert s.recv(100) == b"reply"
            with daemon.program.held():
                for i in range(5):
                    s.send(header + b"%d" % i)
            assert [server.recv(100) for _ in range(5)] == [b"%d" % i for i in range(5)]


def test_reload(start, loopback, server):
    """Headers come and go with the configuration, within sessions."""
    daemon = start(loopback)
    with loopback.client.udp(FRONT) as s:
        s.send(b"with")
        assert take(server)[2] == b"with"
        daemon.hang_up(start.text.replace("send-proxy v2", ""))
        s.send(b"without")
        assert server.recv(100) == b"without"
        daemon.hang_up(start.text)
        s.send(b"with")
        assert take(server)[2] == b"with"


# paths that are too narrow

def test_fragments(start, lab):
    """A datagram that no longer fits into a packet with its header is fragmented, as one and in a train."""
    listen, address = (lab.front[4], 8000), (lab.back[4], 9000)
    start(lab, listen=listen, server=address)
    with lab.server.udp(source=address) as server, lab.client.udp(listen) as s:
        for _ in range(2):
            s.send(bytes(1472))
            assert take(server)[2] == bytes(1472)
            s.sendmsg([bytes(1472 * 5)], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", 1472))])
            assert [take(server)[2] for _ in range(5)] == [bytes(1472)] * 5


@pytest.mark.parametrize("version", [4, 6])
def test_narrow_path(start, lab, version):
    """Behind a router with a narrower path, too: what ICMP says of it costs IPv4 nothing, IPv6 what was on its way."""
    listen = (lab.front[version], 8000)
    end, far = lab.narrow_path(version)
    daemon = start(lab, listen=listen, server=(far, 9000))
    with end.udp(source=(far, 9000)) as server, lab.client.udp(listen) as s:
        s.send(b"small")
        assert answer(server, b"yes")[2] == b"small"
        assert s.recv(10) == b"yes"
        if version == 6:
            s.send(bytes(1400))
            eventually(lambda: "1300" in lab.proxy.ip("-6", "route", "get", far).stdout, what="the path is known")
        for _ in range(3):
            s.send(bytes(1400))
            assert take(server)[2] == bytes(1400)
    assert daemon.service("game")["packets_dropped"] == 0
    assert daemon.server("game", address_text(far, 9000))["state"] == "up"


# checks

@pytest.mark.parametrize("check", ['udp send="hello" expect="hello"', "dns name=example.test type=A rcode=noerror,refused"])
@pytest.mark.parametrize("port", [9000, 9001])
def test_checks(start, loopback, check, port):
    """They have a header that speaks for strait itself, but at another port than the service's."""
    words = f"v2\ncheck {check} every=100ms timeout=2s fall=1" + (f" port={port}" if port != SERVER[1] else "")
    with loopback.server.udp(source=("127.0.0.1", port)) as server:
        daemon = start(loopback, words, is_ready="/livez")
        for _ in range(3):
            data, session = server.recvfrom(1000)
            if port == SERVER[1]:
                assert data.startswith(LOCAL)
                data = data[len(LOCAL):]
            is_dns = check.startswith("dns")
            assert is_dns or data == b"hello"
            server.sendto(data[:2] + b"\x84\x05" + data[4:] if is_dns else data, session)
        assert daemon.events("server_down") == []


# chains

def chain(word, back="127.0.0.1:9000"):
    return f"""
service outer {{
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to inner
}}
service inner {{
    listen 127.0.0.1:8001
    listen udp 127.0.0.1:8001
    accept-proxy 127.0.0.1
    to servers
}}
pool inner {{ send-proxy {word}; server 127.0.0.1:8001 }}
pool servers {{ send-proxy {word}; server {back} }}
"""


def test_chain(strait, loopback, server):
    """Through two services of one strait: the second one and the server know the client."""
    daemon = strait(loopback.proxy, chain("v2"))
    with loopback.client.udp(FRONT) as s:
        for data in (b"hello", b"", bytes(60000)):
            s.send(data)
            assert answer(server, data) == ([s.getsockname(), FRONT], {}, data)
            assert s.recv(70_000) == data
        own = "%s:%d" % s.getsockname()
    daemon.stop()
    assert {(r["service"], r["client"]) for r in daemon.wait_for_flows(2)} == {("outer", own), ("inner", own)}


def test_circle(strait, loopback):
    """What would go round is noticed, though the header tells of a client that is outside of the circle."""
    daemon = strait(loopback.proxy, chain("v2", "127.0.0.1:8002") + """
service last { listen 127.0.0.1:8002; listen udp 127.0.0.1:8002; accept-proxy 127.0.0.1; to inner }
""")
    with loopback.client.udp(FRONT) as s:
        s.send(b"round and round")
        assert daemon.wait_for_flows(1, reason="denied_access", protocol="udp")[0]["service"] == "inner"
    with loopback.client.connect(FRONT) as s:
        with suppress(ConnectionResetError, BrokenPipeError):
            s.sendall(b"round and round")
        assert daemon.wait_for_flows(1, reason="denied_access", protocol="tcp")
