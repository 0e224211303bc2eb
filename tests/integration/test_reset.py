# SPDX-License-Identifier: Apache-2.0
"""RST stays RST and FIN stays FIN: an end is not made to look better, or worse, than it was."""

import socket

import pytest

import process

from lab import address_text
from servers import Scripted
from traffic import ending, exchange, receive_all, receive_exactly, reset
from waiting import eventually

CONFIGURATION = """
service end {{
    listen {listen}
    to end
}}
pool end {{
    server {server}
}}
"""


def start(strait, lab, script, version=4):
    server = Scripted(lab.server, (lab.back[version], 9000), script)
    listen = (lab.front[version], 8000)
    daemon = strait(lab.proxy, CONFIGURATION.format(listen=address_text(*listen), server=address_text(*server.address)))
    return daemon, server, listen


def echo_once_then_ending(connection):
    connection.sendall(receive_exactly(connection, 5))
    return ending(connection)


@pytest.mark.parametrize("version", [4, 6])
def test_client_reset_resets_the_server_side(strait, lab, version):
    """A client that resets: the server sees a reset."""
    daemon, server, listen = start(strait, lab, echo_once_then_ending, version)
    reset(exchange(lab.client.connect(listen)))
    assert server.results() == ["reset"]
    assert daemon.wait_for_flows(1)[0]["reason"] == "client_rst"


@pytest.mark.parametrize("version", [4, 6])
def test_server_reset_resets_the_client_side(strait, lab, version):
    """A server that resets: the client sees a reset."""
    def script(connection):
        connection.sendall(receive_exactly(connection, 5))
        connection.recv(1)
        reset(connection)
    daemon, server, listen = start(strait, lab, script, version)
    with exchange(lab.client.connect(listen)) as s:
        s.sendall(b"!")
        assert ending(s) == "reset"
    server.results()
    assert daemon.wait_for_flows(1)[0]["reason"] == "server_rst"


def test_client_fin_is_no_reset(strait, loopback):
    """A client that closes in order: the server sees FIN, every time."""
    daemon, server, listen = start(strait, loopback, echo_once_then_ending)
    for _ in range(50):
        exchange(loopback.client.connect(listen)).close()
    assert server.results(50) == ["fin"] * 50
    flows = daemon.wait_for_flows(50)
    assert {f["reason"] for f in flows} == {"client_fin"}


def test_server_fin_is_no_reset(strait, loopback):
    """A server that closes in order: the client sees FIN, every time."""
    daemon, server, listen = start(strait, loopback, lambda c: c.sendall(receive_exactly(c, 5)))
    for _ in range(50):
        with exchange(loopback.client.connect(listen)) as s:
            assert ending(s) == "fin"
    server.results(50)
    flows = daemon.wait_for_flows(50)
    assert {f["reason"] for f in flows} == {"server_fin"}


def test_reset_after_half_close(strait, loopback):
    """A server that gets the client's FIN and then resets: the client sees the reset."""
    def script(connection):
        assert receive_all(connection) == b"hello"
        reset(connection)
    daemon, server, listen = start(strait, loopback, script)
    with loopback.client.connect(listen) as s:
        s.sendall(b"hello")
        s.shutdown(socket.SHUT_WR)
        assert ending(s) == "reset"
    server.results()
    assert daemon.wait_for_flows(1)[0]["reason"] == "server_rst"


def test_client_reset_after_server_fin(strait, loopback):
    """A client that gets the server's FIN and then resets: the server sees the reset."""
    def script(connection):
        connection.shutdown(socket.SHUT_WR)
        return ending(connection)
    daemon, server, listen = start(strait, loopback, script)
    s = loopback.client.connect(listen)
    assert receive_all(s) == b""
    reset(s)
    assert server.results() == ["reset"]
    assert daemon.wait_for_flows(1)[0]["reason"] == "client_rst"


def test_server_reset_during_upload(strait, loopback):
    """A server that resets in the middle of an upload: the client's sending fails soon, it does not hang."""
    def script(connection):
        receive_exactly(connection, 100_000)
        reset(connection)
    daemon, server, listen = start(strait, loopback, script)
    with loopback.client.connect(listen, timeout=10) as s:
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                s.sendall(bytes(65536))
    server.results()
    assert daemon.wait_for_flows(1)[0]["reason"] == "server_rst"


def test_client_reset_while_download_is_stuck(strait, loopback):
    """A client that stopped reading and resets ends the server's side, though data was waiting."""
    def script(connection):
        try:
            while True:
                connection.sendall(bytes(65536))
        except (ConnectionResetError, BrokenPipeError):
            return "reset"
    daemon, server, listen = start(strait, loopback, script)
    s = loopback.client.connect(listen)
    receive_exactly(s, 65536)
    eventually(lambda: is_stuck(daemon), 15, every=0.3, what="the download stops moving")
    reset(s)
    assert server.results() == ["reset"]
    assert daemon.wait_for_flows(1)[0]["reason"] == "client_rst"


def is_stuck(daemon):
    """True if strait uses no processor time: everything waits for the client."""
    return process.cpu_share(daemon.pid, 0.3) < 0.05


def test_reset_before_anything(strait, loopback):
    """A client that connects and resets at once leaves no connection behind."""
    daemon, _, listen = start(strait, loopback, ending)
    for _ in range(20):
        reset(loopback.client.connect(listen))
    daemon.wait_for_active("end", 0)
