# SPDX-License-Identifier: Apache-2.0
"""Services that send to listeners of the same daemon: chains work, circles are refused; so are forged sources that
would make two machines answer each other for ever."""

import socket
import struct
import time

import pytest

import process
from lab import address_text
from servers import name_servers, small_server
from traffic import ask, ending, is_refused, who

FRONT = ("127.0.0.1", 8000)


def service(name, port, server_port):
    """A service on one port, TCP and UDP, that sends to another port."""
    return (f"service {name} {{\n listen 127.0.0.1:{port}\n listen udp 127.0.0.1:{port}\n to {name}\n}}\n"
            f"pool {name} {{\n server 127.0.0.1:{server_port}\n}}\n")


def test_chain(strait, loopback):
    """A service may send to a listener of another service: the flow passes both, and both have a record."""
    name_servers(loopback.server, 1, "127.0.0.1")
    text = service("one", 8000, 8001) + service("two", 8001, 8002) + service("three", 8002, 9001)
    daemon = strait(loopback.proxy, text.replace("to ", "session idle=1s new=1s\n to "))
    assert who(loopback.client, FRONT) == "a"
    with loopback.client.udp(FRONT) as s:
        assert ask(s)[0] == "a"
        daemon.wait_for_flows(3, protocol="tcp", reason="client_fin")
        daemon.wait_for_flows(3, protocol="udp", reason="idle_timeout")


def test_chain_of_one_port(strait, loopback):
    """
    A client is not taken for one of strait's own flows because it happens to have the same port: the kernel gives a port to
    many connections.
    """
    name_servers(loopback.server, 1, "127.0.0.1")
    strait(loopback.proxy, service("one", 8000, 8001) + service("two", 8001, 9001))
    with loopback.client.connect(FRONT) as s:
        ask(s)
        ports = connected_ports(loopback, 8001)
        for port in ports:
            with from_port(loopback, port) as other:
                other.connect(FRONT)
                assert ask(other)[0] == "a"
        assert ports


def connected_ports(lab, port):
    """The ports from which connections go to a port, at 127.0.0.1."""
    lines = lab.proxy.run("ss", "-Htn", "dst", f"127.0.0.1:{port}").stdout.splitlines()
    return [int(line.split()[3].rpartition(":")[2]) for line in lines]


def from_port(lab, port):
    """A socket that will have this port as if the kernel had given it, so that it may be another connection's as well."""
    IP_BIND_ADDRESS_NO_PORT, IP_LOCAL_PORT_RANGE = 24, 51
    s = lab.client.socket()
    s.settimeout(5)
    s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    s.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("I", port | port << 16))
    s.bind(("127.0.0.1", 0))
    return s


@pytest.mark.parametrize("version", [4, 6])
def test_chain_with_source_client(strait, lab, version):
    """
    A listener of strait itself is reached from strait's own address also where clients keep theirs, because answers to the
    client would not come back; the last of the chain shows the server whom it sees. Circles are refused.
    """
    lab.route_clients_back()
    small_server(lab.server, "peer", (lab.back[version], 9000))
    front = address_text(lab.front[version], 8000)
    middle = address_text(lab.local[version], 8001)
    back = address_text(lab.back[version], 9000)
    def text(last):
        return "".join(f"service {name} {{\n listen {listen}\n listen udp {listen}\n to {name}\n}}\n"
                       f"pool {name} {{\n source client\n server {server}\n}}\n"
                       for name, listen, server in (("one", front, middle), ("two", middle, last)))
    daemon = strait(lab.proxy, text(back))
    for kind in ("tcp", "udp"):
        s = lab.client.connect((lab.front[version], 8000)) if kind == "tcp" else lab.client.udp((lab.front[version], 8000))
        with s:
            assert ask(s)[0] == lab.local[version]
    assert daemon.hang_up(text(front))["event"] == "reloaded"
    assert is_refused(lab.client, (lab.front[version], 8000))
    with lab.client.udp((lab.front[version], 8000)) as s:
        s.send(b"round and round")
        daemon.wait_for_flows(1, protocol="udp", reason="denied_access")
    assert daemon.wait_for_flows(1, protocol="tcp", reason="denied_access")


def test_circle_of_proxy_headers(strait, loopback):
    """A connection that comes back with a PROXY header which names its first client is refused all the same."""
    text = "".join(service(name, port, to).replace(f"listen udp 127.0.0.1:{port}", "accept-proxy 127.0.0.0/8")
                   .replace("server", "send-proxy v2\n server") for name, port, to in
                   (("one", 8000, 8001), ("two", 8001, 8000)))
    daemon = strait(loopback.proxy, text)
    with loopback.client.connect(FRONT) as s:
        s.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n")
        assert ending(s) == "reset"
    assert daemon.wait_for_flows(1, reason="denied_access")
    assert daemon.service("one")["flows_total"] <= 10


CIRCLES = {"itself": service("one", 8000, 8000), "pair": service("one", 8000, 8001) + service("two", 8001, 8000)}


@pytest.mark.parametrize("circle", CIRCLES)
def test_circle_of_connections(strait, loopback, circle):
    """A connection that would come back to its own service is refused, and takes no others' place."""
    daemon = strait(loopback.proxy, CIRCLES[circle])
    assert is_refused(loopback.client, FRONT)
    time.sleep(0.5)
    assert daemon.status()["limits"]["connections"]["used"] <= 10
    assert daemon.service("one")["flows_total"] <= 10
    assert process.cpu_share(daemon.pid, 1) < 0.2


@pytest.mark.parametrize("circle", CIRCLES)
def test_circle_of_datagrams(strait, loopback, circle):
    """A datagram that would come back to its own service is refused: one does not become thousands of sessions."""
    daemon = strait(loopback.proxy, CIRCLES[circle])
    with loopback.client.udp(FRONT) as s:
        s.send(b"round and round")
        time.sleep(1)
    assert daemon.status()["limits"]["sessions"]["used"] <= 10
    assert process.cpu_share(daemon.pid, 1) < 0.2


def test_many_circles_leave_others_alone(strait, loopback):
    """While clients run into a circle, those of another service are served."""
    name_servers(loopback.server, 1, "127.0.0.1")
    strait(loopback.proxy, CIRCLES["itself"] + service("good", 8100, 9001))
    for _ in range(5):
        assert is_refused(loopback.client, FRONT, timeout=2)
        assert who(loopback.client, ("127.0.0.1", 8100)) == "a"


def forge_datagram(place, source, destination, payload):
    """Sends one UDP datagram with any IPv4 source."""
    udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0,
                     socket.inet_aton(source[0]), socket.inet_aton(destination[0]))
    with place.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(ip + udp, (destination[0], 0))


@pytest.mark.parametrize("listen", ["127.0.0.1:8000", "*:8000"])
@pytest.mark.parametrize("source", [FRONT, ("127.0.0.1", 8001), ("127.0.0.1", 7), ("127.0.0.1", 19)])
def test_forged_source(strait, loopback, listen, source):
    """A datagram from one of strait's own listeners, or from an echo service, begins no session."""
    name_servers(loopback.server, 1, "127.0.0.1")
    text = (f"service one {{\n listen udp {listen}\n to one\n}}\nservice two {{\n listen udp 127.0.0.1:8001\n to one\n}}\n"
            "pool one {\n server 127.0.0.1:9001\n}\n")
    daemon = strait(loopback.proxy, text)
    forge_datagram(loopback.client, source, FRONT, b"for ever")
    assert daemon.wait_for_flows(1)[0]["reason"] == "denied_access"
    assert daemon.service("one")["flows_total"] == 0
    with loopback.client.udp(FRONT) as s:
        assert ask(s)[0] == "a"
