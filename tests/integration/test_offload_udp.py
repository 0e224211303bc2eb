# SPDX-License-Identifier: Apache-2.0
"""UDP sessions that the kernel carries: nobody notices, everything is counted, and they come back at any time."""

import os
import signal
import socket
import struct
import time

import pytest

from flow_keys import keys_left
from lab import address_text
from metrics import Metrics
from servers import name_servers, server_lines, small_server
from waiting import eventually

CONFIGURATION = """
{top}
service game {{
    listen udp {listen}
    path {path}
    {more}
    to game
}}
pool game {{
    {pool}
    {servers}
}}
"""


def configuration(lab, version=4, path="auto", more="", pool="", servers=None, top="", listen=None):
    return CONFIGURATION.format(top=top, path=path, more=more, pool=pool,
                                listen=listen or address_text(lab.front[version], 8000),
                                servers=servers or f"server {address_text(lab.back[version], 9000)}")


def ask(s, data):
    s.send(data)
    return s.recv(70_000)


def packets_of(daemon):
    return daemon.status()["kernel_path"]["packets"]


def flows_used(daemon):
    return daemon.status()["kernel_path"]["flows"]["used"]


def settle(s, daemon, flows=1):
    """Two round trips, after which the session is in the kernel."""
    for _ in range(2):
        assert ask(s, b"settle") == b"settle"
    eventually(lambda: flows_used(daemon) == flows, what="the session is in the kernel")


def is_forwarded(s, daemon, data=b"is it forwarded?"):
    """Is a round trip made by the kernel alone?"""
    before = packets_of(daemon)["forwarded"]
    assert ask(s, data) == data
    return packets_of(daemon)["forwarded"] == before + 2


@pytest.fixture
def game(lab, strait):
    """A daemon with one service before an echo server; daemon and a client's socket that is in the kernel."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, daemon)
        yield daemon, s


# what passes, and what is counted

@pytest.mark.parametrize("version", [4, 6])
def test_datagrams_are_unchanged(strait, lab, version):
    """Of every size, with the same addresses at both ends as before; what the kernel cannot carry takes the old way."""
    small_server(lab.server, "echo", (lab.back[version], 9000))
    daemon = strait(lab.proxy, configuration(lab, version))
    sizes = [0, 1, 2, 3, 100, 1471, 1472, 1473, 9000, 65507]
    with lab.client.udp((lab.front[version], 8000)) as s:
        settle(s, daemon)
        before = packets_of(daemon)["forwarded"]
        for size in sizes:
            data = os.urandom(size)
            assert ask(s, data) == data, f"{size} bytes"
        seen = packets_of(daemon)
        assert seen["forwarded"] - before >= 2 * 5
        assert seen["failed"] == 0
        flow = daemon.get("/v1/flows").json["flows"][0]
        assert flow["path"] == "offload"
    daemon.stop()
    record = daemon.wait_for_flows(1)[0]
    assert record["path"] == "offload"
    assert (record["packets_in"], record["packets_out"]) == (len(sizes) + 2, len(sizes) + 2)
    assert (record["bytes_in"], record["bytes_out"]) == (sum(sizes) + 12, sum(sizes) + 12)


def test_server_sees_one_peer(strait, lab):
    """Address and port that the server sees are the same before, in the kernel, and after."""
    server = lab.server.udp(source=(lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    peers = set()

    def exchange(s, data):
        s.send(data)
        received, peer = server.recvfrom(100)
        assert received == data
        peers.add(peer)
        server.sendto(data, peer)
        assert s.recv(100) == data

    with lab.client.udp((lab.front[4], 8000)) as s:
        for i in range(3):
            exchange(s, b"%d" % i)
        eventually(lambda: flows_used(daemon) == 1)
        exchange(s, b"in the kernel")
        daemon.hang_up(configuration(lab, path="relay"))
        eventually(lambda: flows_used(daemon) == 0)
        exchange(s, b"back")
    assert len(peers) == 1


@pytest.mark.parametrize("version", [4, 6])
def test_wildcard_listener(strait, lab, version):
    """Each session answers from the address that was asked."""
    small_server(lab.server, "echo", (lab.back[version], 9000))
    daemon = strait(lab.proxy, configuration(lab, version, listen="*:8000" if version == 4 else "[::]:8000"))
    for number, host in enumerate((lab.front[version], lab.front_other[version]), 1):
        with lab.client.udp((host, 8000)) as s:
            settle(s, daemon, number)
            assert is_forwarded(s, daemon)


def test_counts(game):
    """Service, server, path and flow show the same, while it goes on."""
    daemon, s = game
    for i in range(50):
        ask(s, b"x" * 100)

    def numbers():
        service, server = daemon.service("game"), daemon.server("game", "10.2.0.2:9000")
        return [(d["bytes_in"], d["bytes_out"]) for d in (service, server)] + [service["packets_in"], service["packets_out"]]
    eventually(lambda: numbers() == [(5012, 5012), (5012, 5012), 52, 52], what="all is counted")
    flow = daemon.get("/v1/flows").json["flows"][0]
    assert (flow["bytes_in"], flow["packets_out"]) == (5012, 52)
    metrics = Metrics(daemon)
    assert metrics("strait_path_flows_active", path="offload") == 1
    assert metrics("strait_path_flows_active", path="relay") == 0
    carried = metrics("strait_path_bytes_total", path="offload")
    assert carried >= 10_000
    assert carried + metrics("strait_path_bytes_total", path="relay") == 2 * 5012
    assert metrics("strait_kernel_path_packets_total", result="forwarded") >= 100


def test_checksums(strait, lab):
    """A datagram without a checksum gets none, and one with a wrong one stays wrong."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, daemon)
        s.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
        assert is_forwarded(s, daemon)
        s.settimeout(0.5)
        raw = lab.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        body = b"wrong"
        raw.sendto(struct.pack("!4H", s.getsockname()[1], 8000, 8 + len(body), 0x1234) + body, (lab.front[4], 0))
        with pytest.raises(TimeoutError):
            s.recv(100)
        raw.close()


def test_single_question_stays(strait, lab):
    """A client that asks once costs nothing in the kernel."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    clients = [lab.client.udp((lab.front[4], 8000)) for _ in range(20)]
    for s in clients:
        ask(s, b"once")
    assert flows_used(daemon) == 0
    assert daemon.service("game")["flows_active"] == 20
    for s in clients:
        s.close()


@pytest.mark.parametrize("obstacle", ["session replies=2", "limit per-source-packets=100k/s", "limit upload=1GB/s",
                                      "accept-proxy 192.0.2.0/24", "session requests=1000"])
def test_obstacles(strait, lab, obstacle):
    """Where each datagram has to be looked at the service stays in user space, and says why."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more=obstacle))
    with lab.client.udp((lab.front[4], 8000)) as s:
        for _ in range(4):
            ask(s, b"hello")
    assert flows_used(daemon) == 0
    path = daemon.service("game")["path"]
    assert (path["configured"], path["udp"]["path"]) == ("auto", "relay")
    assert any(obstacle.split("=")[0].split()[-1] in text or text in obstacle for text in path["udp"]["obstacles"]), path


def test_never_on_loopback(strait, loopback):
    """Client and server on the same machine: the program is at no interface."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration(loopback, servers="server 127.0.0.1:9000"))
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        for _ in range(5):
            ask(s, b"hello")
    path = daemon.status()["kernel_path"]
    assert (path["state"], path["interfaces"], path["flows"]["used"]) == ("active", [], 0)


# the end

def test_idle_session_ends(strait, lab):
    """It is idle when nothing has passed in the kernel, and not before."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more="session idle=1s new=1s"))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, daemon)
        start = time.monotonic()
        while (last := time.monotonic()) < start + 2.5:
            last_asked = last
            assert is_forwarded(s, daemon)
            time.sleep(0.2)
        record = daemon.wait_for_flows(1)[0]
    assert (record["reason"], record["path"]) == ("idle_timeout", "offload")
    assert 1000 * (last_asked - start) + 950 <= record["duration_ms"] < 6000
    assert flows_used(daemon) == 0


def test_close(game):
    daemon, s = game
    flow = daemon.get("/v1/flows").json["flows"][0]
    assert daemon.ask("DELETE", f"/v1/flows/{flow['id']}").status < 300
    assert daemon.wait_for_flows(1)[0]["reason"] == "admin_closed"
    assert flows_used(daemon) == 0
    assert ask(s, b"another session") == b"another session"


def test_block(game):
    """A blocked client's session ends, and its datagrams do not come back through the kernel."""
    daemon, s = game
    assert daemon.ask("POST", "/v1/blocks", {"network": "10.1.0.2/32", "for": "1m"}).status < 300
    assert daemon.wait_for_flows(1)[0]["reason"] == "blocked"
    s.settimeout(0.5)
    s.send(b"hello")
    with pytest.raises(TimeoutError):
        s.recv(100)


@pytest.mark.parametrize("change,reason", [("maint", "drained"), ("down", "server_down")])
def test_lost_server(strait, lab, change, reason):
    """The session leaves a server that is gone, and the client's next datagram finds another."""
    servers = name_servers(lab.server, 2, lab.back[4])
    pool = "check udp send=\"?\" every=200ms timeout=2s fall=1" if change == "down" else "check none"
    daemon = strait(lab.proxy, configuration(lab, pool=pool, servers=server_lines(servers)))
    with lab.client.udp((lab.front[4], 8000)) as s:
        first = ask(s, b"who?")
        assert ask(s, b"who?") == first
        eventually(lambda: flows_used(daemon) == 1)
        flow = daemon.get("/v1/flows").json["flows"][0]
        if change == "maint":
            assert daemon.ask("PATCH", f"/v1/pools/game/servers/{flow['server']}", {"state": "maint"}).status < 300
        else:
            servers[flow["server"]].kill()
        assert daemon.wait_for_flows(1)[0]["reason"] == reason
        assert ask(s, b"who?") != first


def test_stop(game):
    """At the stop nothing stays in the kernel, and the record has everything."""
    daemon, s = game
    for _ in range(10):
        assert is_forwarded(s, daemon)
    daemon.stop()
    record = daemon.wait_for_flows(1)[0]
    assert (record["reason"], record["packets_in"], record["packets_out"]) == ("shutdown", 12, 12)


# back into user space, and in again

def test_reload(game, lab):
    """A path that is taken away brings sessions back; given again, they go in again."""
    daemon, s = game
    daemon.hang_up(configuration(lab, path="relay"))
    eventually(lambda: flows_used(daemon) == 0)
    assert not is_forwarded(s, daemon)
    daemon.hang_up(configuration(lab))
    eventually(lambda: is_forwarded(s, daemon), 10, every=0.2)
    daemon.hang_up(configuration(lab, top="kernel-path off"))
    eventually(lambda: flows_used(daemon) == 0)
    assert not is_forwarded(s, daemon)
    assert daemon.status()["kernel_path"]["state"] == "off"
    daemon.stop()
    assert daemon.wait_for_flows(1)[0]["reason"] == "shutdown"


def test_interface_gone_and_back(strait, lab):
    """Without the interface the session is in user space; with it, it goes into the kernel again. It is the same session."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, listen="*:8000", more="session idle=1m"))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, daemon)
        lab.client.ip("link", "delete", "wire")
        eventually(lambda: flows_used(daemon) == 0, 10)
        lab.wire(lab.client, lab.proxy, 1, [2], [1, 3])
        eventually(lambda: {i["name"] for i in daemon.status()["kernel_path"]["interfaces"]} == {"wire1", "wire2"}, 10)
        eventually(lambda: is_forwarded(s, daemon), 15, every=0.3)
    assert daemon.service("game")["flows_total"] == 1


def test_route_changes(strait, lab):
    """Another way to the client: packets take it."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.udp((lab.front[4], 8000), source=("10.1.200.7", 0)) as s:
        settle(s, daemon)
        assert is_forwarded(s, daemon)
        lab.proxy.ip("route", "replace", "unreachable", "10.1.200.7/32")
        eventually(lambda: flows_used(daemon) == 0, 10)
        lab.proxy.ip("route", "delete", "10.1.200.7/32")
        eventually(lambda: is_forwarded(s, daemon), 15, every=0.3)


def test_client_behind_a_router(strait, lab):
    """The neighbour is the router then, or the client itself, as routes say at the moment."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))

    def answer_for_others(value):
        lab.client.run("sysctl", "-qw", f"net.ipv4.conf.wire.arp_ignore={0 if value else 1}")
        lab.proxy.ip("neighbour", "flush", "all")
    answer_for_others(False)
    with lab.client.udp((lab.front[4], 8000), source=("10.1.200.7", 0)) as s:
        settle(s, daemon)
        assert is_forwarded(s, daemon)
        answer_for_others(True)
        lab.proxy.ip("route", "replace", "10.1.200.7/32", "dev", "wire1")
        eventually(lambda: lab.proxy.ip("neighbour", "show", "10.1.200.7") and is_forwarded(s, daemon), 10, every=0.3)
        lab.proxy.ip("route", "replace", "10.1.200.7/32", "via", "10.1.0.2")
        answer_for_others(False)
        eventually(lambda: is_forwarded(s, daemon), 15, every=0.3)
    assert daemon.service("game")["flows_total"] == 1


def test_lost_neighbour(game, lab):
    """A neighbour that is not known any more is asked for, and the datagram waits for it."""
    daemon, s = game
    lab.proxy.ip("neighbour", "flush", "all")
    assert is_forwarded(s, daemon)
    assert daemon.service("game")["flows_total"] == 1


@pytest.mark.parametrize("behind", ["client", "server"])
@pytest.mark.parametrize("version", [4, 6])
def test_narrow_path(strait, lab, version, behind):
    """
    A datagram larger than the path behind the client's or the server's network: from the router's error on, user space
    sends such ones, in fragments, and the kernel all others.
    """
    end, far = lab.narrow_path(version, getattr(lab, behind))
    client, server, servers = lab.client, lab.server, None
    if behind == "client":
        client = end
    else:
        server, servers = end, f"server {address_text(far, 9000)}"
    small_server(server, "echo", (far if behind == "server" else lab.back[version], 9000))
    daemon = strait(lab.proxy, configuration(lab, version, servers=servers))
    with client.udp((lab.front[version], 8000)) as s:
        settle(s, daemon)
        assert is_forwarded(s, daemon)

        def passes():
            s.send(b"x" * 1400)
            s.settimeout(0.5)
            try:
                return len(s.recv(2000)) == 1400
            except TimeoutError:
                return False
        eventually(passes, 10, what="a datagram that has to be in fragments passes")
        assert is_forwarded(s, daemon)


def test_server_unreachable(game, lab):
    """An ICMP error for a datagram that the kernel has sent on is the session's own."""
    daemon, s = game
    next(p for p in lab.programs if p.name.startswith("server")).kill()
    before = daemon.server("game", "10.2.0.2:9000")["connect_failures"]["connect_refused"]
    s.send(b"anybody?")
    eventually(lambda: daemon.server("game", "10.2.0.2:9000")["connect_failures"]["connect_refused"] > before)


# limits

def test_table_full(strait, lab):
    """Sessions that find no place stay in user space; all work."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, top="kernel-path auto flows=64"))
    clients = [lab.client.udp((lab.front[4], 8000)) for _ in range(100)]
    for turn in range(3):
        for i, s in enumerate(clients):
            assert ask(s, b"%d %d" % (turn, i)) == b"%d %d" % (turn, i)
    assert flows_used(daemon) == 64
    assert daemon.service("game")["flows_active"] == 100
    for s in clients:
        s.close()


def test_nothing_leaks(strait, lab):
    """Sessions come and go; in the end the kernel knows none."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more="session idle=2s new=2s"))
    for _ in range(5):
        clients = [lab.client.udp((lab.front[4], 8000)) for _ in range(100)]
        for _ in range(3):
            for s in clients:
                ask(s, b"hello")
        for s in clients:
            s.close()
        assert keys_left(daemon.pid)[0] > 0
    eventually(lambda: daemon.service("game")["flows_active"] == 0, 10)
    assert flows_used(daemon) == 0
    assert keys_left(daemon.pid) == (0, 0)
    assert 450 < daemon.service("game")["flows_total"] <= 500  # a client may get a port that one before had


def test_without_privileges(strait, lab):
    """Everything runs in user space, and why is said."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    through = ("setpriv", "--bounding-set=-bpf,-sys_admin,-net_admin", "--inh-caps=-bpf,-sys_admin,-net_admin", "--")
    daemon = strait(lab.proxy, configuration(lab), through=through)
    with lab.client.udp((lab.front[4], 8000)) as s:
        for _ in range(5):
            assert ask(s, b"hello") == b"hello"
    path = daemon.status()["kernel_path"]
    assert path["state"] == "unavailable"
    assert "CAP_BPF" in path["why"]
    daemon.wait_for_event("kernel_path_unavailable")


@pytest.mark.parametrize("busy", ["program", "traffic"])
def test_program_replaced_under_load(strait, lab, busy):
    """Reloads while datagrams pass: none is lost, and none comes twice."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, daemon)
        for i in range(300):
            data = b"%d" % i
            assert ask(s, data) == data
            if i % 30 == 0:
                path = "relay" if busy == "program" and i % 60 == 0 else "auto"
                daemon.program.signal(signal.SIGHUP) if busy == "traffic" else daemon.hang_up(configuration(lab, path=path))
    assert daemon.service("game")["flows_total"] == 1
