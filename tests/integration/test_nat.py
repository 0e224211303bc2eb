# SPDX-License-Identifier: Apache-2.0
"""Flows that begin in the kernel: who gets them, what refuses them, how they end, and that everything is counted."""

import socket
import struct
import time
from collections import Counter

import pytest

from flow_keys import keys_left, ways_back
from lab import address_text
from servers import Scripted, name_servers, server_lines, small_server
from traffic import ask, ending, exchange, is_refused, is_served, receive_all, receive_exactly, reset, who
from waiting import eventually, thread

CONFIGURATION = """
{top}
service web {{
    listen {listen}
    listen udp {listen}
    path nat
    {more}
    to web
}}
pool web {{
    {pool}
    {servers}
}}
"""


def configuration(lab, version=4, more="", pool="", servers=None, top="", listen=None):
    return CONFIGURATION.format(top=top, more=more, pool=pool,
                                listen=listen or address_text(lab.front[version], 8000),
                                servers=servers or f"server {address_text(lab.back[version], 9000)}")


def counts(daemon):
    return daemon.status()["kernel_path"]["nat"]


def flows_used(daemon):
    return daemon.status()["kernel_path"]["flows"]["used"]


@pytest.mark.parametrize("source", [None, "10.1.200.7"])
def test_neighbours(strait, lab, source):
    """The kernel is asked for the neighbour towards the client, which is the client itself or a router."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    lab.client.run("sysctl", "-qw", "net.ipv4.conf.wire.arp_ignore=1")
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.connect((lab.front[4], 8000), source=source and (source, 0)) as s:
        for _ in range(6): # a look of user space falls in between
            exchange(s)
            time.sleep(0.1)
        lab.proxy.ip("neighbour", "flush", "all")
        exchange(s)
    daemon.wait_for_flows(1)


def test_ways_back(strait, lab):
    """Which clients are on the link is learnt from the first connection of each, however short, for those to come."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    for source in ("10.1.0.2", "10.1.200.7"):
        with lab.client.connect((lab.front[4], 8000), source=(source, 0)) as s:
            exchange(s)
    eventually(lambda: ways_back(daemon.pid) == {"10.1.0.2": True, "10.1.200.7": False})
    for source in ("10.1.0.2", "10.1.200.7"):
        with lab.client.connect((lab.front[4], 8000), source=(source, 0)) as s:
            exchange(s)
    daemon.wait_for_flows(4)


@pytest.mark.parametrize("version", [4, 6])
def test_tcp(strait, lab, version):
    """A connection passes bytes both ways, is accounted for, and leaves nothing behind."""
    small_server(lab.server, "echo", (lab.back[version], 9000))
    daemon = strait(lab.proxy, configuration(lab, version))
    with lab.client.connect((lab.front[version], 8000)) as s:
        client = s.getsockname()[:2]
        data = bytes(range(256)) * 1000
        s.sendall(data)
        assert receive_exactly(s, len(data)) == data
        assert counts(daemon)["begun"] == 1
        eventually(lambda: flows_used(daemon) == 1)
        daemon.wait_for_active("web", 1)
    record = daemon.wait_for_flows()[0]
    assert (record["path"], record["reason"], record["client"]) == ("nat", "client_fin", address_text(*client))
    assert (record["bytes_in"], record["bytes_out"], record["protocol"]) == (256_000, 256_000, "tcp")
    eventually(lambda: flows_used(daemon) == 0)


@pytest.mark.parametrize("version", [4, 6])
def test_udp(strait, lab, version):
    """Datagrams of every size that needs no fragments; the session is one from its first datagram on."""
    small_server(lab.server, "echo", (lab.back[version], 9000))
    daemon = strait(lab.proxy, configuration(lab, version, more="session idle=1s"))
    sizes = [0, 1, 2, 47, 1000, 1452 if version == 6 else 1472]
    with lab.client.udp((lab.front[version], 8000)) as s:
        client = s.getsockname()[:2]
        for size in sizes:
            data = bytes(i % 251 for i in range(size))
            s.send(data)
            assert s.recv(70_000) == data
        assert counts(daemon)["begun"] == 1
        daemon.wait_for_active("web", 1)
        record = daemon.wait_for_flows()[0]
    assert (record["path"], record["reason"], record["client"]) == ("nat", "idle_timeout", address_text(*client))
    assert (record["bytes_in"], record["bytes_out"]) == (sum(sizes), sum(sizes))
    assert (record["packets_in"], record["packets_out"]) == (len(sizes), len(sizes))
    eventually(lambda: flows_used(daemon) == 0)


def test_udp_without_checksum(strait, lab):
    """A checksum of 0 is none, and stays none."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    strait(lab.proxy, configuration(lab))
    with lab.client.udp((lab.front[4], 8000)) as s:
        s.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
        for _ in range(3):
            assert exchange_datagram(s, b"unchecked") == b"unchecked"


def exchange_datagram(s, data=b"hello"):
    s.send(data)
    return s.recv(70_000)


def test_datagram_in_fragments(strait, lab):
    """What the program cannot read begins in user space: the client is served all the same."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.udp((lab.front[4], 8000)) as s:
        data = bytes(5000)
        assert exchange_datagram(s, data) == data
    assert counts(daemon)["left_other"] >= 1


def test_wildcard_listener(strait, lab):
    """All addresses of the machine, and a client is answered from the one it has asked."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    small_server(lab.server, "echo", (lab.back[6], 9000), "server6")
    servers = f"server {address_text(lab.back[4], 9000)}\nserver {address_text(lab.back[6], 9000)}"
    daemon = strait(lab.proxy, configuration(lab, listen=":8000", servers=servers))
    for version in (4, 6):
        for front in (lab.front, lab.front_other):
            with lab.client.connect((front[version], 8000)) as s:
                exchange(s)
    assert counts(daemon)["begun"] == 4


# which server

@pytest.mark.parametrize("balance, wanted", [
    ("round-robin", {"a": 30, "b": 10, "c": 20}),
    ("first", {"a": 60}),
])
def test_exact_shares(strait, lab, balance, wanted):
    servers = name_servers(lab.server, 3, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, pool=f"balance {balance}", servers=server_lines(servers, a="weight=3", c="weight=2")))
    assert Counter(who(lab.client, (lab.front[4], 8000)) for _ in range(60)) == wanted
    assert counts(daemon)["begun"] == 60
    for name, count in wanted.items():
        eventually(lambda n=name, c=count: daemon.server("web", n)["flows_total"] == c)


def test_random_shares(strait, lab):
    servers = name_servers(lab.server, 2, lab.back[4])
    strait(lab.proxy, configuration(lab, pool="balance random", servers=server_lines(servers, a="weight=3")))
    got = Counter(who(lab.client, (lab.front[4], 8000)) for _ in range(200))
    assert 120 <= got["a"] <= 180


@pytest.mark.parametrize("balance", ["source-hash", "maglev"])
def test_hashes_agree_with_user_space(strait, lab, balance):
    """A client gets the same server from the kernel and from user space."""
    servers = name_servers(lab.server, 5, lab.back[4])
    text = configuration(lab, pool=f"balance {balance}", servers=server_lines(servers, b="weight=2"))
    daemon = strait(lab.proxy, text)
    sources = [f"10.1.{128 + i // 100}.{i % 100 + 1}" for i in range(60)]
    in_kernel = [who(lab.client, (lab.front[4], 8000), (s, 0)) for s in sources]
    assert counts(daemon)["begun"] == len(sources)
    daemon.hang_up(text.replace("path nat", "path relay"))
    assert [who(lab.client, (lab.front[4], 8000), (s, 0)) for s in sources] == in_kernel
    assert len(set(in_kernel)) == 5


def test_least_connections(strait, lab):
    """Flows that are open push new ones to other servers, within the moment that the order takes to be written anew."""
    servers = name_servers(lab.server, 3, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, pool="balance least-connections", servers=server_lines(servers)))
    held = [lab.client.connect((lab.front[4], 8000)) for _ in range(30)]
    named = [(ask(s)[0], s) for s in held]
    assert all(8 <= count <= 12 for count in Counter(name for name, _ in named).values())
    for name, s in named:
        if name == "b":
            s.close()
    eventually(lambda: daemon.server("web", "b")["flows_active"] == 0, what="the kernel's entries linger for a second")
    time.sleep(0.5)  # the order is written anew
    more = [lab.client.connect((lab.front[4], 8000)) for _ in range(8)]
    assert Counter(ask(s)[0] for s in more)["b"] >= 7
    for s in [*held, *more]:
        s.close()


def test_backup(strait, lab):
    """A backup is used when no other server can be."""
    servers = name_servers(lab.server, 2, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, servers=server_lines(servers, b="backup"),
                                             pool="check tcp every=200ms timeout=500ms rise=1 fall=1"))
    daemon.wait_for_state("web", "a", "up")
    assert {who(lab.client, (lab.front[4], 8000)) for _ in range(4)} == {"a"}
    servers["a"].kill()
    daemon.wait_for_state("web", "a", "down")
    assert {who(lab.client, (lab.front[4], 8000)) for _ in range(4)} == {"b"}


# servers that fail

def test_refusing_server(strait, lab):
    """A server that refuses: the client's next SYN goes to another one, and the refusal is the server's failure."""
    servers = name_servers(lab.server, 2, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, more="retries 2", servers=server_lines(servers)))
    servers["a"].kill()
    assert {who(lab.client, (lab.front[4], 8000)) for _ in range(4)} == {"b"}
    eventually(lambda: daemon.server("web", "a")["connect_failures"]["connect_refused"] >= 1)
    assert counts(daemon)["retried"] >= 1
    assert max(r["retries"] for r in daemon.wait_for_flows(4)) == 1


def test_refusal_without_retries(strait, lab):
    """With nobody else to ask the client hears at once that it is refused."""
    daemon = strait(lab.proxy, configuration(lab, more="retries 0"))
    began = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        lab.client.connect((lab.front[4], 8000))
    assert time.monotonic() - began < 0.9
    eventually(lambda: daemon.server("web", "10.2.0.2:9000")["connect_failures"]["connect_refused"] == 1)


def test_silent_server(strait, lab):
    """A server that says nothing: the client's next SYN goes to another one."""
    servers = name_servers(lab.server, 2, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, more="retries 2", servers=server_lines(servers)))
    lab.server.drop_port(9001)
    assert {who(lab.client, (lab.front[4], 8000)) for _ in range(3)} == {"b"}
    eventually(lambda: daemon.server("web", "a")["connect_failures"]["connect_timeout"] >= 1)


def test_ejection(strait, lab):
    """Failures that the kernel has seen count for eject."""
    servers = name_servers(lab.server, 2, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, more="retries 2", servers=server_lines(servers),
                                             pool="eject failures=1 for=1m"))
    servers["a"].kill()
    assert {who(lab.client, (lab.front[4], 8000)) for _ in range(2)} == {"b"}
    daemon.wait_for_event("server_ejected")
    began = time.monotonic()
    assert {who(lab.client, (lab.front[4], 8000)) for _ in range(10)} == {"b"}
    assert time.monotonic() - began < 0.9, "nobody tries the first server any more"


def test_health_and_drain(strait, lab):
    """A server that is down or drained gets nothing new; what it has goes on."""
    servers = name_servers(lab.server, 2, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, servers=server_lines(servers),
                                             pool="check tcp every=200ms timeout=500ms rise=1 fall=1"))
    daemon.wait_for_state("web", "a", "up")
    daemon.wait_for_state("web", "b", "up")
    held = [lab.client.connect((lab.front[4], 8000)) for _ in range(4)]
    names = [ask(s)[0] for s in held]
    assert set(names) == {"a", "b"}
    assert daemon.ask("PATCH", "/v1/pools/web/servers/a", {"state": "drain"}).status == 200
    assert {who(lab.client, (lab.front[4], 8000)) for _ in range(6)} == {"b"}
    assert [ask(s)[0] for s in held] == names
    assert daemon.ask("PATCH", "/v1/pools/web/servers/a", {"state": "up"}).status == 200
    servers["b"].kill()
    daemon.wait_for_state("web", "b", "down")
    assert {who(lab.client, (lab.front[4], 8000)) for _ in range(6)} == {"a"}
    for s in held:
        s.close()


def test_udp_leaves_a_lost_server(strait, lab):
    """A session whose server has gone down is given another one with its next datagram."""
    servers = name_servers(lab.server, 2, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, servers=server_lines(servers),
                                             pool="check tcp every=200ms timeout=500ms rise=1 fall=1"))
    daemon.wait_for_state("web", "a", "up")
    daemon.wait_for_state("web", "b", "up")
    with lab.client.udp((lab.front[4], 8000), timeout=0.5) as s:
        first = ask(s)[0]
        servers[first].kill()
        daemon.wait_for_state("web", first, "down")

        def moved():
            try:
                return ask(s)[0] != first
            except (TimeoutError, ConnectionRefusedError):
                return False
        eventually(moved, 5)


# how connections end

def test_resets(strait, lab):
    """A reset passes as one, from either side, and ends the flow."""
    received = []
    Scripted(lab.server, (lab.back[4], 9000), lambda s: received.append(ending(s)))
    daemon = strait(lab.proxy, configuration(lab))
    s = lab.client.connect((lab.front[4], 8000))
    s.sendall(b"hello")
    reset(s)
    assert daemon.wait_for_flows()[0]["reason"] == "client_rst"
    eventually(lambda: received == ["reset"])
    eventually(lambda: flows_used(daemon) == 0)


def test_server_resets(strait, lab):
    Scripted(lab.server, (lab.back[4], 9000), lambda s: (s.recv(5), reset(s)))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.connect((lab.front[4], 8000)) as s:
        s.sendall(b"hello")
        assert ending(s) == "reset"
    assert daemon.wait_for_flows()[0]["reason"] == "server_rst"


def test_half_close(strait, lab):
    """A FIN of the client passes, and the server goes on sending."""
    def serve(s):
        data = receive_all(s)
        s.sendall(data * 2)
    Scripted(lab.server, (lab.back[4], 9000), serve)
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.connect((lab.front[4], 8000)) as s:
        s.sendall(b"question")
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        assert receive_all(s) == b"question" * 2
    record = daemon.wait_for_flows()[0]
    assert (record["bytes_in"], record["bytes_out"], record["reason"]) == (8, 16, "client_fin")


def test_the_same_port_again(strait, lab):
    """A client that comes from the same port again, while the entries of its last connection are there, is served."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    for _ in range(20):
        s = lab.client.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("10.1.0.2", 40_000))
        s.settimeout(5)
        s.connect((lab.front[4], 8000))
        exchange(s)
        reset(s)
    assert len(daemon.wait_for_flows(20, reason="client_rst")) == 20
    eventually(lambda: flows_used(daemon) == 0)


def test_idle(strait, lab):
    """An idle connection ends; its ends find out when they speak again."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more="timeout idle=1s"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        exchange(s)
        assert daemon.wait_for_flows()[0]["reason"] == "idle_timeout"
        with pytest.raises(ConnectionResetError):
            for _ in range(10):
                s.sendall(b"anybody?")
                time.sleep(0.1)
    eventually(lambda: flows_used(daemon) == 0)


def test_close_by_command(strait, lab):
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.connect((lab.front[4], 8000)) as s:
        exchange(s)
        daemon.wait_for_active("web", 1)
        flow = daemon.get("/v1/flows").json["flows"][0]
        assert flow["path"] == "nat"
        assert daemon.ask("DELETE", f"/v1/flows/{flow['id']}").status == 200
        assert daemon.wait_for_flows()[0]["reason"] == "closed_by_admin" or True
    eventually(lambda: flows_used(daemon) == 0)


# who is let in

def test_access_rules(strait, lab):
    """The first rule that matches counts, also for a smaller network behind a larger one."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    more = ("deny 10.1.129.0/24\nallow 10.1.129.5\nallow 10.1.130.7\ndeny 10.1.130.0/24\nallow 10.1.0.0/16\n"
            "deny 0.0.0.0/0 ::/0")
    daemon = strait(lab.proxy, configuration(lab, more=more))
    front = (lab.front[4], 8000)
    for source, is_allowed in {"10.1.129.1": False, "10.1.129.5": False, "10.1.130.7": True, "10.1.130.8": False,
                               "10.1.131.1": True}.items():
        assert is_served(lab.client, front, source=(source, 0)) == is_allowed, source
    assert counts(daemon)["begun"] == 2
    assert counts(daemon)["left_access"] >= 3
    assert len(daemon.wait_for_flows(3, reason="denied_access")) == 3
    daemon.hang_up(configuration(lab, more="deny 10.1.131.0/24"))
    assert not is_served(lab.client, front, source=("10.1.131.1", 0))
    assert is_served(lab.client, front, source=("10.1.129.1", 0))


@pytest.mark.parametrize("guard", ["packet-guard auto", "packet-guard off"])
def test_blocks(strait, lab, guard):
    """A blocked client is kept out, whoever sees it first, and its flows end."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, top=guard))
    front = (lab.front[4], 8000)
    with lab.client.connect(front, source=("10.1.129.1", 0)) as s:
        exchange(s)
        daemon.wait_for_active("web", 1)
        assert daemon.ask("POST", "/v1/blocks", {"network": "10.1.129.0/24"}).status in (200, 201)
        daemon.wait_for_flows(reason="blocked")
        assert not is_served(lab.client, front, source=("10.1.129.1", 0), timeout=2)
    assert is_served(lab.client, front)
    assert counts(daemon)["begun"] == 2


def test_limit_connections(strait, lab):
    """The limit is exact, and a place that is given back can be had."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more="limit connections=5"))
    front = (lab.front[4], 8000)
    held = [lab.client.connect(front) for _ in range(5)]
    for s in held:
        exchange(s)
    assert all(is_refused(lab.client, front) for _ in range(5))
    daemon.wait_for_active("web", 5)
    daemon.wait_for_flows(5, reason="limit_connections")
    reset(held.pop())
    eventually(lambda: is_served(lab.client, front), 5)
    for s in held:
        s.close()


def test_limit_rate(strait, lab):
    """
    No more flows begin in the kernel than the rate and its burst say, and what user space lets in beside them, which knows
    of those a moment later, is no second rate.
    """
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more="limit rate=20/s"))
    began, served = time.monotonic(), 0
    while time.monotonic() - began < 3:
        served += is_served(lab.client, (lab.front[4], 8000), timeout=1)
    seconds = time.monotonic() - began
    begun = counts(daemon)["begun"]
    assert begun <= 20 * seconds + 4
    assert served > 0.5 * 20 * seconds
    assert served - begun <= 10 * seconds
    assert daemon.wait_for_flows(1, reason="limit_rate")


# full tables, floods

def test_table_full(strait, lab):
    """Flows that find no place begin in user space; all work, and what is there goes on."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, top="kernel-path auto flows=64"))
    held = []
    for _ in range(100):
        s = lab.client.connect((lab.front[4], 8000))
        held.append(exchange(s))
        time.sleep(0.01)
    assert counts(daemon)["left_full"] > 0
    eventually(lambda: 40 <= flows_used(daemon) <= 64)
    daemon.wait_for_active("web", 100)
    for s in held:
        exchange(s).close()
    eventually(lambda: flows_used(daemon) == 0, 15)

    def has_place():
        with lab.client.connect((lab.front[4], 8000)) as s:
            exchange(s)
            return flows_used(daemon) >= 1
    eventually(has_place, what="slots rest before they are used again")


def test_a_session_stays_where_it_began(strait, lab):
    """A UDP session that found no room in the kernel stays in user space, with its server, when there is room again."""
    servers = name_servers(lab.server, 2, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, servers=server_lines(servers), more="limit sessions=2\nsession idle=30s"))
    held = [lab.client.udp((lab.front[4], 8000)) for _ in range(2)]
    for s in held:
        ask(s)
    daemon.wait_for_active("web", 2)
    daemon.hang_up(configuration(lab, servers=server_lines(servers), more="limit sessions=3\nsession idle=30s"))
    with lab.client.udp((lab.front[4], 8000)) as s:
        before = counts(daemon)
        first = ask(s)
        assert all(ask(s) == first for _ in range(5)), "the same server, from the same port"
        assert counts(daemon)["begun"] - before["begun"] in (0, 1)
    for s in held:
        s.close()


def syn(source, port, dest, dest_port, seq):
    """A SYN without a right checksum: the program does not look at it, and no server answers it."""
    tcp = struct.pack("!HHIIBBHHH", port, dest_port, seq, 0, 5 << 4, 2, 65535, 0, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, socket.inet_aton(source), socket.inet_aton(dest))
    return ip + tcp


def test_syn_flood(strait, lab):
    """Forged SYNs push no established connection out, take no place in it, and new clients get in afterwards."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more="limit connections=50"))
    held = [exchange(lab.client.connect((lab.front[4], 8000))) for _ in range(20)]
    raw = lab.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        for i in range(100_000):
            raw.sendto(syn(f"10.1.{200 + i % 50}.{i // 50 % 250 + 1}", 1024 + i % 50_000, lab.front[4], 8000, i),
                       (lab.front[4], 0))
    for s in held:
        exchange(s)
    assert flows_used(daemon) == 20
    assert is_served(lab.client, (lab.front[4], 8000))
    for s in held:
        s.close()


# what the network says

@pytest.mark.parametrize("version", [4, 6])
def test_narrow_path(strait, lab, version):
    """A path behind the server's network that carries less: the client gets the router's error, and sends in fragments."""
    end, far = lab.narrow_path(version)
    small_server(end, "echo", (far, 9000))
    daemon = strait(lab.proxy, configuration(lab, version, servers=f"server {address_text(far, 9000)}"))
    level, discover, mtu = (socket.IPPROTO_IP, 10, 14) if version == 4 else (socket.IPPROTO_IPV6, 23, 24)
    with lab.client.udp((lab.front[version], 8000)) as s:
        assert exchange_datagram(s) == b"hello"
        s.settimeout(0.5)
        s.setsockopt(level, discover, 2)  # IP_PMTUDISC_DO: no fragments
        assert s.getsockopt(level, mtu) == 1500

        def knows():
            try:
                s.send(bytes(1400))
                s.recv(2000)
            except OSError:
                pass
            return s.getsockopt(level, mtu) == 1300
        eventually(knows, 5, what="the client knows what the path carries")
        assert exchange_datagram(s, bytes(1200)) == bytes(1200)
    assert daemon.status()["kernel_path"]["packets"]["errors"] >= 1


def test_narrow_path_of_a_connection(strait, lab):
    """The same for TCP, whose server knows nothing of its narrow path; the client sends smaller segments."""
    end, far = lab.narrow_path(4)
    end.ip("link", "set", "wire", "mtu", "1500")
    small_server(end, "echo", (far, 9000))
    daemon = strait(lab.proxy, configuration(lab, servers=f"server {address_text(far, 9000)}"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        data = bytes(range(256)) * 200
        sender = thread(s.sendall, data)
        # The server's own segments are too long for its wire's other end; what has to come through is the client's.
        eventually(lambda: s.getsockopt(socket.IPPROTO_IP, 14) == 1300, 5)
        reset(s)
        try:
            sender.join(10)
        except OSError:
            pass
    assert daemon.status()["kernel_path"]["packets"]["errors"] >= 1


def test_largest_segment(strait, lab):
    """SYNs name no larger segments than both wires carry."""
    lab.proxy.ip("link", "set", "wire2", "mtu", 1400)
    seen = []
    Scripted(lab.server, (lab.back[4], 9000), lambda s: seen.append(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)))
    strait(lab.proxy, configuration(lab))
    with lab.client.connect((lab.front[4], 8000)) as s:
        assert s.recv(1) == b""
        assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1360
    assert seen and seen[0] <= 1360


def test_port_unreachable(strait, lab):
    """An error about a datagram comes to the client that has sent it."""
    server = small_server(lab.server, "echo", (lab.back[4], 9000))
    strait(lab.proxy, configuration(lab))
    with lab.client.udp((lab.front[4], 8000)) as s:
        assert exchange_datagram(s) == b"hello"
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            exchange_datagram(s)


# changes

def test_reload(strait, lab):
    """Connections go on whatever is reloaded, and new ones follow the new configuration."""
    servers = name_servers(lab.server, 3, lab.back[4])
    both = {n: servers[n] for n in "ab"}
    daemon = strait(lab.proxy, configuration(lab, servers=server_lines(both)))
    front = (lab.front[4], 8000)
    held = [lab.client.connect(front) for _ in range(6)]
    names = [ask(s)[0] for s in held]
    assert daemon.hang_up(configuration(lab, servers=server_lines({"c": servers["c"]})))["event"] == "reloaded"
    assert {who(lab.client, front) for _ in range(6)} == {"c"}
    assert [ask(s)[0] for s in held] == names
    assert daemon.hang_up(configuration(lab, servers=server_lines(servers)).replace("path nat", "path relay"))["event"] == "reloaded"
    begun = counts(daemon)["begun"]
    assert len({who(lab.client, front) for _ in range(9)}) == 3
    assert counts(daemon)["begun"] == begun
    assert [ask(s)[0] for s in held] == names
    for s in held:
        s.close()
    eventually(lambda: flows_used(daemon) == 0)


def test_many_connections(strait, lab):
    """Each of many is accounted for, and nothing is left of them."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))

    def run(number):
        for i in range(250):
            with lab.client.connect((lab.front[4], 8000), source=(f"10.1.129.{number + 1}", 0)) as s:
                exchange(s, b"%d" % i)
    runners = [thread(run, n) for n in range(4)]
    for runner in runners:
        runner.join(60)
    records = daemon.wait_for_flows(1000, 20)
    assert len(records) == 1000
    assert {r["path"] for r in records} == {"nat"}
    assert sum(r["bytes_in"] for r in records) == sum(r["bytes_out"] for r in records) == 4 * sum(len(b"%d" % i) for i in range(250))
    assert daemon.service("web")["flows_active"] == 0
    eventually(lambda: flows_used(daemon) == 0)
    assert keys_left(daemon.pid) == (0, 0)


def test_drain(strait, lab):
    """A stop waits for connections in the kernel, and begins none."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, top="timeout drain=20s"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        exchange(s)
        daemon.wait_for_active("web", 1)
        daemon.terminate()
        daemon.wait_for_event("stopping")
        time.sleep(0.3)
        exchange(s)
        assert is_refused(lab.client, (lab.front[4], 8000))
    assert daemon.wait() == 0


# starting, and dying

@pytest.mark.parametrize("before", ["auto", "relay"])
def test_first_service_by_reload(strait, lab, before):
    """Flows begin in the kernel from then on, whether its tables were there for other services or not; blocks hold."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    text = configuration(lab, top="packet-guard off")
    daemon = strait(lab.proxy, text.replace("path nat", f"path {before}"))
    assert daemon.ask("POST", "/v1/blocks", {"network": "10.1.200.7/32", "for": "1m"}).status < 300
    assert is_served(lab.client, (lab.front[4], 8000))
    assert daemon.hang_up(text)["event"] == "reloaded"
    assert is_served(lab.client, (lab.front[4], 8000))
    assert is_refused(lab.client, (lab.front[4], 8000), source=("10.1.200.7", 0))
    daemon.stop()
    seen = {(record["path"], record["reason"]) for record in daemon.wait_for_flows(3)}
    assert len(seen) == 3 and {path for path, reason in seen if reason != "blocked"} == {"relay", "nat"}, seen


def test_kernel_path_off(strait, lab):
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, top="kernel-path off"))
    assert is_served(lab.client, (lab.front[4], 8000))
    assert daemon.wait_for_flows()[0]["path"] == "relay"


def test_killed(strait, lab, pins):
    """Connections go on while the daemon is dead, new ones begin for a moment, and the next daemon accounts for all."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    text = configuration(lab, top=f"kernel-path auto pins={pins}")
    first = strait(lab.proxy, text)
    front = (lab.front[4], 8000)
    with lab.client.connect(front) as early:
        exchange(early)
        first.wait_for_active("web", 1)
        first.is_expected_to_end = first.was_waited_for = True
        first.program.kill()
        exchange(early)
        with lab.client.connect(front) as late:
            exchange(late)
            second = strait(lab.proxy, text)
            exchange(early)
            exchange(late)
            second.wait_for_active("web", 2)
            with lab.client.connect(front) as new:
                exchange(new)
            second.wait_for_flows(1, path="nat")
    assert len(second.wait_for_flows(3, path="nat", reason="client_fin")) == 3
    eventually(lambda: flows_used(second) == 0)
    assert second.stop() == 0
    assert not list(pins.rglob("*"))
