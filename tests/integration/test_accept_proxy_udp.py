# SPDX-License-Identifier: Apache-2.0
"""
Datagrams of proxies: each has a header of its own, which says whose it is; that client is judged, balanced and told, and
the proxy gets the replies. Every test is made with and without io_uring.
"""

import itertools
import socket
import struct

import pytest

from lab import address_text
from proxy_headers import DATAGRAM, LOCAL, SIGNATURE, UNSPECIFIED, tlv, v1, v2
from servers import name_servers, server_lines, small_server
from waiting import eventually

SOL_UDP, UDP_SEGMENT = 17, 103
FRONT = ("127.0.0.1", 8000)
CONFIGURATION = """
io-uring {ring}
service game {{
    listen udp {listen}
    accept-proxy {networks}
    {more}
    to game
}}
pool game {{
    {servers}
}}
"""


@pytest.fixture(params=["on", "off"])
def start(request, strait, loopback):
    """start(...): the daemon, before an echo server unless others are given."""
    def start_with(more="", servers=None, listen="127.0.0.1:8000", networks="127.0.0.1 ::1"):
        if servers is None:
            small_server(loopback.server, "echo", ("127.0.0.1", 9000))
        start_with.text = CONFIGURATION.format(ring=request.param, listen=listen, networks=networks, more=more,
                                               servers=servers or "server 127.0.0.1:9000")
        return strait(loopback.proxy, start_with.text, workers=1)
    return start_with


def datagram(client="192.0.2.1", port=1234, tlvs=b""):
    return v2(client, port, tlvs, DATAGRAM)


def echo(s, header, data):
    s.send(header + data)
    return s.recv(70_000)


def assert_no_reply(s):
    """What comes next is the answer to a question that is asked now."""
    assert echo(s, datagram("192.0.2.250"), b"and now?") == b"and now?"


def refused(daemon, service="game"):
    return daemon.service(service)["refused"].get("bad_proxy_header", 0)


@pytest.mark.parametrize("front", ["127.0.0.1", "::1"])
def test_clients_of_one_proxy(start, loopback, front):
    """One socket of a proxy speaks for many clients: each has a session, and the proxy has the replies to all of them."""
    daemon = start(listen=address_text(front, 8000))
    clients = [f"192.0.2.{i}" for i in range(1, 100)] + [f"2001:db8::{i:x}" for i in range(1, 100)]
    with loopback.client.udp((front, 8000)) as s:
        for turn, some in itertools.product(range(3), (clients[:99], clients[99:])):
            for client in some:
                s.send(datagram(client) + f"{client} {turn}".encode())
            assert {s.recv(100).decode() for _ in some} == {f"{client} {turn}" for client in some}
    assert daemon.service("game")["flows_active"] == len(clients)
    daemon.stop()
    records = daemon.wait_for_flows(len(clients))
    assert {r["client"] for r in records} == {address_text(client, 1234) for client in clients}
    assert {(r["packets_in"], r["packets_out"], r["listen"]) for r in records} == {(3, 3, address_text(front, 8000))}
    assert all(r["bytes_in"] == r["bytes_out"] == 3 * len(f"{r['client'].rsplit(':', 1)[0].strip('[]')} 0")
               for r in records), "headers are not counted"


def test_same_client_of_two_proxies(start, loopback):
    """Each proxy has the replies to what it has sent itself."""
    daemon = start(networks="127.0.0.0/8")
    with loopback.client.udp(FRONT) as a, loopback.client.udp(FRONT, source=("127.0.0.2", 0)) as b:
        assert echo(a, datagram(), b"a") == b"a"
        assert echo(b, datagram(), b"b") == b"b"
        assert echo(a, datagram(), b"a again") == b"a again"
        assert daemon.service("game")["flows_active"] == 2


def test_source_hash(start, loopback):
    """Clients are balanced by the address that the header names, whatever proxy sends."""
    servers = name_servers(loopback.server, 4, "127.0.0.1")
    start(servers="balance source-hash\n" + server_lines(servers))
    with loopback.client.udp(FRONT) as a, loopback.client.udp(FRONT) as b:
        names = {client: [echo(s, datagram(client), b"who").split()[0] for s in (a, b)]
                 for client in (f"192.0.2.{i}" for i in range(1, 31))}
    assert all(first == second for first, second in names.values())
    assert len({first for first, _ in names.values()}) > 1


@pytest.mark.parametrize("size", [0, 1, 1472, 24001, 65507 - 28])
def test_sizes(start, loopback, size):
    """What is behind the header is passed on as one datagram, of whatever size, also when nothing is."""
    start()
    with loopback.client.udp(FRONT) as s:
        assert echo(s, datagram(), bytes(size)) == bytes(size)


def test_long_headers(start, loopback):
    """TLVs up to the length of a datagram, with nothing behind them, and with a zero-length one at the end."""
    start()
    with loopback.client.udp(FRONT) as s:
        header = datagram(tlvs=tlv(0xe0, bytes(65507 - 28 - 3)))
        assert len(header) == 65507
        assert echo(s, header, b"") == b""
        assert echo(s, datagram(tlvs=tlv(4, b"") + tlv(0xe0, b"x") + tlv(0xe1, b"")), b"data") == b"data"


@pytest.mark.parametrize("header", [LOCAL, UNSPECIFIED, LOCAL[:14] + b"\0\3abc"])
def test_without_addresses(start, loopback, header):
    """A proxy that speaks for itself is itself the client, and another than those it speaks for."""
    daemon = start()
    with loopback.client.udp(FRONT) as s:
        assert echo(s, header, b"self") == b"self"
        assert echo(s, datagram(), b"client") == b"client"
        own = "%s:%d" % s.getsockname()
    daemon.stop()
    assert {r["client"] for r in daemon.wait_for_flows(2)} == {own, "192.0.2.1:1234"}


def test_unix_client(start, loopback):
    """A header may name unix sockets, which have no address."""
    daemon = start()
    with loopback.client.udp(FRONT) as s:
        assert echo(s, SIGNATURE + b"\x21\x32\x00\xd8" + bytes(216), b"local") == b"local"
    daemon.stop()
    assert daemon.wait_for_flows(1)[0]["client"] == "unix:"


def test_truncated(start, loopback):
    """A header that ends anywhere before its end is refused, and what it was to name is not."""
    daemon = start()
    header = datagram(tlvs=tlv(2, b"example.com"))
    with loopback.client.udp(FRONT) as s:
        assert echo(s, header, b"first") == b"first"
        for size in range(len(header)):
            s.send(header[:size])
        assert_no_reply(s)
        assert echo(s, header, b"still there") == b"still there"
    assert refused(daemon) == len(header)
    records = daemon.wait_for_flows(len(header), reason="bad_proxy_header")
    assert {r["client"].split(":")[0] for r in records} == {"127.0.0.1"}


@pytest.mark.parametrize("data", [b"", b"hello", v1() + b"hello", b"PROXY UNKNOWN\r\nhello", datagram(tlvs=b"\x04\xff\xff"),
                                  datagram(tlvs=tlv(3, b"1234")), SIGNATURE + b"\x11\x12" + datagram()[14:],
                                  SIGNATURE + b"\x22\x12" + datagram()[14:], SIGNATURE + b"\x21\x42" + datagram()[14:],
                                  SIGNATURE + b"\x21\x12\x00\x0b" + datagram()[16:]])
def test_missing_or_malformed(start, loopback, data):
    """Also one behind datagrams that had a header: nothing is taken for granted."""
    daemon = start()
    with loopback.client.udp(FRONT) as s:
        assert echo(s, datagram(), b"first") == b"first"
        s.send(data)
        assert_no_reply(s)
        assert echo(s, datagram(), b"second") == b"second"
    assert refused(daemon) == 1
    assert daemon.flows(client="192.0.2.1:1234") == []


@pytest.mark.parametrize("header", [datagram(), v1(), LOCAL, SIGNATURE])
def test_others(start, loopback, header):
    """Who is no proxy is served without a header, and refused with one."""
    daemon = start(networks="127.0.0.9")
    with loopback.client.udp(FRONT) as s:
        for data in (b"", b"hello", SIGNATURE[:11], b"\r\n\r\n\0\r\nQUIT!", b"PROXY"):
            assert echo(s, b"", data) == data
        s.send(header + b"hello")
        assert echo(s, b"", b"next") == b"next"
    assert refused(daemon) == 1
    daemon.stop()
    assert daemon.flows(reason="shutdown")[0]["packets_in"] == 6


def test_client_is_judged(start, loopback):
    """Access rules and limits are those of the client that the header names, and not of the proxy."""
    daemon = start("deny 203.0.113.0/24\nlimit per-source=2\nsession idle=1m new=1m")
    with loopback.client.udp(FRONT) as s:
        s.send(datagram("203.0.113.9") + b"no")
        for port in range(1, 4):
            s.send(datagram("192.0.2.1", port) + b"%d" % port)
        assert [s.recv(10) for _ in range(2)] == [b"1", b"2"]
        assert echo(s, datagram("192.0.2.2"), b"yes") == b"yes"
    assert daemon.wait_for_flows(1, reason="denied_access")[0]["client"] == "203.0.113.9:1234"
    assert daemon.wait_for_flows(1, reason="limit_per_source")[0]["client"] == "192.0.2.1:3"


def test_forged_client(start, loopback):
    """A client that no client can be is refused, though replies would go to the proxy: it would pass them on."""
    daemon = start()
    with loopback.client.udp(FRONT) as s:
        s.send(datagram("192.0.2.1", 7) + b"echo")
        s.send(datagram("127.0.0.1", 8000) + b"ourselves")
        assert_no_reply(s)
    assert len(daemon.wait_for_flows(2, reason="denied_access")) == 2


def test_blocks(start, loopback):
    """Who is blocked is kept out as a client and as a proxy, in new sessions and in those that were there."""
    daemon = start(networks="127.0.0.2 127.0.0.3")
    with loopback.client.udp(FRONT, source=("127.0.0.2", 0)) as a, loopback.client.udp(FRONT, source=("127.0.0.3", 0)) as b:
        for client in ("192.0.2.1", "192.0.2.2"):
            assert echo(a, datagram(client), b"hello") == b"hello"
        assert daemon.ask("POST", "/v1/blocks", {"network": "192.0.2.1"}).status == 201
        assert daemon.wait_for_flows(1, reason="blocked")[0]["packets_in"] == 1
        a.send(datagram("192.0.2.1") + b"again")
        assert echo(a, datagram("192.0.2.2"), b"another") == b"another"
        assert daemon.ask("POST", "/v1/blocks", {"network": "127.0.0.2"}).status == 201
        daemon.wait_for_flows(3, reason="blocked")
        a.send(datagram("192.0.2.2") + b"again")
        assert len(daemon.wait_for_flows(4, reason="blocked")) == 4
        assert echo(b, datagram("192.0.2.2"), b"through another") == b"through another"


@pytest.mark.parametrize("word,is_blocked", [("block after=3 refusals=1m for=1m", True), ("", False)])
def test_misbehaviour(start, loopback, word, is_blocked):
    """Who sends headers without being a proxy may be blocked for it."""
    daemon = start(word, networks="127.0.0.9")
    with loopback.client.udp(FRONT) as s:
        for _ in range(5):
            s.send(datagram() + b"hello")
        eventually(lambda: refused(daemon) == 5)
        eventually(lambda: bool(daemon.get("/v1/blocks").json["blocks"]) == is_blocked)


def test_train(start, loopback):
    """Datagrams that are sent as a train are each looked at."""
    daemon = start()
    parts = [datagram(f"192.0.2.{i}") + bytes([i]) * 100 for i in range(1, 31)] + [datagram("192.0.2.31") + b"end"]
    with loopback.client.udp(FRONT) as s:
        s.sendmsg([b"".join(parts)], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", len(parts[0])))])
        assert sorted(s.recv(200) for _ in parts) == sorted(p[28:] for p in parts)
    assert daemon.service("game")["flows_active"] == len(parts)


def test_requests_and_replies(start, loopback):
    """Sessions end as others do, each for itself."""
    daemon = start("session requests=2 replies=1 idle=1m new=1m")
    with loopback.client.udp(FRONT) as s:
        for turn in range(4):
            for i in range(1, 21):
                s.send(datagram(f"192.0.2.{i}") + b"%d" % i)
            assert {s.recv(10) for _ in range(20)} == {b"%d" % i for i in range(1, 21)}
    assert len(daemon.wait_for_flows(80, reason="replies_done")) == 80


def test_reload(start, loopback):
    """A service that begins to want headers does so for the next datagram; sessions that were there have had theirs."""
    daemon = start(networks="127.0.0.9")
    with loopback.client.udp(FRONT) as s:
        assert echo(s, b"", b"plain") == b"plain"
        daemon.hang_up(start.text.replace("accept-proxy 127.0.0.9", "accept-proxy 127.0.0.1"))
        s.send(b"plain")
        assert echo(s, datagram(), b"told") == b"told"
        eventually(lambda: refused(daemon) == 1)
        daemon.hang_up(start.text)
        s.send(datagram() + b"told")
        assert echo(s, b"", b"plain") == b"plain"
        assert refused(daemon) == 2


def test_trace(start, loopback):
    """What would happen is told for proxies and for others."""
    daemon = start()
    words = {client: daemon.command("trace", client, "--service", "game", "--protocol", "udp").stdout
             for client in ("127.0.0.1", "192.0.2.1")}
    assert "is a proxy" in words["127.0.0.1"] and "each of its datagrams" in words["127.0.0.1"]
    assert "no network of accept-proxy" in words["192.0.2.1"]


def test_many_at_once(start, loopback):
    """Datagrams that wait together, of proxies and others, good and bad, each come to their own."""
    daemon = start(networks="127.0.0.2")
    proxies = [loopback.client.udp(FRONT, source=("127.0.0.2", 0)) for _ in range(10)]
    others = [loopback.client.udp(FRONT) for _ in range(10)]
    with daemon.program.held():
        for turn in range(5):
            for i, s in enumerate(proxies):
                for client in (1, 2):
                    s.send(datagram(f"192.0.2.{client}", i + 100) + b"%d %d %d" % (i, client, turn))
                s.send(b"bad")
            for i, s in enumerate(others):
                s.send(b"other %d %d" % (i, turn))
                s.send(datagram() + b"bad")
    for i, s in enumerate(proxies):
        assert {s.recv(100) for _ in range(10)} == {b"%d %d %d" % (i, c, t) for c in (1, 2) for t in range(5)}
    for i, s in enumerate(others):
        assert [s.recv(100) for _ in range(5)] == [b"other %d %d" % (i, t) for t in range(5)]
    eventually(lambda: refused(daemon) == 100)
    for s in proxies + others:
        s.close()
