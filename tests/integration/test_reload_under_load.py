# SPDX-License-Identifier: Apache-2.0
"""A thousand reloads, ten a second, under load: no client of either protocol notices one of them."""

import json
import signal
import time

import pytest

import process
from daemon import is_sanitized
from servers import small_server, tool
from waiting import eventually

RELOADS_A_SECOND = 10
SESSIONS = 500
SMALL_MEMORY = 2 << 20

# What the two have in common: the listeners that the load goes to, and server a. Sessions begin on a and c; those of c
# go on while it is removed, added again as a new server, and removed again.
ONE = """
service web {
 listen 127.0.0.1:8000
 listen udp 127.0.0.1:8000
 to web
 session idle=5s
}
pool web {
 check tcp every=1s timeout=5s
 server 127.0.0.1:9001 name=a weight=2
 server 127.0.0.1:9002 name=b
 server 127.0.0.1:9003 name=c
}
"""
TWO = """
service web {
 listen 127.0.0.1:8000
 listen udp 127.0.0.1:8000
 listen 127.0.0.1:8001
 to web
 limit connections=50000
 session idle=5s
}
service more {
 listen 127.0.0.1:8002
 listen udp 127.0.0.1:8002
 to more
}
pool web {
 check tcp every=500ms timeout=5s fall=4
 server 127.0.0.1:9001 name=a weight=3
 server 127.0.0.1:9002 name=b
}
pool more {
 balance least-connections
 server 127.0.0.1:9003 name=c
}
"""


class Steady:
    """tools/steady.c: traffic that goes on until it is asked for its report."""

    def __init__(self, place, *words):
        self.program = place.start(tool("steady"), *words, name=f"steady-{words[0]}")
        self.program.wait_for_output("ready", 60)

    def so_far(self):
        """How much it has done by now."""
        asked = self.program.output.count("so far")
        self.program.signal(signal.SIGUSR1)
        eventually(lambda: self.program.output.count("so far") > asked, 30)
        return int(self.program.output.split("so far ")[-1].split()[0])

    def report(self):
        self.program.signal(signal.SIGTERM)
        assert self.program.wait(60) == 0, self.program.errors
        return json.loads(self.program.output.splitlines()[-1])


class Reloader:
    """Reloads the one configuration after the other; waits for each, so that no two signals become one."""

    def __init__(self, daemon, *configurations):
        self.daemon, self.configurations = daemon, configurations
        self.count = 0
        self.generation = daemon.status()["generation"]

    def reload(self):
        self.count += 1
        text, log = self.configurations[self.count % len(self.configurations)]
        self.daemon.configure(text, log=log)
        self.daemon.program.signal(signal.SIGHUP)
        self.generation += 1
        eventually(lambda: self.daemon.status()["generation"] == self.generation, 30, every=0.005)

    def reload_often(self, is_enough, seconds):
        """At the rate asked for, or as fast as the machine can, until it is enough."""
        begun = time.monotonic()
        while not is_enough():
            assert time.monotonic() - begun < seconds, f"only {self.count} reloads in {seconds} s"
            due = time.monotonic() + 1 / RELOADS_A_SECOND
            self.reload()
            time.sleep(max(0, due - time.monotonic()))


def lost_by_the_kernel(place):
    """Datagrams that found a socket's buffer full, by the counters of the namespace."""
    lines = [line.split() for line in place.run("cat", "/proc/net/snmp").stdout.splitlines() if line[:4] == "Udp:"]
    counters = dict(zip(*lines))
    return int(counters["RcvbufErrors"]) + int(counters["SndbufErrors"])


def settled(daemon):
    """Descriptors and private memory when nothing flows and nothing is retired any more."""
    def is_at_rest():
        status = daemon.status()
        return status["retired_count"] == 0 and status["services"][0]["flows_active"] == 0
    eventually(is_at_rest, 60, every=0.1)
    counts = []

    def has_settled():
        counts.append(process.descriptor_count(daemon.pid))
        return len(counts) >= 10 and len(set(counts[-10:])) == 1
    eventually(has_settled, 30, every=0.05)
    return counts[-1], daemon.private_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_reloads(strait, loopback, figure):
    """
    Servers, weights, limits, listeners, checks and log sinks change; no connection is refused, reset or cut short, no
    datagram is lost or sent from another port; descriptors and memory return to where they were.
    """
    reloads, connections, datagrams = (100, 5_000, 1000) if is_sanitized() else (1000, 300_000, 5000)
    for i, name in enumerate("abc"):
        small_server(loopback.server, "port", ("127.0.0.1", 9001 + i), name)
    log = "stderr format=json level=warning"
    daemon = strait(loopback.proxy, ONE, log=log)
    reloader = Reloader(daemon, (ONE, log), (TWO, f"{log}\nlog file:{loopback.directory}/more.log level=warning"))

    def under_load(count, done):
        """Returns what the clients of TCP and UDP report."""
        udp = Steady(loopback.client, "udp", "127.0.0.1", 8000, SESSIONS, datagrams)
        tcp = Steady(loopback.client, "tcp", "127.0.0.1", 8000, 16)
        assert daemon.server("web", "c")["flows_active"] > SESSIONS // 10
        end = reloader.count + count
        reloader.reload_often(lambda: reloader.count >= end and reloader.count % 50 == 0 and tcp.so_far() >= done, 800)
        return tcp.report(), udp.report()

    under_load(50, 0)
    reloader.reload_often(lambda: reloader.count % 2 == 0, 30)
    descriptors, memory = settled(daemon)
    kernel_lost, begun, first = lost_by_the_kernel(loopback.client), time.monotonic(), reloader.count
    tcp, udp = under_load(reloads, connections)
    reloader.reload_often(lambda: reloader.count % 2 == 0, 30)
    seconds = time.monotonic() - begun
    figure(f"{reloader.count - first} reloads in {seconds:.0f} s: {tcp['done']} connections, {udp['received']} datagrams")
    lost = lost_by_the_kernel(loopback.client) - kernel_lost
    assert tcp == {**dict.fromkeys(tcp, 0), "begun": tcp["done"], "done": tcp["done"]}
    assert tcp["done"] >= connections
    assert udp == {**dict.fromkeys(udp, 0), "sent": udp["sent"], "received": udp["sent"]}, f"full buffers: {lost}"
    assert daemon.status()["generation"] == reloader.generation
    assert not daemon.records(), "nothing that would be a warning"
    after_descriptors, after_memory = settled(daemon)
    assert after_descriptors == descriptors
    if not is_sanitized():
        assert after_memory < memory + SMALL_MEMORY
