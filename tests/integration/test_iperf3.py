# SPDX-License-Identifier: Apache-2.0
"""iperf3 through strait: TCP in both directions and several streams, UDP, with both families."""

import json
from pathlib import Path

import pytest

from lab import address_text, program_path
from servers import iperf3

CONFIGURATION = """
service measure {{
    listen {listen}
    listen udp {listen}
    to measure
}}
pool measure {{
    server {server}
}}
"""


def run(strait, lab, front, back, *words):
    iperf3(lab.server, lab.back[back])
    strait(lab.proxy, CONFIGURATION.format(listen=address_text(lab.front[front], 5201),
                                           server=address_text(lab.back[back], 5201)))
    result = lab.client.run(program_path("iperf3"), "-c", lab.front[front], "-J", "-t", "2", *words, check=False)
    report = json.loads(result.stdout)
    assert "error" not in report, report["error"]
    return report["end"]


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("words", [[], ["-R"], ["-P", "8"], ["-P", "4", "--bidir"]])
@pytest.mark.parametrize("front,back", [(4, 4), (6, 6), (4, 6)])
def test_tcp(strait, lab, front, back, words):
    """TCP measurements run to their end, and what was sent is received, but for what is on its way."""
    end = run(strait, lab, front, back, *words)
    sent, received = end["sum_sent"]["bytes"], end["sum_received"]["bytes"]
    assert received > 10_000_000
    assert received <= sent + 1
    assert received >= sent - len(end["streams"]) * buffers_of_a_stream()


def buffers_of_a_stream():
    """What may be on its way through strait: two connections' buffers, and a pipe."""
    kernel = [Path(f"/proc/sys/net/ipv4/tcp_{name}mem").read_text().split()[2] for name in ("r", "w")]
    return 2 * sum(int(most) for most in kernel) + (1 << 20)


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("words", [["-b", "8M"], ["-b", "8M", "-R"], ["-b", "4M", "-P", "4"], ["-b", "10M", "-l", "8000"]])
def test_udp(strait, lab, words):
    """
    UDP at a moderate rate arrives, nearly all of it, and in order. The rate is such that iperf3's own buffers, of some 90
    datagrams, hold what comes while it has no processor for a tenth of a second.
    """
    end = run(strait, lab, 4, 4, "-u", *words)
    assert end["sum"]["packets"] > 300
    assert end["sum"]["lost_percent"] < 20
    assert all(s["udp"]["out_of_order"] == 0 for s in end["streams"])
