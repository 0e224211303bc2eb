# SPDX-License-Identifier: Apache-2.0
"""
TCP connections that the kernel carries: joined by the daemon itself. What joining does to the bytes is in test_joining.py; this
is about the connection's life, and what is told of it. JOINED_CONNECTIONS in the environment makes the first test longer.
"""

import contextlib
import os
import re
import socket
import struct
import time

import pytest

from flow_keys import keys_left
from lab import address_parts, address_text
from servers import Scripted, name_servers, server_lines, small_server, tool
from test_adoption import kill
from traffic import receive_exactly
from waiting import eventually, thread

CONFIGURATION = """
{top}
service web {{
    listen {listen}
    path {path}
    offload after={after}
    {more}
    to web
}}
pool web {{
    {pool}
    {servers}
}}
"""


def configuration(lab, version=4, path="offload", after="10ms", more="", pool="check none", servers=None, top=""):
    return CONFIGURATION.format(top=top, path=path, after=after, more=more, pool=pool,
                                listen=address_text(lab.front[version], 8000),
                                servers=servers or f"server {address_text(lab.back[version], 9000)}")


def flows_used(daemon):
    return daemon.status()["kernel_path"]["flows"]["used"]


def is_bare(daemon):
    """No connection has a descriptor any more."""
    return daemon.status()["limits"]["connections"]["used"] == 0


def exchange(s, data):
    s.sendall(data)
    assert receive_exactly(s, len(data)) == data


def settle(s, daemon, flows=1):
    exchange(s, b"settle")
    eventually(lambda: flows_used(daemon) == flows and is_bare(daemon), what="the connection is in the kernel alone")
    assert daemon.status()["kernel_path"]["offload"]["joined"] >= flows


@pytest.fixture
def web(lab, strait):
    """A daemon before an echo server, and a client's connection that is in the kernel."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.connect((lab.front[4], 8000)) as s:
        settle(s, daemon)
        yield daemon, s


def test_the_first_connection_of_all(strait, lab):
    """It comes before the kernel's tables are there, and is moved as soon as they are."""
    small_server(lab.server, "echo", (lab.back[4], 9000))

    def connect():
        while True:
            try:
                return lab.client.connect((lab.front[4], 8000))
            except ConnectionRefusedError:
                pass
    client = thread(connect)
    daemon = strait(lab.proxy, configuration(lab))
    with client.join() as s:
        settle(s, daemon)


def test_no_ports(strait, lab):
    """Without ports of their own connections stay in user space, and status, metrics and an event say so."""
    lab.proxy.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=10000 65535")
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.connect((lab.front[4], 8000)) as s:
        exchange(s, b"hello")
        eventually(lambda: daemon.status()["kernel_path"]["offload"]["no_port"] == 1)
        exchange(s, b"hello")
    assert "ip_local_port_range" in daemon.status()["kernel_path"]["why"]
    daemon.wait_for_event("kernel_path_unavailable")
    assert 'strait_kernel_path_offload_total{result="no_port"} 1' in daemon.get("/metrics").text
    assert daemon.wait_for_flows(1)[0]["path"] == "relay"


@pytest.mark.parametrize("is_adopted", [False, True])
def test_ports_of_flows_are_not_given_away(strait, lab, pins, is_adopted):
    """The system knows nothing of them: a new connection from such a port to the same server would never be answered."""
    lab.proxy.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=10300 65535")
    small_server(lab.server, "echo", (lab.back[4], 9000))
    top = f"kernel-path auto pins={pins}"
    daemon = strait(lab.proxy, configuration(lab, top=top))
    own_ports = range(10240, 10300, 2)  # of both workers
    with contextlib.ExitStack() as connections:
        for i in range(1, 9):
            s = connections.enter_context(lab.client.connect((lab.front[4], 8000)))
            settle(s, daemon, i)
        held = {address_parts(flow["local"])[1] for flow in daemon.get("/v1/flows").json["flows"]}
        assert len(held) == 8 and held <= set(own_ports)
        if is_adopted:
            kill(daemon)
            daemon = strait(lab.proxy, configuration(lab, top=top))
        for _ in range(3 * len(own_ports)):
            with lab.client.connect((lab.front[4], 8000)) as other:
                exchange(other, b"hello")
        records = daemon.wait_for_flows(3 * len(own_ports))
    assert {r["retries"] for r in records} == {0}
    used = {address_parts(r["local"])[1] for r in records}
    assert used & set(own_ports) and not used & held


# bytes

def unfinished(place):
    """Connections of which the place still expects something."""
    states = ("established", "close-wait", "fin-wait-1", "fin-wait-2", "last-ack")
    return place.run("ss", "-Htn", *(word for state in states for word in ("state", state))).stdout


@pytest.mark.slow
@pytest.mark.xdist_group("kernel")
@pytest.mark.parametrize("percent,where,version", [(0, "anywhere", 4), (1, "behind strait", 6), (5, "behind strait", 4),
                                                   (3, "before strait", 4)])
def test_every_byte_arrives(strait, lab, figure, percent, where, version):
    """Random sizes, both ways at once, either side first and last, with loss: nothing fails, and no record is wrong."""
    for place in (lab.client, lab.server):
        if where == "behind strait":
            place.lose(percent)
        elif where == "before strait":
            place.lose_sent(percent)
    count = int(os.environ.get("JOINED_CONNECTIONS", "400"))
    server = lab.server.start(tool("exchange"), "serve", "9000", *(["6"] if version == 6 else []))
    server.wait_for_output("ready")
    daemon = strait(lab.proxy, configuration(lab, version, after="20k|30ms"))
    result = lab.client.run(tool("exchange"), "call", lab.front[version], "8000", count, 20, 300_000, 11 + percent, timeout=1200)
    total, failed, longest_ms, _, _ = map(int, result.stdout.split())
    assert (total, failed) == (count, 0), result.stderr + server.errors
    assert longest_ms < 30_000
    records = daemon.wait_for_flows(count, timeout=30)
    assert len(records) == count
    assert [r for r in records if r["reason"] not in ("client_fin", "server_fin")] == [], server.errors
    eventually(lambda: unfinished(lab.server) == "", 30, what="the server has had all ends")
    assert server.errors == ""
    moved = sum(r["path"] == "offload" for r in records)
    assert moved > count / 10
    assert flows_used(daemon) == 0
    assert keys_left(daemon.pid) == (0, 0)
    service = daemon.service("web")
    assert service["bytes_in"] == sum(r["bytes_in"] for r in records)
    assert service["bytes_out"] == sum(r["bytes_out"] for r in records)
    figure(f"offload: {moved} of {count} connections moved into the kernel with {percent} % loss {where} over IPv{version}; "
           f"longest time without progress {longest_ms} ms")


def send_until(s, is_over):
    """Sends as fast as it can, until it is over; then the end. Returns how much."""
    count = 0
    while not is_over():
        count += s.send(bytes(1 << 18))
    s.shutdown(socket.SHUT_WR)
    return count


def count_to_end(s):
    count = 0
    while data := s.recv(1 << 20):
        count += len(data)
    return count


@pytest.mark.parametrize("direction", ["up", "down"])
def test_streams(strait, lab, direction):
    """A connection that is never without bytes under way is moved all the same, and counts are exact."""
    is_over, results = [], {}

    def run(s, is_sender):
        results["sent" if is_sender else "received"] = send_until(s, lambda: is_over) if is_sender else count_to_end(s)
    Scripted(lab.server, (lab.back[4], 9000), lambda c: (c.settimeout(30), run(c, direction == "down")), timeout=60)
    daemon = strait(lab.proxy, configuration(lab, after="1m"))
    with lab.client.connect((lab.front[4], 8000), timeout=30) as s:
        work = thread(run, s, direction == "up")
        try:
            eventually(lambda: flows_used(daemon) == 1, 40, every=0.1, what="the stream is in the kernel")
            time.sleep(0.5)
        finally:
            is_over.append(True)
        work.join(30)
        if direction == "down":
            s.shutdown(socket.SHUT_WR)
        eventually(lambda: len(results) == 2, 30)
    assert results["sent"] == results["received"] > 0
    record = daemon.wait_for_flows(1)[0]
    assert record["path"] == "offload"
    assert record["bytes_in" if direction == "up" else "bytes_out"] == results["sent"]


# what is told

def test_records_and_counts(web):
    """Exact, while it goes on and at the end; no socket, no descriptor is left."""
    daemon, s = web
    for i in range(100):
        exchange(s, b"x" * (i * 37))
    sent = sum(i * 37 for i in range(100)) + 6
    eventually(lambda: daemon.service("web")["bytes_in"] == daemon.service("web")["bytes_out"] == sent)
    assert daemon.server("web", "10.2.0.2:9000")["flows_active"] == 1
    limits = daemon.status()["limits"]
    assert (limits["connections"]["used"], limits["descriptors"]["used"]) == (0, 0)
    assert "10.2.0.2:9000" not in daemon.place.run("ss", "-tanH").stdout
    flow = daemon.get("/v1/flows").json["flows"][0]
    assert (flow["path"], flow["bytes_in"], flow["bytes_out"]) == ("offload", sent, sent)
    s.shutdown(socket.SHUT_WR)
    assert s.recv(10) == b""
    record = daemon.wait_for_flows(1)[0]
    assert (record["reason"], record["bytes_in"], record["bytes_out"]) == ("client_fin", sent, sent)
    assert record["id"] == flow["id"]
    for key in ("client", "listen", "server", "server_address", "local", "connect_us", "chosen_by"):
        assert record[key] == flow[key], key
    assert daemon.service("web")["flows_active"] == daemon.server("web", "10.2.0.2:9000")["flows_active"] == 0
    assert flows_used(daemon) == 0


def test_idle_connection_is_moved(strait, lab):
    """One that never says anything, too; and it ends when it is idle for as long as it may be."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more="timeout idle=2s"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        eventually(lambda: flows_used(daemon) == 1 and is_bare(daemon))
        record = daemon.wait_for_flows(1)[0]
        assert (record["reason"], record["path"], record["bytes_in"]) == ("idle_timeout", "offload", 0)
        assert flows_used(daemon) == 0
        # Whoever still sends is told by the stack that nobody is there.
        with pytest.raises(OSError):
            for _ in range(50):
                s.send(b"x")
                time.sleep(0.1)


def test_short_connections_stay(strait, lab):
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, after="1s"))
    for _ in range(20):
        with lab.client.connect((lab.front[4], 8000)) as s:
            exchange(s, b"short")
    assert {r["path"] for r in daemon.wait_for_flows(20)} == {"relay"}


@pytest.mark.parametrize("first", ["client", "server"])
def test_half_close(strait, lab, first):
    """A FIN of one side is no end of the other's stream."""
    def serve(connection):
        if first == "client":
            assert connection.recv(100) == b""
            connection.sendall(b"after the end")
        else:
            connection.sendall(b"before the end")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b"after the end"
    server = Scripted(lab.server, (lab.back[4], 9000), serve)
    daemon = strait(lab.proxy, configuration(lab, after="1ms"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        if first == "client":
            eventually(lambda: flows_used(daemon) == 1 and is_bare(daemon))
            s.shutdown(socket.SHUT_WR)
            assert receive_exactly(s, 13) == b"after the end"
        else:
            assert receive_exactly(s, 14) == b"before the end"
            assert s.recv(1) == b""
            time.sleep(0.5)
            s.sendall(b"after the end")
            s.shutdown(socket.SHUT_WR)
        server.results(1)
    record = daemon.wait_for_flows(1)[0]
    assert record["reason"] == f"{first}_fin"
    if first == "client":
        assert record["path"] == "offload"


@pytest.mark.parametrize("side", ["client", "server"])
def test_reset(strait, lab, side):
    """A reset goes through, and is told of."""
    connections = []
    Scripted(lab.server, (lab.back[4], 9000), lambda c: (connections.append(c.dup()), c.settimeout(10), c.recv(1)))
    daemon = strait(lab.proxy, configuration(lab, after="1ms"))
    s = lab.client.connect((lab.front[4], 8000))
    eventually(lambda: flows_used(daemon) == 1 and is_bare(daemon))
    if side == "client":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    else:
        eventually(lambda: connections)[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        lab.server.run("ss", "-K", "-tn", "sport", "9000")
        with pytest.raises(OSError):
            s.settimeout(5)
            if s.recv(1) == b"":
                raise OSError
        s.close()
    assert daemon.wait_for_flows(1)[0]["reason"] == f"{side}_rst"
    assert flows_used(daemon) == 0


# the end by command

def test_close(web):
    daemon, s = web
    flow = daemon.get("/v1/flows").json["flows"][0]
    assert daemon.ask("DELETE", f"/v1/flows/{flow['id']}").status < 300
    assert daemon.wait_for_flows(1)[0]["reason"] == "admin_closed"
    assert flows_used(daemon) == 0


def test_block(web):
    daemon, s = web
    assert daemon.ask("POST", "/v1/blocks", {"network": "10.1.0.2/32", "for": "1m"}).status < 300
    assert daemon.wait_for_flows(1)[0]["reason"] == "blocked"
    assert flows_used(daemon) == 0


@pytest.mark.parametrize("policy", ["keep", "close"])
def test_removed_server(strait, lab, policy):
    """`on-down` says what becomes of connections whose server is removed."""
    servers = name_servers(lab.server, 2, lab.back[4])
    daemon = strait(lab.proxy, configuration(lab, pool=f"check none\non-down {policy}", servers=server_lines(servers)))
    with lab.client.connect((lab.front[4], 8000)) as s:
        s.sendall(b"who?")
        name = s.recv(100)
        eventually(lambda: flows_used(daemon) == 1 and is_bare(daemon))
        flow = daemon.get("/v1/flows").json["flows"][0]
        assert daemon.ask("DELETE", f"/v1/pools/web/servers/{flow['server']}").status < 300
        if policy == "close":
            assert daemon.wait_for_flows(1)[0]["reason"] == "drained"
        else:
            time.sleep(1)
            s.sendall(b"who?")
            assert s.recv(100) == name
            assert not daemon.flows()


def test_limit_of_connections(strait, lab):
    """Connections in the kernel count in the limit of their service."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, more="limit connections=2"))
    first = [lab.client.connect((lab.front[4], 8000)) for _ in range(2)]
    eventually(lambda: flows_used(daemon) == 2 and is_bare(daemon))
    with pytest.raises(OSError), lab.client.connect((lab.front[4], 8000)) as s:
        exchange(s, b"x")
    first.pop().close()
    eventually(lambda: daemon.service("web")["flows_active"] == 1)
    with lab.client.connect((lab.front[4], 8000)) as s:
        exchange(s, b"again")
    first.pop().close()


# reloads, stops, deaths

def test_reload(web, lab):
    """What is in the kernel stays there, whatever path the service has now."""
    daemon, s = web
    daemon.hang_up(configuration(lab, path="relay"))
    time.sleep(0.5)
    assert flows_used(daemon) == 1
    exchange(s, b"still there")
    s.shutdown(socket.SHUT_WR)
    assert s.recv(1) == b""
    assert daemon.wait_for_flows(1)[0]["reason"] == "client_fin"


def test_drain(strait, lab):
    """A stop lets connections in the kernel end by themselves, until its time is over."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, top="timeout drain=20s"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        settle(s, daemon)
        daemon.terminate()
        time.sleep(0.5)
        exchange(s, b"while it drains")
    daemon.wait(10)
    record = daemon.flows()[0]
    assert (record["reason"], record["bytes_in"]) == ("client_fin", 21)


def test_death_of_the_daemon(strait, lab, pins):
    """After kill -9 the connection goes on, and the next daemon accounts for it."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    top = f"kernel-path auto pins={pins}"
    first = strait(lab.proxy, configuration(lab, top=top))
    with lab.client.connect((lab.front[4], 8000)) as s:
        settle(s, first)
        kill(first)
        exchange(s, b"nobody is there")
        second = strait(lab.proxy, configuration(lab, top=top))
        assert second.wait_for_event("flows_adopted")["count"] == 1
        exchange(s, b"somebody is there again")
    record = second.wait_for_flows(1)[0]
    assert (record["reason"], record["path"], record["protocol"]) == ("client_fin", "offload", "tcp")
    assert record["bytes_in"] == record["bytes_out"] >= 38
    assert flows_used(second) == 0


def test_death_with_many(strait, lab, pins):
    """A daemon that dies while connections are being moved: those that were in the kernel alone go on."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    top = f"kernel-path auto pins={pins}"
    first = strait(lab.proxy, configuration(lab, top=top))
    clients = [lab.client.connect((lab.front[4], 8000)) for _ in range(200)]
    for s in clients:
        exchange(s, b"x" * 100)
    eventually(lambda: flows_used(first) == 200 and is_bare(first))
    kill(first)
    second = strait(lab.proxy, configuration(lab, top=top))
    for s in clients:
        exchange(s, b"y" * 100)
    eventually(lambda: second.service("web")["flows_active"] == 200)
    for s in clients:
        s.close()
    assert len(second.wait_for_flows(200)) == 200
    eventually(lambda: flows_used(second) == 0)


# obstacles

@pytest.mark.parametrize("what", ["timestamps", "segments"])
def test_connections_that_differ_stay(strait, lab, what):
    """Where server and client have agreed on other things the connection stays in user space, and works."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    if what == "timestamps":
        lab.server.run("sysctl", "-qw", "net.ipv4.tcp_timestamps=0")
    else:
        lab.proxy.ip("link", "set", "wire2", "mtu", 1300)
        lab.server.ip("link", "set", "wire", "mtu", 1300)
    daemon = strait(lab.proxy, configuration(lab))
    with lab.client.connect((lab.front[4], 8000)) as s:
        for _ in range(20):
            exchange(s, b"x" * 20_000)
            time.sleep(0.02)
    assert flows_used(daemon) == 0
    assert daemon.wait_for_flows(1)[0]["path"] == "relay"


def is_own(address):
    """A port that is strait's own: outside of ip_local_port_range."""
    port = int(address.split(":")[1])
    return 10240 <= port < 32768 or port > 60999


def test_ports(strait, lab):
    """Connections that may be moved come from ports that the system gives to nobody, also from a configured address."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, pool="check none\nsource 10.2.0.1"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        settle(s, daemon)
    local = daemon.wait_for_flows(1)[0]["local"]
    assert re.fullmatch(r"10\.2\.0\.1:\d+", local)
    assert is_own(local)
    # Where nothing is moved any more they are left alone.
    daemon.hang_up(configuration(lab, pool="check none\nsource 10.2.0.1", top="kernel-path off"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        exchange(s, b"hello")
    assert not is_own(daemon.wait_for_flows(2)[1]["local"])


def test_proxy_header(strait, lab):
    """A PROXY header only moves the numbers."""
    seen = []

    def serve(connection):
        seen.append(receive_exactly(connection, 28))
        exchange_back(connection, 5)

    def exchange_back(connection, count):
        for _ in range(count):
            connection.sendall(receive_exactly(connection, 100))
    Scripted(lab.server, (lab.back[4], 9000), serve)
    daemon = strait(lab.proxy, configuration(lab, pool="check none\nsend-proxy v2"))
    with lab.client.connect((lab.front[4], 8000)) as s:
        for i in range(5):
            exchange(s, b"%d" % i * 100)
            time.sleep(0.2)
    assert seen[0].startswith(b"\r\n\r\n\0\r\nQUIT\n")
    record = daemon.wait_for_flows(1)[0]
    assert (record["path"], record["bytes_in"], record["bytes_out"]) == ("offload", 500, 500)


def test_table_full(strait, lab):
    """Connections that find no place stay in user space; all work."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, top="kernel-path auto flows=64"))
    clients = [lab.client.connect((lab.front[4], 8000)) for _ in range(100)]
    for _ in range(3):
        for s in clients:
            exchange(s, b"hello")
    eventually(lambda: flows_used(daemon) == 64)
    assert daemon.service("web")["flows_active"] == 100
    for s in clients:
        exchange(s, b"bye")
        s.close()
    eventually(lambda: flows_used(daemon) == 0 and daemon.service("web")["flows_active"] == 0)
