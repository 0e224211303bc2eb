# SPDX-License-Identifier: Apache-2.0
"""Half-close: one side may finish while the other goes on, for as long as it likes."""

import hashlib
import socket
import threading
import time

import pytest

from lab import address_text
from servers import Scripted
from traffic import ending, receive_all, receive_exactly, receive_stream, send_stream

CONFIGURATION = """
service half {{
    listen {listen}
    timeout idle=60s half-closed={half_closed}
    to half
}}
pool half {{
    server {server}
}}
"""
MEBIBYTE = 1 << 20


def start(strait, lab, script, half_closed="60s", version=4):
    server = Scripted(lab.server, (lab.back[version], 9000), script)
    listen = (lab.front[version], 8000)
    daemon = strait(lab.proxy, CONFIGURATION.format(listen=address_text(*listen), half_closed=half_closed,
                                                    server=address_text(*server.address)))
    return daemon, server, listen


@pytest.mark.parametrize("version", [4, 6])
def test_client_finishes_first(strait, lab, version):
    """A client that has sent its request and FIN gets an answer that takes long after the FIN."""
    def script(connection):
        request = receive_all(connection)
        time.sleep(1.5)
        connection.sendall(request * 1000)
        return request
    daemon, server, listen = start(strait, lab, script, version=version)
    with lab.client.connect(listen) as s:
        s.sendall(b"request")
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == b"request" * 1000
    assert server.results() == [b"request"]
    assert daemon.wait_for_flows(1)[0]["reason"] == "client_fin"


@pytest.mark.parametrize("version", [4, 6])
def test_server_finishes_first(strait, lab, version):
    """A server that has finished still gets what the client sends long after."""
    def script(connection):
        connection.sendall(b"that was all")
        connection.shutdown(socket.SHUT_WR)
        return receive_all(connection)
    daemon, server, listen = start(strait, lab, script, version=version)
    with lab.client.connect(listen) as s:
        assert receive_all(s) == b"that was all"
        for part in (b"but ", b"not ", b"for me"):
            time.sleep(0.6)
            s.sendall(part)
    assert server.results() == [b"but not for me"]
    assert daemon.wait_for_flows(1)[0]["reason"] == "server_fin"


def test_client_finishes_with_data_queued(strait, loopback):
    """FIN comes after the data: a server that begins to read late gets every byte sent before the FIN."""
    count = 32 * MEBIBYTE

    def script(connection):
        time.sleep(1)
        result = receive_stream(connection)
        connection.sendall(b"thanks")
        return result
    daemon, server, listen = start(strait, loopback, script)
    with loopback.client.connect(listen, timeout=30) as s:
        digest = send_stream(s, count, 3)
        assert receive_all(s) == b"thanks"
    assert server.results() == [(count, digest)]
    assert daemon.wait_for_flows(1)[0]["bytes_in"] == count


def test_server_finishes_with_data_queued(strait, loopback):
    """The same for a server that sends much and closes while the client is not reading yet."""
    count = 32 * MEBIBYTE
    daemon, server, listen = start(strait, loopback, lambda connection: send_stream(connection, count, 4))
    with loopback.client.connect(listen, timeout=30) as s:
        time.sleep(1)
        assert receive_stream(s) == (count, server.results()[0])
    assert daemon.wait_for_flows(1)[0]["bytes_out"] == count


def test_small_data_and_fin_together(strait, loopback):
    """A few bytes and FIN sent in one go arrive as bytes and FIN, every time."""
    daemon, server, listen = start(strait, loopback, receive_all)
    for i in range(100):
        with loopback.client.connect(listen) as s:
            s.sendall(f"message {i}".encode())
            s.shutdown(socket.SHUT_WR)
            assert receive_all(s) == b""
    assert sorted(server.results(100)) == sorted(f"message {i}".encode() for i in range(100))


def test_fin_without_data(strait, loopback):
    """A client that connects and finishes without a byte: the server sees just that."""
    daemon, server, listen = start(strait, loopback, receive_all)
    with loopback.client.connect(listen) as s:
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == b""
    assert server.results() == [b""]
    record = daemon.wait_for_flows(1)[0]
    assert (record["bytes_in"], record["bytes_out"], record["reason"]) == (0, 0, "client_fin")


def test_answer_streams_after_client_fin(strait, loopback):
    """After the client's FIN the server can send as much as it likes to a reader that takes breaks."""
    count = 24 * MEBIBYTE

    def script(connection):
        receive_all(connection)
        return send_stream(connection, count, 5)
    daemon, server, listen = start(strait, loopback, script)
    with loopback.client.connect(listen, timeout=30) as s:
        s.shutdown(socket.SHUT_WR)
        digest = hashlib.sha256()
        for i, part in enumerate(receive_parts(s, count)):
            digest.update(part)
            if i in (3, 12):
                time.sleep(0.4)
        assert s.recv(1) == b""
    assert server.results() == [digest.hexdigest()]


def receive_parts(s, count):
    while count:
        part = receive_exactly(s, min(count, MEBIBYTE))
        count -= len(part)
        yield part


def test_half_closed_deadline_after_client_fin(strait, loopback):
    """A server that neither sends nor finishes after the client's FIN is given up after `timeout half-closed=`."""
    is_given_up = threading.Event()

    def hold(connection):
        receive_all(connection)
        is_given_up.wait(15)
        return is_gone(connection)
    daemon, server, listen = start(strait, loopback, hold, half_closed="1s")
    with loopback.client.connect(listen, timeout=15) as s:
        s.shutdown(socket.SHUT_WR)
        wait_until_given_up(daemon)
        is_given_up.set()
        ending(s)
    assert server.results() == [True]


def test_half_closed_deadline_after_server_fin(strait, loopback):
    """A client that neither sends nor finishes after the server's FIN is given up, too."""
    def finish(connection):
        connection.shutdown(socket.SHUT_WR)
        return ending(connection)
    daemon, server, listen = start(strait, loopback, finish, half_closed="1s")
    with loopback.client.connect(listen, timeout=15) as s:
        assert receive_all(s) == b""
        wait_until_given_up(daemon)
        server.results()
        assert is_gone(s)


def wait_until_given_up(daemon):
    record = daemon.wait_for_flows(1, timeout=10)[0]
    assert record["reason"] == "idle_timeout"
    assert 700 <= record["duration_ms"] < 6000


def is_gone(s):
    """True if the other side takes no more data: one of a few bytes is answered with a reset."""
    try:
        for _ in range(20):
            s.sendall(b"x")
            time.sleep(0.05)
        return False
    except OSError:
        return True
