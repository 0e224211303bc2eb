# SPDX-License-Identifier: Apache-2.0
"""Connecting to servers: another one is tried when one fails, each try has a limit, and the record tells all."""

import time

import pytest

from lab import address_text
from servers import name_servers, server_lines, small_server
from traffic import is_refused, who

CONFIGURATION = """
service web {{
    listen {listen}
    timeout connect={connect}
    {retries}
    to web
}}
pool web {{
    balance {balance}
    {servers}
}}
"""


def configuration(servers, listen="127.0.0.1:8000", connect="3s", retries="", balance="first"):
    return CONFIGURATION.format(servers=servers, listen=listen, connect=connect, retries=retries, balance=balance)


def test_dead_first_server(strait, loopback):
    """A client is served by the second server when the first refuses; the record names both."""
    name_servers(loopback.server, 1, "127.0.0.1", 9002)
    servers = "server 127.0.0.1:9001 name=dead\nserver 127.0.0.1:9002 name=alive"
    daemon = strait(loopback.proxy, configuration(servers))
    assert who(loopback.client, ("127.0.0.1", 8000)) == "a"
    record = daemon.wait_for_flows(1)[0]
    assert (record["retries"], record["tried"]) == (1, ["dead"])
    assert (record["server"], record["server_address"]) == ("alive", "127.0.0.1:9002")
    assert record["reason"] == "client_fin"


def test_two_dead_servers(strait, loopback):
    """By default two further servers are tried."""
    name_servers(loopback.server, 1, "127.0.0.1", 9003)
    servers = "\n".join(f"server 127.0.0.1:{9001 + i} name=s{i}" for i in range(3))
    daemon = strait(loopback.proxy, configuration(servers))
    assert who(loopback.client, ("127.0.0.1", 8000)) == "a"
    record = daemon.wait_for_flows(1)[0]
    assert (record["retries"], record["tried"], record["server"]) == (2, ["s0", "s1"], "s2")


def test_retries_are_bounded(strait, loopback):
    """`retries 1` tries two servers, not the third; the record names the last and those before."""
    name_servers(loopback.server, 1, "127.0.0.1", 9003)
    servers = "\n".join(f"server 127.0.0.1:{9001 + i} name=s{i}" for i in range(3))
    daemon = strait(loopback.proxy, configuration(servers, retries="retries 1"))
    assert is_refused(loopback.client, ("127.0.0.1", 8000))
    record = daemon.wait_for_flows(1)[0]
    assert record["reason"] == "connect_refused"
    assert (record["server"], record["tried"], record["retries"]) == ("s1", ["s0"], 1)


def test_no_retries(strait, loopback):
    """`retries 0` tries one server only."""
    name_servers(loopback.server, 1, "127.0.0.1", 9002)
    servers = "server 127.0.0.1:9001 name=dead\nserver 127.0.0.1:9002 name=alive"
    daemon = strait(loopback.proxy, configuration(servers, retries="retries 0"))
    assert is_refused(loopback.client, ("127.0.0.1", 8000))
    record = daemon.wait_for_flows(1)[0]
    assert (record["reason"], record["server"], record["tried"]) == ("connect_refused", "dead", [])


def test_all_refuse(strait, loopback):
    """When every server refuses, the client is refused at once: no loop over dead servers."""
    servers = "\n".join(f"server 127.0.0.1:{9001 + i} name=s{i}" for i in range(3))
    daemon = strait(loopback.proxy, configuration(servers, balance="round-robin", retries="retries 10"))
    begun = time.monotonic()
    assert is_refused(loopback.client, ("127.0.0.1", 8000))
    assert time.monotonic() - begun < 3
    record = daemon.wait_for_flows(1)[0]
    assert record["reason"] == "connect_refused"
    assert record["retries"] <= 10


@pytest.mark.parametrize("version", [4, 6])
def test_connect_timeout_moves_on(strait, lab, version):
    """A server that swallows everything costs `timeout connect=`, then the next one serves."""
    servers = name_servers(lab.server, 2, lab.back[version])
    lab.server.drop_port(9001)
    listen = (lab.front[version], 8000)
    daemon = strait(lab.proxy, configuration(server_lines(servers), address_text(*listen), connect="700ms"))
    begun = time.monotonic()
    assert who(lab.client, listen) == "b"
    assert 0.6 < time.monotonic() - begun < 6
    record = daemon.wait_for_flows(1)[0]
    assert (record["server"], record["tried"], record["retries"]) == ("b", ["a"], 1)


def test_connect_timeout_of_all(strait, lab):
    """When no server answers, the client is let go after the time-outs; the reason is connect_timeout."""
    servers = name_servers(lab.server, 2, lab.back[4])
    lab.server.drop_port(9001)
    lab.server.drop_port(9002)
    listen = (lab.front[4], 8000)
    daemon = strait(lab.proxy, configuration(server_lines(servers), address_text(*listen), connect="500ms"))
    begun = time.monotonic()
    assert is_refused(lab.client, listen, timeout=15)
    assert 0.4 < time.monotonic() - begun < 10
    record = daemon.wait_for_flows(1)[0]
    assert record["reason"] == "connect_timeout"
    assert "a" in record["tried"] + [record["server"]]


def test_unreachable_server(strait, lab):
    """A server to which no route leads is a failed connect like others: the next one serves."""
    servers = name_servers(lab.server, 1, lab.back[4])
    listen = (lab.front[4], 8000)
    lines = "server 192.0.2.1:9000 name=nowhere\n" + server_lines(servers)
    daemon = strait(lab.proxy, configuration(lines, address_text(*listen)))
    assert who(lab.client, listen) == "a"
    assert daemon.wait_for_flows(1)[0]["tried"] == ["nowhere"]


def test_what_the_client_sent_early_reaches_the_second_server(strait, lab):
    """Bytes that came while the first server was being tried are not lost."""
    server = small_server(lab.server, "echo", (lab.back[4], 9002))
    lab.server.drop_port(9001)
    listen = (lab.front[4], 8000)
    lines = f"server {lab.back[4]}:9001\nserver {address_text(*server.address)}"
    strait(lab.proxy, configuration(lines, address_text(*listen), connect="500ms"))
    with lab.client.connect(listen, timeout=15) as s:
        data = bytes(range(256)) * 200
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            got += s.recv(65536)
    assert got == data
