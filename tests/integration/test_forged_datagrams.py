# SPDX-License-Identifier: Apache-2.0
"""Floods of forged datagrams: they neither end answered sessions nor keep new clients out, and cost what is bounded."""

import select
import struct
import time
from contextlib import contextmanager

import pytest

import process
from servers import small_server, tool
from traffic import ask
from waiting import eventually, thread

CONFIGURATION = """
{top}
service game {{
    listen udp {front}:8000
    session idle=10m new={new}
    {service}
    to game
}}
pool game {{
    server {back}:9000
}}
"""
SOL_UDP, UDP_SEGMENT = 17, 103
PLACES = 300


def configuration(lab, service="", top="", new="1m"):
    return CONFIGURATION.format(service=service, top=top, new=new, front=lab.front[4], back=lab.back[4])


@contextmanager
def flood(lab, rate, seconds=30, first="10.1.129.1", sources=20000, port=8000):
    """Forged datagrams, which no server answers, while the block runs; the client's own addresses are not among them."""
    program = lab.client.start(tool("forge"), lab.front[4], port, first, sources, rate, seconds)
    try:
        yield program
    finally:
        program.kill()


def session(lab):
    return lab.client.udp((lab.front[4], 8000), source=(lab.clients[4], 0), timeout=1)


def newcomer(lab, held, tries=5):
    """
    Does a client that has just come get its answer? It asks again as clients do, each time as somebody new. Its sockets stay
    open in `held`, so that no later client is given their ports, and with them their sessions.
    """
    for _ in range(tries):
        held.append(session(lab))
        try:
            return ask(held[-1])[0] == "server"
        except TimeoutError:
            pass
    return False


WAYS = {"service": {"service": f"limit sessions={PLACES}"}, "daemon": {"top": f"limit sessions={PLACES}"}, "descriptors": {}}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("what", WAYS)
def test_forged_sources(strait, lab, what, workers):
    """
    While forged datagrams fill every place, again and again, sessions that were answered go on, new clients are answered,
    and afterwards every place is there again.
    """
    small_server(lab.server, "picky", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, new="2s", **WAYS[what]), workers=workers,
                    nofile=None if WAYS[what] else 420)
    old, held = [session(lab) for _ in range(20)], []
    ports = [ask(s)[1] for s in old]
    with flood(lab, 2000):
        eventually(lambda: ended(daemon) > 500, what="forged sessions make room for each other")
        newcomers = [newcomer(lab, held) for _ in range(30)]
        assert [ask(s)[1] for s in old] == ports, "the same sessions as before"
        assert daemon.service("game")["flows_active"] <= daemon.status()["limits"]["sessions"]["max"]
        if what != "descriptors":
            assert daemon.service("game")["flows_active"] <= PLACES
        limits = daemon.status()["limits"]
        assert limits["descriptors"]["open"] <= limits["descriptors"]["limit"]
    assert sum(newcomers) >= 28, newcomers
    assert daemon.wait_for_event("limit_reached", reason="limit_sessions")
    assert [ask(s)[1] for s in old] == ports
    daemon.wait_for_flows(1, reason="limit_sessions", server="10.2.0.2:9000")
    eventually(lambda: all(flow["packets_out"] > 0 for flow in flows(daemon)), what="those without an answer have ended")
    assert 20 + sum(newcomers) <= len(flows(daemon)) <= 20 + len(held)
    if what == "service":
        fill(lab, daemon, PLACES - len(flows(daemon)))


def flows(daemon):
    return daemon.get(f"/v1/flows?limit={2 * PLACES}").json["flows"]


def ended(daemon):
    return daemon.service("game")["ended"].get("limit_sessions", 0)


def fill(lab, daemon, room):
    """The places that are left can all be had, and not one more: nothing was counted twice or lost."""
    more = [session(lab) for _ in range(room)]
    assert all(ask(s)[0] == "server" for s in more)
    before = daemon.service("game")["refused"].get("limit_sessions", 0)
    with session(lab) as s:
        s.send(b"who\n")
        eventually(lambda: daemon.service("game")["refused"].get("limit_sessions", 0) == before + 1)
    assert [ask(s)[0] for s in more] == ["server"] * room


def test_oldest_first(strait, lab):
    """Of those without an answer the oldest goes; those of other services stay as long as it is not about them."""
    small_server(lab.server, "mute", (lab.back[4], 9000))
    text = configuration(lab, "limit sessions=3")
    text += text.replace("game", "other").replace(":8000", ":8001").replace("limit sessions=3", "")
    daemon = strait(lab.proxy, text, workers=1)
    others = [lab.client.udp((lab.front[4], 8001)) for _ in range(5)]
    for s in others:
        s.send(b"x")
    clients = [session(lab) for _ in range(5)]
    for i, s in enumerate(clients):
        s.send(b"x")
        eventually(lambda: daemon.service("game")["flows_total"] == i + 1)
        time.sleep(0.03)
    gone = [f["client"] for f in daemon.wait_for_flows(2, reason="limit_sessions")]
    assert gone == [f"{s.getsockname()[0]}:{s.getsockname()[1]}" for s in clients[:2]]
    assert daemon.service("game")["flows_active"] == 3
    assert daemon.service("other")["flows_active"] == 5


def test_young_ones_are_left(strait, lab):
    """While nobody has answered a session has 10 ms for it, however many come meanwhile; those are refused."""
    small_server(lab.server, "mute", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, "limit sessions=2"), workers=1)
    begun = time.monotonic()
    with flood(lab, 5000):
        time.sleep(2)
        evictions = ended(daemon)
        passed = time.monotonic() - begun
    assert 10 <= evictions <= 2 * passed / 0.010
    assert daemon.service("game")["refused"]["limit_sessions"] > evictions


def test_time_for_slow_servers(strait, lab):
    """
    Servers that take long for their answers have the time for it: whoever is let in keeps its place until it is answered.
    Most are refused meanwhile, as each of the few places is taken for as long as that.
    """
    small_server(lab.server, "late", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, "limit sessions=40"), workers=1)
    held = []
    assert all(newcomer(lab, held, 1) for _ in range(5))
    with flood(lab, 3000):
        eventually(lambda: ended(daemon) > 100, what="forged sessions make room for each other")
        clients = [session(lab) for _ in range(300)]
        for s in clients:
            s.send(b"who\n")
            time.sleep(0.01)
        time.sleep(0.5)
    answered = sum(select.select([s], [], [], 0)[0] != [] for s in clients)
    pushed_out = [f for f in daemon.flows(reason="limit_sessions", server="10.2.0.2:9000")
                  if f["client"].startswith(f"{lab.clients[4]}:")]
    assert answered > 0 and len(pushed_out) < answered / 2, (answered, len(pushed_out))
    assert daemon.service("game")["refused"]["limit_sessions"] > 100


@pytest.mark.parametrize("limit,flood_options,reason", [
    ("deny 10.1.128.0/17", {}, "denied_access"),
    ("limit per-source=5", {"sources": 1}, "limit_per_source"),
    ("limit rate=40/s", {}, "limit_rate"),
])
def test_who_is_refused_takes_no_place(strait, lab, limit, flood_options, reason):
    """A client that is refused for what it is, or for the rate, ends nobody."""
    small_server(lab.server, "mute", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, f"limit sessions=10\n{limit}"), workers=1)
    clients = [session(lab) for _ in range(5)]
    for i, s in enumerate(clients):
        s.send(b"x")
        eventually(lambda: daemon.service("game")["flows_total"] == i + 1)
        time.sleep(0.05)
    with flood(lab, 3000, **flood_options):
        time.sleep(1.5)
        assert daemon.service("game")["refused"][reason] > 1000
        assert ended(daemon) <= (40 * 4 if reason == "limit_rate" else 0)


def test_cost(strait, lab, figure):
    """What a flood costs: processor time for each forged datagram that begins a session and makes room for it."""
    small_server(lab.server, "mute", (lab.back[4], 9000))
    daemon = strait(lab.proxy, configuration(lab, "limit sessions=5000"), workers=1, log="stderr level=warning")
    with flood(lab, 20000):
        eventually(lambda: ended(daemon) > 1000, 20, what="all places are taken")
        flows, used = daemon.service("game")["flows_total"], process.cpu_seconds(daemon.pid)
        time.sleep(3)
        flows, used = daemon.service("game")["flows_total"] - flows, process.cpu_seconds(daemon.pid) - used
    figure(f"forged datagrams: {flows / 3:.0f} sessions a second begun and ended, {used / flows * 1e6:.1f} us each")
    assert daemon.service("game")["flows_active"] <= 5000


# amplification

class Generous:
    """A server whose every answer is as long as the question says, sent in so many datagrams, singly or as a train."""

    def __init__(self, lab, is_train=False):
        self.socket = lab.server.udp(source=(lab.back[4], 9000), timeout=None)
        self.is_train, self.count = is_train, 0
        thread(self.serve)
        lab.closers.append(self.socket)

    def serve(self):
        while True:
            data, client = self.socket.recvfrom(2000)
            size, count = map(int, data.split(b" ")[:2])
            self.count += 1
            if self.is_train:
                self.socket.sendmsg([bytes(size * count)], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", size))], 0, client)
            for _ in range(0 if self.is_train else count):
                self.socket.sendto(bytes(size), client)


def question(size, count, length=100):
    return b"%d %d " % (size, count) + bytes(length - len(b"%d %d " % (size, count)))


def receives(s, count):
    """That many datagrams come, and for a while no more."""
    s.settimeout(10)
    assert all(s.recv(65536) for _ in range(count))
    assert select.select([s], [], [], 0.4)[0] == [], f"more than {count}"
    return True


def dropped(daemon):
    return daemon.service("game")["packets_dropped"]


@pytest.mark.parametrize("is_train", [False, True])
def test_amplification(strait, lab, is_train):
    """
    A client gets no more than N times what it has sent, whole datagrams, until it has sent another one after a reply. What
    is dropped is counted; the record tells what the server sent.
    """
    Generous(lab, is_train)
    daemon = strait(lab.proxy, configuration(lab, "session amplification=3"), workers=1)
    with session(lab) as s:
        s.send(question(70, 10))
        assert receives(s, 4), "4 * 70 of 3 * 100 bytes"
        eventually(lambda: dropped(daemon) == 6)
        s.send(question(70, 10))
        assert receives(s, 10), "it has answered a reply"
        s.send(question(1000, 20))
        assert receives(s, 20)
        eventually(lambda: dropped(daemon) == 6)
    daemon.stop()
    record = daemon.wait_for_flows(1)[0]
    assert (record["packets_out"], record["bytes_out"]) == (40, 20 * 70 + 20 * 1000)


def test_large_reply(strait, lab):
    """A first reply over the bound does not come, however often it is sent, until the client has asked often enough for it."""
    server = Generous(lab)
    daemon = strait(lab.proxy, configuration(lab, "session amplification=3"), workers=1)
    with session(lab) as s:
        for _ in range(3):
            s.send(question(1000, 1))
            assert receives(s, 0)
        eventually(lambda: dropped(daemon) == 3)
        s.send(question(1000, 1))
        assert receives(s, 1)
        s.send(question(60000, 1))
        assert receives(s, 1)
        assert server.count == 5


def test_replies_count_what_was_dropped(strait, lab):
    """With `replies=` a session ends when the replies have come from the server, also those that the client did not get."""
    Generous(lab)
    daemon = strait(lab.proxy, configuration(lab, "session amplification=2 replies=1"), workers=1)
    with session(lab) as s:
        s.send(question(1000, 1))
        assert daemon.wait_for_flows(1)[0]["reason"] == "replies_done"
        assert receives(s, 0)


def test_amplification_is_reloaded(strait, lab):
    """A reload sets the bound, or takes it away, for sessions that go on as well."""
    Generous(lab)
    daemon = strait(lab.proxy, configuration(lab), workers=1)
    with session(lab) as s:
        s.send(question(1000, 5))
        assert receives(s, 5)
    daemon.hang_up(configuration(lab, "session amplification=1"))
    with session(lab) as s:
        s.send(question(1000, 1))
        assert receives(s, 0)
        daemon.hang_up(configuration(lab))
        s.send(question(1000, 1))
        assert receives(s, 1)
