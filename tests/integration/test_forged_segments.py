# SPDX-License-Identifier: Apache-2.0
"""Segments of somebody who knows addresses and ports of a flow in the kernel, but not its numbers (RFC 5961)."""

import time

import pytest

from lab import address_parts
from packets import Wire, tcp_frame
from servers import small_server
from traffic import exchange, reset
from waiting import eventually

CONFIGURATION = """
service web {{
    listen {listen}:8000
    path {path}
    {more}
    to web
}}
pool web {{
    check none
    server {server}:9000
}}
"""
RST = 0x04
NUMBERS = [0, 1 << 30, 2 << 30, 3 << 30]  # few: of 65,000 one would be believed, wherever the streams are


def flows_used(daemon):
    return daemon.status()["kernel_path"]["flows"]["used"]


@pytest.mark.parametrize("path,more", [("nat", ""), ("offload", "offload after=10ms")])
def test_they_end_nothing(strait, lab, path, more):
    """Resets from both sides are sent on to who can judge them, and the flow stays; the client's own ends it."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    daemon = strait(lab.proxy, CONFIGURATION.format(listen=lab.front[4], server=lab.back[4], path=path, more=more))
    s = lab.client.connect((lab.front[4], 8000))
    exchange(s, b"hello")
    eventually(lambda: flows_used(daemon) == 1 and daemon.status()["limits"]["connections"]["used"] == 0,
               what="the connection is in the kernel alone")
    flow = daemon.get("/v1/flows").json["flows"][0]
    local = address_parts(flow["local"])
    from_client = Wire(lab.client, "wire", lab.proxy, "wire1")
    from_server = Wire(lab.server, "wire", lab.proxy, "wire2")
    for number in NUMBERS:
        from_client.send(tcp_frame(s.getsockname(), s.getpeername(), RST, number))
        from_server.send(tcp_frame((lab.back[4], 9000), local, RST, number))
    for _ in range(25):  # for more than a second, in which the daemon looks at it
        exchange(s, b"once more")
        time.sleep(0.05)
    assert flows_used(daemon) == 1
    flow = daemon.get("/v1/flows").json["flows"][0]
    assert (flow["bytes_in"], flow["bytes_out"]) == (230, 230)
    reset(s)
    record = daemon.wait_for_flows(1)[0]
    assert (record["reason"], record["bytes_in"], record["bytes_out"]) == ("client_rst", 230, 230)
