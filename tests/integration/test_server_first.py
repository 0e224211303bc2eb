# SPDX-License-Identifier: Apache-2.0
"""Protocols in which the server speaks first (SMTP, FTP, databases, SSH): strait does not wait for the client."""

import socket
import time

import pytest

from lab import address_text
from servers import Scripted
from traffic import receive_all, receive_exactly, receive_line

CONFIGURATION = """
service mail {{
    listen {listen}
    to mail
}}
pool mail {{
    server {server}
}}
"""


def start(strait, lab, script, version=4):
    server = Scripted(lab.server, (lab.back[version], 9025), script)
    listen = (lab.front[version], 8025)
    strait(lab.proxy, CONFIGURATION.format(listen=address_text(*listen), server=address_text(*server.address)))
    return server, listen


@pytest.mark.parametrize("version", [4, 6])
def test_greeting_comes_at_once(strait, lab, version):
    """The client gets the server's greeting without having sent a byte."""
    def script(connection):
        connection.sendall(b"220 ready\r\n")
        return receive_all(connection)
    server, listen = start(strait, lab, script, version)
    begun = time.monotonic()
    with lab.client.connect(listen) as s:
        assert receive_exactly(s, 11) == b"220 ready\r\n"
        assert time.monotonic() - begun < 3
        s.sendall(b"QUIT\r\n")
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == b""
    assert server.results() == [b"QUIT\r\n"]


def test_greeting_and_end_at_once(strait, loopback):
    """A server that greets and hangs up at once: the client gets the whole greeting, then FIN."""
    text = b"421 too busy\r\n" * 5000
    server, listen = start(strait, loopback, lambda connection: connection.sendall(text))
    for _ in range(20):
        with loopback.client.connect(listen) as s:
            assert receive_all(s) == text
    server.results(20)


def test_conversation(strait, loopback):
    """Turns taken one line at a time arrive one by one, without delay by small packets."""
    def script(connection):
        connection.sendall(b"hello\n")
        for _ in range(200):
            connection.sendall(receive_line(connection).encode() + b" yes\n")
    server, listen = start(strait, loopback, script)
    begun = time.monotonic()
    with loopback.client.connect(listen) as s:
        assert receive_line(s) == "hello"
        for i in range(200):
            s.sendall(f"{i}".encode())
            s.sendall(b"\n")
            assert receive_line(s) == f"{i} yes"
    assert time.monotonic() - begun < 6, "small packets wait for acknowledgements: no TCP_NODELAY?"
    server.results()
