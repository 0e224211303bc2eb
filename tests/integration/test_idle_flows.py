# SPDX-License-Identifier: Apache-2.0
"""
Many more flows than descriptors, held at once in the kernel and expired. IDLE_FLOWS in the environment says how many
(20000 if it does not).
"""

import os
import re

import pytest

from lab import address_text
from servers import small_server, tool
from waiting import eventually

FLOWS = int(os.environ.get("IDLE_FLOWS", "20000"))
SERVERS, SOURCES, RATE = 20, 32000, 20000
IDLE_SECONDS = 15 + FLOWS // RATE
PLACES = FLOWS + 50000

CONFIGURATION = """
kernel-path auto flows={places}
service game {{
    path nat
    listen udp 10.1.0.1:8000
    session new=5s idle={idle}s
    to game
}}
service other {{
    listen udp 10.1.0.1:8001
    to other
}}
pool other {{
    server 10.2.0.2:9100
}}
pool game {{
    check none
    {servers}
}}
"""


def slow_turns(daemon):
    """How many turns of workers there were, and how many of them took longer than 5 ms."""
    text = daemon.get("/metrics").text
    count = sum(map(int, re.findall(r'strait_worker_loop_lag_seconds_count\{[^}]*\} (\d+)', text)))
    quick = sum(map(int, re.findall(r'strait_worker_loop_lag_seconds_bucket\{[^}]*le="0\.005"\} (\d+)', text)))
    return count, count - quick


def kernel_bytes():
    """What the kernel holds in slabs and by itself, of which the table of flows takes most here."""
    values = dict(re.findall(r"^(Slab|VmallocUsed|Percpu):\s+(\d+)", open("/proc/meminfo", encoding="ascii").read(), re.M))
    return 1024 * sum(map(int, values.values()))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("kernel")
def test_idle_flows(strait, lab, figure):
    servers = [(lab.back[4], 9000 + i) for i in range(SERVERS)]
    for address in servers:
        small_server(lab.server, "echo", address)
    small_server(lab.server, "echo", (lab.back[4], 9100))
    # Nobody has sent what is answered; nobody is to complain either.
    lab.client.filter("table inet quiet { chain input { type filter hook input priority 0; udp dport 20000-60000 drop\n }\n }\n")
    lines = "\n".join(f"server {address_text(*address)}" for address in servers)
    before_bytes = kernel_bytes()
    daemon = strait(lab.proxy, CONFIGURATION.format(places=PLACES, idle=IDLE_SECONDS, servers=lines))
    eventually(lambda: daemon.status()["kernel_path"]["state"] == "active")
    forge = lab.client.start(tool("forge"), lab.front[4], 8000, "10.1.128.1", SOURCES, RATE, FLOWS / RATE + 1)

    def used():
        return daemon.status()["kernel_path"]["flows"]["used"]
    eventually(lambda: used() >= FLOWS, 60, every=0.5, what=f"{FLOWS} flows are held, not {used()}")
    forge.wait()
    held = used()
    limits = daemon.status()["limits"]
    assert limits["descriptors"]["open"] < 200 and limits["descriptors"]["limit"] <= 20000
    each = (kernel_bytes() - before_bytes) / PLACES
    with lab.client.udp((lab.front[4], 8001), source=(lab.clients[4], 61000)) as s:
        s.send(b"another service")
        assert s.recv(100) == b"another service"
    turns, slow = slow_turns(daemon)
    eventually(lambda: used() == 0, IDLE_SECONDS + 60, every=0.5, what=f"all have expired, not {used()}")
    more, slower = slow_turns(daemon)
    service = daemon.service("game")
    assert service["flows_total"] >= held and service["ended"]["idle_timeout"] == service["flows_total"]
    figure(f"{held} idle flows at once with {limits['descriptors']['open']} descriptors: the kernel has some {each:.0f} bytes for each of {PLACES} places; "
           f"of {more - turns} turns while they expired {slower - slow} took over 5 ms")
