# SPDX-License-Identifier: Apache-2.0
"""Unix sockets, as listeners and as servers, in every combination with TCP."""

import os
import socket
import stat

import pytest

from lab import address_text
from servers import Scripted, small_server
from traffic import both_ways, exchange, is_refused, receive_all, reset, ending, is_served

CONFIGURATION = """
service local {{
    listen {listen}
    {more}
    to local
}}
pool local {{
    {pool}
    server {server} name=a
}}
"""


def written(address):
    """As the configuration has it."""
    return address_text(*address) if isinstance(address, tuple) else f"unix:{address}"


def addresses(lab, front, back):
    listen = lab.directory / "front.sock" if front == "unix" else (lab.front[4], 8000)
    server = lab.directory / "back.sock" if back == "unix" else (lab.back[4], 9000)
    return listen, server


def start(strait, lab, listen, server, more="", pool=""):
    return strait(lab.proxy, configuration(listen, server, more, pool))


def configuration(listen, server, more="", pool=""):
    return CONFIGURATION.format(listen=written(listen), server=written(server), more=more, pool=pool)


COMBINATIONS = [("unix", "unix"), ("unix", "tcp"), ("tcp", "unix")]


@pytest.mark.parametrize("front,back", COMBINATIONS)
def test_echo(strait, loopback, front, back):
    """Clients are served, one after another, and counted."""
    listen, server = addresses(loopback, front, back)
    small_server(loopback.server, "echo", server)
    daemon = start(strait, loopback, listen, server)
    for _ in range(20):
        exchange(loopback.client.connect(listen), b"data" * 1000).close()
    record = daemon.wait_for_flows(20)[0]
    assert record["client"].startswith("unix:" if front == "unix" else "127.0.0.1:")
    assert (record["protocol"], record["bytes_in"], record["bytes_out"]) == ("tcp", 4000, 4000)


@pytest.mark.parametrize("front,back", COMBINATIONS)
def test_record_names_the_sockets(strait, loopback, front, back):
    """In the record the listener and the server are named as in the configuration, with the socket's path."""
    listen, server = addresses(loopback, front, back)
    small_server(loopback.server, "echo", server)
    daemon = start(strait, loopback, listen, server)
    exchange(loopback.client.connect(listen)).close()
    record = daemon.wait_for_flows(1)[0]
    assert (record["listen"], record["server_address"]) == (written(listen), written(server))


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("front,back", COMBINATIONS)
def test_streams(strait, loopback, front, back):
    """16 MiB both ways at once arrive unchanged, with FIN at their ends."""
    listen, server = addresses(loopback, front, back)
    listener = loopback.server.listen(server)
    start(strait, loopback, listen, server)
    with loopback.client.connect(listen) as client, listener.accept()[0] as accepted:
        both_ways(client, accepted, 16 << 20)


@pytest.mark.parametrize("front,back", COMBINATIONS)
def test_half_close(strait, loopback, front, back):
    """A client's FIN is passed on, and the answer still comes."""
    listen, address = addresses(loopback, front, back)
    server = Scripted(loopback.server, address, lambda c: c.sendall(receive_all(c) + b" done"))
    start(strait, loopback, listen, address)
    with loopback.client.connect(listen) as s:
        s.sendall(b"request")
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == b"request done"
    server.results()


def test_missing_server_socket(strait, loopback):
    """A server socket that does not exist, or that nobody listens on, is a refused connect."""
    listen, server = addresses(loopback, "tcp", "unix")
    daemon = start(strait, loopback, listen, server)
    assert is_refused(loopback.client, listen)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(server))
        assert is_refused(loopback.client, listen)
    reasons = {f["reason"] for f in daemon.wait_for_flows(2)}
    assert reasons <= {"connect_refused", "connect_failed"}


def test_server_socket_made_later(strait, loopback):
    """A server that makes its socket after strait's start is found, also by the check."""
    listen, server = addresses(loopback, "tcp", "unix")
    text = configuration(listen, server, pool="check tcp every=200ms timeout=300ms rise=1 fall=1")
    daemon = strait(loopback.proxy, text, is_ready="/livez")
    daemon.wait_for_state("local", "a", "down")
    small_server(loopback.server, "echo", server)
    daemon.wait_for_state("local", "a", "up")
    exchange(loopback.client.connect(listen)).close()


def test_stale_socket_file(strait, loopback):
    """A socket file that a killed process left behind does not keep strait from listening."""
    listen, server = addresses(loopback, "unix", "unix")
    small_server(loopback.server, "echo", server)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(listen))
    assert stat.S_ISSOCK(os.stat(listen).st_mode)
    start(strait, loopback, listen, server)
    exchange(loopback.client.connect(listen)).close()


def test_other_files_are_not_removed(strait, loopback):
    """A regular file where the socket should be is an error at start, and the file stays."""
    listen, server = addresses(loopback, "unix", "unix")
    listen.write_text("precious")
    daemon = strait(loopback.proxy, configuration(listen, server), wait=False)
    assert daemon.wait() == 1
    assert listen.read_text() == "precious"
    assert "front.sock" in daemon.program.errors


def test_deny_unix(strait, loopback):
    """`deny unix:` refuses clients of unix sockets, and no others; rules for networks do not concern them."""
    listen, server = addresses(loopback, "unix", "unix")
    small_server(loopback.server, "echo", server)
    more = "listen 127.0.0.1:8000\ndeny unix:"
    daemon = start(strait, loopback, listen, server, more)
    assert is_refused(loopback.client, listen)
    assert is_served(loopback.client, ("127.0.0.1", 8000))
    assert daemon.wait_for_flows(1, reason="denied_access")[0]["client"].startswith("unix:")


def test_networks_do_not_concern_unix(strait, loopback):
    """A rule for all networks leaves unix sockets alone."""
    listen, server = addresses(loopback, "unix", "unix")
    small_server(loopback.server, "echo", server)
    start(strait, loopback, listen, server, "listen 127.0.0.1:8000\ndeny 0.0.0.0/0 ::/0")
    assert is_served(loopback.client, listen)
    assert is_refused(loopback.client, ("127.0.0.1", 8000))


def test_server_side_reset_ends_the_unix_client(strait, loopback):
    """Unix sockets know no RST; an end of the server side still ends the client's side at once."""
    listen, server = addresses(loopback, "unix", "tcp")

    def script(connection):
        connection.recv(5)
        reset(connection)
    Scripted(loopback.server, server, script)
    start(strait, loopback, listen, server)
    with loopback.client.connect(listen) as s:
        s.sendall(b"hello")
        assert ending(s) in ("fin", "reset")
