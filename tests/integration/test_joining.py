# SPDX-License-Identifier: Apache-2.0
"""
Two connections joined into one (docs/joining.md), without the rest of strait: tools/joiner.c stands where strait would, relays,
and joins each connection at a random moment, while tools/exchange.c sends known bytes both ways and looks at all that comes.
"""
import os
import signal
import subprocess

import pytest

from daemon import ROOT
from lab import Lab, Program, address_text
from servers import tool
from waiting import eventually

JOINER = (ROOT / os.environ.get("STRAIT", "build/strait")).parent / "tests" / "joiner"


class SlowLab(Lab):
    """A lab whose wires take time, change the order of frames, and lose some: tools/wire.c."""

    def __init__(self, delay_us, jitter_us, lost_per_1000):
        self.ways = (delay_us, jitter_us, lost_per_1000)
        super().__init__()

    def wire(self, end, proxy, network, end_hosts, proxy_hosts):
        words = [tool("wire"), f"/run/netns/{end.namespace}", "wire", f"/run/netns/{proxy.namespace}", f"wire{network}",
                 *self.ways]
        Program(end, words, stdin=subprocess.PIPE).wait_for_output("ready")
        for place, device, hosts in ((end, "wire", end_hosts), (proxy, f"wire{network}", proxy_hosts)):
            for host in hosts:
                place.ip("address", "add", f"10.{network}.0.{host}/24", "dev", device)
                place.ip("address", "add", f"fd0{network}::{host}/64", "dev", device, "nodad")
            place.ip("link", "set", device, "up")


class Joiner:
    def __init__(self, lab, seed, version, bytes_max, time_max_ms, pauses_ms=(0, 0)):
        front, back = address_text(lab.front[version], 8000), address_text(lab.back[version], 9000)
        self.program = lab.proxy.start(JOINER, front, back, seed, bytes_max, time_max_ms, *pauses_ms, env={"JOINER_VERBOSE": "1"})
        self.program.wait_for_output("ready")

    def report(self):
        """Ends it; what it counted, by words."""
        self.program.signal(signal.SIGTERM)
        self.program.wait()
        words = self.program.output.replace("obstacle ", "obstacle-").replace("packets ", "packets-").split()[1:]
        return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def exchange(lab, seed, connections, version=4, at_a_time=20, bytes_max=300_000, bytes_until_join=100_000, ms_until_join=60,
             pauses_ms=(0, 0)):
    """Returns what the joiner counted. Every connection has to have had all its bytes."""
    server = lab.server.start(tool("exchange"), "serve", "9000", *(["6"] if version == 6 else []))
    server.wait_for_output("ready")
    joiner = Joiner(lab, seed, version, bytes_until_join, ms_until_join, pauses_ms)
    result = lab.client.run(tool("exchange"), "call", lab.front[version], "8000", connections, at_a_time, bytes_max, seed,
                            timeout=110 + connections)
    # The callers have sent their ends, which are still under way.
    eventually(lambda: lab.server.run("ss", "-tanH", "exclude", "listening", "exclude", "time-wait").stdout == "", 30,
               what="the server's connections have ended")
    counts = joiner.report()
    total, failed, longest_ms, _, _ = map(int, result.stdout.split())
    assert (total, failed) == (connections, 0), f"{result.stderr}\n{joiner.program.errors}\n{server.errors}"
    assert server.errors == "", joiner.program.errors
    assert counts["failed"] == 0, joiner.program.errors
    assert longest_ms < 30_000
    return counts


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("percent", [0, 1, 5])
def test_every_byte_arrives_once_and_in_order(lab, figure, percent, version):
    """Joins at random moments, with loss on both sides."""
    if percent:
        lab.client.lose(percent)
        lab.server.lose(percent)
    counts = exchange(lab, 100 + percent, int(os.environ.get("JOINED_CONNECTIONS", "600")), version)
    assert counts["joined"] > 60 and counts["tails"] > 20
    figure(f"joined with {percent} % loss over IPv{version}: {counts['joined']} of {counts['accepted']}, {counts['tails']} with a tail")


@pytest.mark.slow
@pytest.mark.xdist_group("kernel")
def test_time_without_progress(lab, figure):
    """For comparison: what the network itself does to the same connections, with the same loss, and a router in place of strait."""
    lab.proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    lab.client.ip("route", "add", "10.2.0.0/24", "via", lab.front[4])
    lab.server.ip("route", "add", "10.1.0.0/24", "via", lab.local[4])
    lab.client.lose(5)
    lab.server.lose(5)
    server = lab.server.start(tool("exchange"), "serve", "9000")
    server.wait_for_output("ready")
    count = int(os.environ.get("JOINED_CONNECTIONS", "600"))
    result = lab.client.run(tool("exchange"), "call", lab.back[4], "9000", count, 20, 300_000, 105, timeout=1200)
    total, failed, longest_ms, _, _ = map(int, result.stdout.split())
    assert (total, failed) == (count, 0), result.stderr
    figure(f"a router with 5 % loss: {count} connections, longest time without progress {longest_ms} ms")


@pytest.mark.parametrize("delay_us, jitter_us, lost_per_1000", [(5000, 0, 0), (2000, 3000, 0), (5000, 3000, 10)])
def test_frames_that_are_under_way(figure, delay_us, jitter_us, lost_per_1000):
    """Over long wires there is always something on its way when connections are joined; with jitter in another order."""
    with SlowLab(delay_us, jitter_us, lost_per_1000) as lab:
        counts = exchange(lab, 7, 200, ms_until_join=300)
    assert counts["joined"] > 20 and counts["tails"] > 20 and counts["packets-socket"] > 0
    figure(f"joined over {delay_us} us with {jitter_us} us of jitter: {counts['joined']} of {counts['accepted']}")


@pytest.mark.slow
@pytest.mark.xdist_group("kernel")
def test_joins_on_a_busy_machine():
    """
    Between the steps of a join much happens: both peers fill windows that are told to be smaller afterwards, and take what the
    other one has sent beyond them.
    """
    with SlowLab(5000, 0, 0) as lab:
        for place in (lab.client, lab.proxy, lab.server):
            place.run("sysctl", "-qw", "net.ipv4.tcp_rmem=4096 65536 65536")
        counts = exchange(lab, 1, 100, at_a_time=4, bytes_max=3_000_000, bytes_until_join=500_000, ms_until_join=200, pauses_ms=(150, 150))
    assert counts["joined"] > 20 and counts["tails"] > 20


@pytest.mark.slow
@pytest.mark.xdist_group("kernel")
def test_joins_that_are_looked_at_late(lab):
    """
    What has come to a socket while its flow was begun is found out only when the other side could have come far, and would
    take none of it any more.
    """
    for place in (lab.client, lab.proxy, lab.server):
        place.run("sysctl", "-qw", "net.ipv4.tcp_rmem=4096 65536 65536")
    counts = exchange(lab, 1, 60, at_a_time=3, bytes_max=20_000_000, bytes_until_join=5_000_000, ms_until_join=200, pauses_ms=(1, 150))
    assert counts["joined"] > 10


@pytest.mark.parametrize("what", ["timestamps", "sack", "window_scaling"])
def test_connections_without_an_option(lab, what):
    """Neither side has it."""
    for place in (lab.client, lab.server):
        place.run("sysctl", "-qw", f"net.ipv4.tcp_{what}=0")
    lab.client.lose(1)
    counts = exchange(lab, 3, 300)
    assert counts["joined"] > 25


@pytest.mark.parametrize("what", ["timestamps", "sack"])
def test_connections_that_differ_stay_apart(lab, what):
    """Only the client has it."""
    lab.server.run("sysctl", "-qw", f"net.ipv4.tcp_{what}=0")
    counts = exchange(lab, 4, 50)
    assert counts["joined"] == 0 and counts[f"obstacle-{what}"] > 0


def test_segments_that_are_too_long_for_the_other_side(lab):
    """The server's wire is narrower than the client's."""
    lab.proxy.ip("link", "set", "wire2", "mtu", 1300)
    lab.server.ip("link", "set", "wire", "mtu", 1300)
    counts = exchange(lab, 5, 50)
    assert counts["joined"] == 0 and counts["obstacle-segments"] > 0


@pytest.mark.parametrize("client, server", [
    ("net.ipv4.tcp_window_scaling=0", "net.ipv4.tcp_window_scaling=1"),
    ("net.ipv4.tcp_window_scaling=1", "net.ipv4.tcp_window_scaling=0"),
    ("net.ipv4.tcp_rmem=4096 131072 134217728", "net.ipv4.tcp_rmem=4096 131072 4194304")])
def test_windows_of_different_scales(lab, client, server):
    """None on one side, or 7 and 12."""
    lab.client.run("sysctl", "-qw", client)
    lab.server.run("sysctl", "-qw", server)
    lab.server.lose(1)
    counts = exchange(lab, 6, 300)
    assert counts["joined"] > 25


def test_nothing_is_left(lab):
    """Flows that have ended are gone after a while."""
    server = lab.server.start(tool("exchange"), "serve", "9000")
    server.wait_for_output("ready")
    joiner = Joiner(lab, 8, 4, 1000, 10)
    lab.client.run(tool("exchange"), "call", lab.front[4], "8000", 100, 10, 50_000, 8)
    eventually(lambda: lab.proxy.run("ss", "-tanH", "state", "established").stdout == "", what="no sockets are left")
    lab.client.run("sleep", "4")
    assert joiner.report()["flows"] == 0
