# SPDX-License-Identifier: Apache-2.0
"""A flood of packets with invented sources: clients come in all the same, and what is established loses nothing."""

import hashlib
import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from servers import small_server, tool
from traffic import blocks as numbered
from traffic import receive_exactly
from waiting import thread

FRONT = ("10.1.0.1", 8000)
OTHER = ("10.1.0.1", 8001)
CONFIGURATION = """
limit memory=256m
service web {
    listen 10.1.0.1:8000
    listen udp 10.1.0.1:8000
    limit sessions=4k rate=20k/s
    session new=2s idle=10s
    to web
}
service steady {
    listen udp 10.1.0.1:8001
    to steady
}
pool web {
    check tcp
    server 10.2.0.2:9000
}
pool steady {
    server 10.2.0.2:9001
}
"""
RATE, KINDS = 200000, ["syn", "ack", "udp", "fragment", "malformed"]


def mac(place, device):
    return json.loads(place.run("ip", "-j", "link", "show", "dev", device).stdout)[0]["address"]


def flood(lab, rate, seconds, kinds):
    """tools/flood.c at the client's end of the wire; answers to its sources come to the client and end there."""
    lab.proxy.ip("route", "add", "198.18.0.0/15", "via", "10.1.0.2")
    lab.client.ip("route", "add", "blackhole", "198.18.0.0/15")
    return lab.client.start(tool("flood"), "wire", mac(lab.client, "wire"), mac(lab.proxy, "wire1"), *FRONT, rate,
                            seconds, *kinds, name="flood")


def echo_slowly(s, seconds):
    """Numbered bytes to an echo server and back, a piece every 10 ms; returns how many came back as they were sent."""
    count, end = 0, time.monotonic() + seconds
    sent, got = hashlib.sha256(), hashlib.sha256()
    for piece in numbered(1 << 30, 5):
        piece = piece[:1000]
        s.sendall(piece)
        sent.update(piece)
        got.update(receive_exactly(s, len(piece)))
        count += len(piece)
        time.sleep(0.01)
        if time.monotonic() > end:
            break
    assert sent.digest() == got.digest()
    return count


def kernel_losses(lab):
    """Packets that the kernel dropped because a queue of its own was full, on all CPUs and in all places."""
    queues = sum(int(line.split()[1], 16) for line in Path("/proc/net/softnet_stat").read_text().splitlines())
    buffers = 0
    for place in (lab.client, lab.proxy, lab.server):
        names, values = [line.split() for line in place.run("cat", "/proc/net/snmp").stdout.splitlines()
                         if line.startswith("Udp:")]
        buffers += int(values[names.index("RcvbufErrors")])
    return queues + buffers


@pytest.mark.slow
@pytest.mark.alone
def test_clients_are_served_in_a_flood(strait, lab, own_speed, own_memory, figure):
    """
    200,000 packets a second of five kinds for 30 s: of 1,000 new connections a second 99.9 % succeed, connections and
    sessions that were there lose nothing, and memory stays within its limit.
    """
    seconds = 30
    small_server(lab.server, "echo", ("10.2.0.2", 9000))
    small_server(lab.server, "port", ("10.2.0.2", 9001))
    daemon = strait(lab.proxy, CONFIGURATION, log="stderr level=error", workers=2, nofile=16000)
    established = [lab.client.connect(FRONT, timeout=20) for _ in range(10)]
    steady = lab.client.start(tool("steady"), "udp", *OTHER, 50, 1000, name="steady")
    steady.wait_for_output("ready")
    before, lost_before = daemon.private_bytes(), kernel_losses(lab)
    noise = flood(lab, RATE, seconds, KINDS)
    noise.wait_for_output("ready")
    streams = [thread(echo_slowly, s, seconds) for s in established]
    rush = lab.client.start(tool("rush"), "tcp", *FRONT, "10.1.0.2", 1000, seconds - 2, name="rush", stdin=subprocess.PIPE)
    rush.wait_for_output("ready")
    rush.process.stdin.write(b"\n")
    rush.process.stdin.flush()
    rush.wait(seconds + 30)
    found = json.loads(rush.output.splitlines()[-1])
    noise.wait(30)
    sent = json.loads(noise.output.splitlines()[-1])
    after = daemon.private_bytes()
    assert all(s.join(60) > 0 for s in streams)
    steady.signal(signal.SIGTERM)
    steady.wait(30)
    sessions = json.loads(re.search(r"\{.*\}", steady.output)[0])
    share = found["answered"] / found["offered"]
    figure(f"flood of {sent['rate'] / 1000:.0f}k packets/s: {share:.4%} of {found['offered'] / (seconds - 2):.0f} connections/s "
           f"succeed, p99 {found['p99_us'] / 1000:.1f} ms; {after >> 20} MiB, {before >> 20} before")
    assert share >= 0.999, found
    # The wires of the lab have short queues: what they drop when the CPUs are busy has not come to strait.
    assert sessions["moved"] == 0 and sessions["lost"] <= kernel_losses(lab) - lost_before, sessions
    assert sessions["lost"] <= sessions["sent"] * 0.001
    assert after < 256 << 20
    for s in established:
        s.close()
