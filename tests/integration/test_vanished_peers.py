# SPDX-License-Identifier: Apache-2.0
"""Peers that vanish without a word: what they held is given back."""

from lab import program_path
from servers import Scripted, small_server
from traffic import exchange, receive_exactly, send_endlessly
from waiting import eventually

CONFIGURATION = """
service web {{
    listen 10.1.0.1:8000
    timeout idle={idle}
    to web
}}
pool web {{
    server 10.2.0.2:9000
}}
"""


def test_keep_alive_on_both_sides(strait, lab):
    """Connections that stay are watched by TCP keep-alive, towards the client and towards the server."""
    small_server(lab.server, "echo", ("10.2.0.2", 9000))
    strait(lab.proxy, CONFIGURATION.format(idle="10m connect=500ms"))
    with exchange(lab.client.connect(("10.1.0.1", 8000))):
        eventually(lambda: is_watched(lab, "10.1.0.1:8000") and is_watched(lab, "10.2.0.2:9000"), 10, every=0.3)


def is_watched(lab, address):
    lines = lab.proxy.run(program_path("ss"), "-Htno", "state", "established").stdout.splitlines()
    found = [line for line in lines if address in line]
    assert len(found) == 1
    return "keepalive" in found[0]


def test_client_vanishes_during_a_download(strait, lab):
    """A client whose machine is gone, with data on its way to it, does not hold the server's connection for long."""
    server = Scripted(lab.server, ("10.2.0.2", 9000), send_endlessly)
    daemon = strait(lab.proxy, CONFIGURATION.format(idle="2s"))
    with lab.client.connect(("10.1.0.1", 8000)) as s:
        receive_exactly(s, 1 << 20)
        lab.client.vanish()
        daemon.wait_for_flows(1, timeout=25)
        assert server.results()[0] > 0
    daemon.wait_for_active("web", 0)


def test_server_vanishes_during_an_upload(strait, lab):
    """A server whose machine is gone, with data on its way to it, does not hold the client for long."""
    small_server(lab.server, "discard", ("10.2.0.2", 9000))
    daemon = strait(lab.proxy, CONFIGURATION.format(idle="2s"))
    with lab.client.connect(("10.1.0.1", 8000), timeout=25) as s:
        s.sendall(bytes(1 << 20))
        lab.server.vanish()
        try:
            while True:
                s.sendall(bytes(65536))
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert daemon.wait_for_flows(1)[0]["reason"] in ("idle_timeout", "server_rst")
