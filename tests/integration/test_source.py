# SPDX-License-Identifier: Apache-2.0
"""Where connections and sessions to servers come from: addresses of strait's machine, or the clients' own."""

import socket
import time
from collections import Counter

import pytest

from daemon import strait_path
from lab import address_text
from servers import small_server
from traffic import ask, both_ways, ending, is_refused, reset
from waiting import eventually

CONFIGURATION = """
service web {{
    listen {listen}
    listen udp {listen}
    {service}
    to web
}}
pool web {{
    {pool}
    {servers}
}}
"""
OWN = {4: [f"10.2.0.{host}" for host in (11, 12, 13)], 6: [f"fd02::{host}" for host in (11, 12, 13)]}


def configuration(lab, version=4, pool="source client", service="session idle=1m new=1m", servers=None, listen=None):
    return CONFIGURATION.format(listen=listen or address_text(lab.front[version], 8000), service=service, pool=pool,
                                servers=servers or f"server {address_text(lab.back[version], 9000)}")


def front(lab, version=4):
    return lab.front[version], 8000


def add_own_addresses(lab, version):
    for address in OWN[version]:
        lab.proxy.ip("address", "add", f"{address}/{24 if version == 4 else 64}", "dev", "wire2",
                     *(["nodad"] if version == 6 else []))


def seen_by_server(place, kind, address, source=None):
    """The client's own address, and what the server sees of it."""
    s = place.connect(address, source=source) if kind == "tcp" else place.udp(address, source=source)
    with s:
        return s.getsockname()[:2], ask(s)


# addresses of this machine

@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_addresses_in_turn(strait, lab, kind, version):
    """Each address is used as often as the others; records tell which."""
    add_own_addresses(lab, version)
    small_server(lab.server, "peer", (lab.back[version], 9000))
    other = {4: "fd02::1", 6: "10.2.0.1"}[version]
    daemon = strait(lab.proxy, configuration(lab, version, f"source {' '.join(OWN[version])} {other}",
                                             "session idle=1m replies=1"), workers=1)
    seen = [seen_by_server(lab.client, kind, front(lab, version))[1] for _ in range(9)]
    assert Counter(address for address, _ in seen) == {address: 3 for address in OWN[version]}
    locals_ = {flow["local"] for flow in daemon.wait_for_flows(9)}
    assert locals_ == {address_text(*endpoint) for endpoint in seen}
    assert not daemon.events("source_unusable")


def test_family_without_address(strait, lab):
    """For servers of a family that has no address here the system chooses."""
    small_server(lab.server, "peer", (lab.back[6], 9000))
    strait(lab.proxy, configuration(lab, 4, "source 10.2.0.1", servers=f"server {address_text(lab.back[6], 9000)}"))
    assert seen_by_server(lab.client, "tcp", front(lab))[1][0] == lab.local[6]


def limit_ports(lab, count):
    lab.proxy.run("sh", "-c", f"echo 40000 {40000 + count - 1} > /proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_ports_of_all_addresses(strait, lab, kind):
    """Where the ports of one address are used up the next is taken, until all are: N addresses have N times the ports."""
    limit_ports(lab, 8)
    add_own_addresses(lab, 4)
    small_server(lab.server, "peer", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, 4, f"source {' '.join(OWN[4])}"), workers=1)
    opens = [lab.client.connect(front(lab)) if kind == "tcp" else lab.client.udp(front(lab)) for _ in range(24)]
    assert len({ask(s) for s in opens}) == 24
    if kind == "tcp":
        assert is_refused(lab.client, front(lab))
        assert daemon.wait_for_flows(1)[0]["reason"] == "connect_failed"
    else:
        with lab.client.udp(front(lab)) as s:
            s.send(b"one too many")
            assert daemon.wait_for_flows(1)[0]["reason"] == "limit_memory"
    if kind == "tcp":
        reset(opens.pop())
        eventually(lambda: seen_by_server(lab.client, kind, front(lab)), what="a port that is free again is used")


def test_ports_are_shared_between_servers(strait, lab):
    """A port is used again towards another server: only the pair of ends has to be new."""
    limit_ports(lab, 4)
    lines = []
    for port in (9000, 9001, 9002):
        small_server(lab.server, "peer", (lab.back[4], port))
        lines.append(f"server {lab.back[4]}:{port}")
    strait(lab.proxy, configuration(lab, 4, "source 10.2.0.1", servers="\n".join(lines)), workers=1)
    opens = [lab.client.connect(front(lab)) for _ in range(12)]
    assert Counter(ask(s)[1] for s in opens) == {port: 3 for port in range(40000, 40004)}


def test_missing_address(strait, lab):
    """An address that is not there makes way for those that are, and is used when it comes; all missing: said, and refused."""
    add_own_addresses(lab, 4)
    small_server(lab.server, "peer", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, 4, "source 10.2.0.77 10.2.0.11\neject failures=2"), workers=1)
    assert daemon.wait_for_event("source_unusable")["cause"] == "10.2.0.77 is not an address of this machine"
    assert {seen_by_server(lab.client, "tcp", front(lab))[1][0] for _ in range(4)} == {"10.2.0.11"}
    lab.proxy.ip("address", "del", "10.2.0.11/24", "dev", "wire2")
    for _ in range(5):
        assert is_refused(lab.client, front(lab))
    assert {flow["reason"] for flow in daemon.wait_for_flows(5, server="10.2.0.2:9000", reason="connect_failed")}
    with lab.client.udp(front(lab)) as s:
        s.send(b"x")
        daemon.wait_for_flows(1, protocol="udp", reason="connect_failed")
    assert daemon.server("web", "10.2.0.2:9000")["state"] == "up", "it is not the server's fault"
    assert daemon.server("web", "10.2.0.2:9000")["connect_failures_total"] == 0
    daemon.wait_for_event("source_unusable", cause="none of the addresses is one of this machine")
    pool = daemon.status()["pools"][0]
    assert pool["source"] == {"is_client": False, "addresses": ["10.2.0.77", "10.2.0.11"],
                              "problem": "10.2.0.77 is not an address of this machine"}
    assert "source cannot be used" in daemon.command("status").stdout
    lab.proxy.ip("address", "add", "10.2.0.77/24", "dev", "wire2")
    assert seen_by_server(lab.client, "tcp", front(lab))[1][0] == "10.2.0.77"
    assert seen_by_server(lab.client, "udp", front(lab))[1][0] == "10.2.0.77"


@pytest.mark.parametrize("check", ["tcp", 'udp send="ping"'])
def test_checks_come_from_there(strait, lab, check):
    """Health checks come from the first address that is there; none being there says nothing about the server."""
    add_own_addresses(lab, 4)
    lab.server.filter("table inet only { chain input { type filter hook input priority 0;\n"
                      "iifname != \"lo\" ip saddr != 10.2.0.11 drop\n }\n }\n")
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(
        lab, 4, f"source 10.2.0.77 10.2.0.11 10.2.0.12\ncheck {check} every=100ms timeout=2s fall=2"))
    eventually(lambda: daemon.server("web", "10.2.0.2:9000")["last_check"])
    time.sleep(0.5)
    eventually(lambda: daemon.server("web", "10.2.0.2:9000")["last_check"]["good"])
    for address in ("10.2.0.12", "10.2.0.11"):
        lab.proxy.ip("address", "del", f"{address}/24", "dev", "wire2")
    eventually(lambda: "not asked" in daemon.server("web", "10.2.0.2:9000")["last_check"]["cause"])
    assert daemon.server("web", "10.2.0.2:9000")["state"] == "up"


# the client's own

@pytest.fixture
def transparent(lab):
    lab.route_clients_back()
    return lab


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_client(strait, transparent, kind, version):
    """The server sees the client's address and port, and what it answers arrives."""
    small_server(transparent.server, "peer", (transparent.back[version], 9000))
    daemon = strait(transparent.proxy, configuration(transparent, version, service="session idle=1m replies=3"))
    own = []
    for _ in range(3):
        client, seen = seen_by_server(transparent.client, kind, front(transparent, version))
        assert client == seen
        own.append(address_text(*client))
    if kind == "tcp":
        assert {flow["local"] for flow in daemon.wait_for_flows(3)} == set(own)
    assert not daemon.events("source_unusable")


def test_client_on_wildcard(strait, transparent):
    """The same for clients of wildcard listeners."""
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    strait(transparent.proxy, configuration(transparent, listen="*:8000"))
    for kind in ("tcp", "udp"):
        client, seen = seen_by_server(transparent.client, kind, front(transparent))
        assert client == seen


@pytest.mark.parametrize("version", [4, 6])
def test_stream(strait, transparent, version):
    """Streams in both directions, and resets, go as they do otherwise."""
    listener = transparent.server.listen((transparent.back[version], 9000))
    daemon = strait(transparent.proxy, configuration(transparent, version))
    with transparent.client.connect(front(transparent, version)) as s:
        server, peer = listener.accept()
        assert peer[:2] == s.getsockname()[:2]
        both_ways(s, server, 20_000_000)
    s = transparent.client.connect(front(transparent, version))
    server, _ = listener.accept()
    reset(s)
    assert ending(server) == "reset"
    daemon.wait_for_flows(1, reason="client_rst")


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_many_clients(strait, transparent, kind):
    """Hundreds of clients of many addresses at once, each seen as itself, also while others have the same port."""
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    strait(transparent.proxy, configuration(transparent))
    opens = []
    for i in range(600):
        source = (f"10.1.{128 + i % 100}.{1 + i % 7}", 20000 + i // 7)
        opens.append(transparent.client.connect(front(transparent), source=source) if kind == "tcp" else
                     transparent.client.udp(front(transparent), source=source))
    for s in opens:
        s.send(b"who\n")
    for s in opens:
        host, port = s.recv(100).decode().split()
        assert (host, int(port)) == s.getsockname()


@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("port", [20000, 40000])
def test_port_is_taken(strait, transparent, kind, port):
    """A client whose port is taken already towards that server comes from its address and another port."""
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    strait(transparent.proxy, configuration(transparent, listen="*:8000"), workers=1)
    opens = [same_port(transparent, kind, host, ("10.1.200.1", port))
             for host in (transparent.front[4], transparent.front_other[4])]
    seen = [ask(s) for s in opens]
    assert seen[0] == ("10.1.200.1", port)
    assert seen[1][0] == "10.1.200.1" and seen[1][1] != port
    assert [ask(s) for s in opens] == seen


def same_port(lab, kind, host, source):
    """A client socket that shares its address and port with others that go elsewhere."""
    s = lab.client.socket(kind=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    s.settimeout(5)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(source)
    s.connect((host, 8000))
    return s


@pytest.mark.parametrize("port", [20000, 40000])
def test_port_to_another_server(strait, transparent, port):
    """Connections of one client port to two servers both keep it."""
    lines = []
    for number in (9000, 9001):
        small_server(transparent.server, "peer", (transparent.back[4], number))
        lines.append(f"server {transparent.back[4]}:{number}")
    strait(transparent.proxy, configuration(transparent, servers="\n".join(lines), listen="*:8000"), workers=1)
    opens = [same_port(transparent, "tcp", host, ("10.1.200.1", port))
             for host in (transparent.front[4], transparent.front_other[4])]
    assert [ask(s) for s in opens] == [("10.1.200.1", port)] * 2


def test_strait_listens_on_the_port(strait, transparent):
    """A client that comes from a port strait itself listens on keeps its address, with another port."""
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    strait(transparent.proxy, configuration(transparent, listen="*:8000"))
    for kind in ("tcp", "udp"):
        _, seen = seen_by_server(transparent.client, kind, front(transparent), source=("10.1.200.1", 8000))
        assert seen[0] == "10.1.200.1" and seen[1] != 8000


def test_other_connections_keep_their_ports(strait, transparent):
    """Clients' ports are not taken away from the connections that strait makes for itself, however many they are."""
    limit_ports(transparent, 40)
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    text = configuration(transparent) + configuration(transparent, pool="", listen="10.1.0.1:8001").replace("web", "plain")
    strait(transparent.proxy, text, workers=1)
    opens = [transparent.client.connect(front(transparent), source=(f"10.1.200.{i % 40 + 1}", 40000 + i))
             for i in range(40)]
    assert [ask(s) for s in opens] == [s.getsockname() for s in opens]
    assert seen_by_server(transparent.client, "tcp", ("10.1.0.1", 8001))[1][0] == transparent.local[4]


@pytest.mark.parametrize("how", ["family", "unix"])
def test_clients_that_cannot_be_themselves(strait, transparent, how):
    """A client of the other family, and one of a unix socket, come from strait's own address."""
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    path = transparent.directory / "front.sock"
    if how == "family":
        listen = address_text(transparent.front[6], 8000)
        strait(transparent.proxy, configuration(transparent, listen=listen))
        for kind in ("tcp", "udp"):
            assert seen_by_server(transparent.client, kind, front(transparent, 6))[1][0] == transparent.local[4]
    else:
        strait(transparent.proxy, configuration(transparent, listen=f"unix:{path}").replace(f"listen udp unix:{path}", ""))
        with transparent.client.connect(path) as s:
            assert ask(s)[0] == transparent.local[4]


def test_client_of_a_proxy_header(strait, transparent):
    """With accept-proxy the server sees the client that the header names, at its port."""
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    daemon = strait(transparent.proxy, configuration(transparent, service="accept-proxy 10.1.0.0/16"))
    with transparent.client.connect(front(transparent)) as s:
        s.sendall(b"PROXY TCP4 10.1.222.7 10.1.0.1 33333 8000\r\n")
        assert ask(s) == ("10.1.222.7", 33333)
    assert daemon.wait_for_flows(1)[0]["local"] == "10.1.222.7:33333"
    for impossible in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"):
        with transparent.client.connect(front(transparent)) as s:
            s.sendall(f"PROXY TCP4 {impossible} 10.1.0.1 33333 8000\r\n".encode())
            assert ask(s)[0] == transparent.local[4]


@pytest.mark.parametrize("check", ["tcp", 'udp send="ping" expect="ping"'])
def test_checks_come_from_strait(strait, transparent, check):
    """Health checks of such a pool come from strait's own address."""
    small_server(transparent.server, "echo", (transparent.back[4], 9000))
    daemon = strait(transparent.proxy, configuration(
        transparent, pool=f"source client\ncheck {check} every=100ms timeout=2s"))
    assert eventually(lambda: daemon.server("web", "10.2.0.2:9000")["last_check"])["good"]


def set_on_interfaces(place, name, value):
    place.run("sh", "-c", f"for i in all default wire1 wire2 lo; do echo {value} > /proc/sys/net/ipv4/conf/$i/{name}; done")


@pytest.mark.parametrize("filtering", [0, 1, 2])
def test_reverse_path_filter(strait, transparent, filtering):
    """The reverse path filter, strict, loose or off, lets it pass; not, if it goes by the mark as well (docs/source.md)."""
    set_on_interfaces(transparent.proxy, "rp_filter", filtering)
    set_on_interfaces(transparent.server, "rp_filter", filtering)
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    daemon = strait(transparent.proxy, configuration(transparent, service="timeout connect=500ms\nretries 0"))
    for kind in ("tcp", "udp"):
        client, seen = seen_by_server(transparent.client, kind, front(transparent))
        assert client == seen
    set_on_interfaces(transparent.proxy, "src_valid_mark", 1)
    assert is_refused(transparent.client, front(transparent))
    daemon.wait_for_flows(1, reason="connect_timeout")


def test_without_routes(strait, lab):
    """Without the routes nothing comes back: the connect times out, and strait says so."""
    small_server(lab.server, "peer", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, service="timeout connect=300ms\nretries 0"))
    assert is_refused(lab.client, front(lab))
    assert daemon.wait_for_flows(1)[0]["reason"] == "connect_timeout"


# reload

def test_reload(strait, transparent):
    """A reload switches it on and off for new flows; those that go on are not touched."""
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    daemon = strait(transparent.proxy, configuration(transparent, pool=""))
    plain = [transparent.client.connect(front(transparent)), transparent.client.udp(front(transparent))]
    before = [ask(s) for s in plain]
    assert {host for host, _ in before} == {transparent.local[4]}
    assert daemon.hang_up(configuration(transparent))["event"] == "reloaded"
    own = [transparent.client.connect(front(transparent)), transparent.client.udp(front(transparent))]
    assert [ask(s) for s in own] == [s.getsockname() for s in own]
    assert daemon.hang_up(configuration(transparent, pool="source 10.2.0.1"))["changes"] == 1
    for kind in ("tcp", "udp"):
        assert seen_by_server(transparent.client, kind, front(transparent))[1][0] == transparent.local[4]
    assert [ask(s) for s in plain] == before
    assert [ask(s) for s in own] == [s.getsockname() for s in own]


# without the capability

DROP = ("setpriv", "--bounding-set=-net_admin,-net_raw", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs",
        "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--")


def test_without_capability(strait, transparent):
    """Without CAP_NET_ADMIN strait says so at the start and in its status, and refuses flows without blaming the server."""
    small_server(transparent.server, "peer", (transparent.back[4], 9000))
    transparent.directory.chmod(0o777)
    daemon = strait(transparent.proxy, configuration(transparent, pool="source client\neject failures=1"), through=DROP)
    cause = "source client needs CAP_NET_ADMIN, which this process has not"
    assert daemon.wait_for_event("source_unusable", pool="web")["cause"] == cause
    for _ in range(3):
        assert is_refused(transparent.client, front(transparent))
    daemon.wait_for_flows(3, reason="connect_failed")
    with transparent.client.udp(front(transparent)) as s:
        s.send(b"x")
        daemon.wait_for_flows(1, protocol="udp", reason="connect_failed")
    assert daemon.status()["pools"][0]["source"]["problem"] == cause
    assert daemon.server("web", "10.2.0.2:9000")["state"] == "up"
    assert daemon.hang_up(configuration(transparent, pool=""))["event"] == "reloaded"
    assert seen_by_server(transparent.client, "tcp", front(transparent))[1][0] == transparent.local[4]


def test_check_warns(lab):
    """`strait check` warns of a capability that it has not, and only of pools that need it; it fails with --strict."""
    path = lab.directory / "strait.conf"
    lab.directory.chmod(0o755)
    for pool, warns in (("source client", True), ("source 10.2.0.1", False), ("", False)):
        path.write_text(configuration(lab, pool=f"{pool}\ncheck none"))
        for through in ((), DROP):
            result = lab.proxy.run(*through, strait_path(), "check", "--strict", "-c", path, check=False)
            assert ("needs CAP_NET_ADMIN" in result.stderr) == (warns and through == DROP), result.stderr
            assert result.returncode == (78 if warns and through == DROP else 0), result.stderr
