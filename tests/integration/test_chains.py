# SPDX-License-Identifier: Apache-2.0
"""Services that send to listeners of the same daemon: chains work, circles are refused."""

import time

import pytest

import process
from servers import name_servers
from traffic import ask, is_refused, who

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
