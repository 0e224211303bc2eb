# SPDX-License-Identifier: Apache-2.0
"""Health: servers that fail are found and left alone, and used again when they are back."""

import signal
import socket
import threading
import time

import pytest

from lab import address_text
from servers import Scripted, name_servers, server_lines, small_server
from traffic import ask, ending, is_refused, is_served, receive_exactly, who
from waiting import eventually, thread

FRONT = ("127.0.0.1", 8000)
CONFIGURATION = """
service web {{
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to web
}}
pool web {{
    {pool}
    {servers}
}}
"""
FAST = "every=200ms timeout=300ms rise=2 fall=2"
TALK = 'send="ping\\n" expect="pong"'


def start(strait, lab, pool, servers, **options):
    return strait(lab.proxy, CONFIGURATION.format(pool=pool, servers=servers), **options)


class Load:
    """Clients that connect, ask and close, again and again; failures are kept with the time their connection began."""

    def __init__(self, lab, clients=4):
        self.lab, self.failures, self.count = lab, [], 0
        self.is_over = threading.Event()
        self.works = [thread(self.work) for _ in range(clients)]

    def work(self):
        while not self.is_over.is_set():
            begun = time.monotonic()
            try:
                who(self.lab.client, FRONT)
            except (OSError, AssertionError, ValueError) as error:
                self.failures.append((begun, repr(error)))
            self.count += 1

    def stop(self):
        self.is_over.set()
        for work in self.works:
            work.join()


# servers that die

def test_killed_server_under_load(strait, loopback):
    """
    A server killed with kill -9 under load: what was in flight ends as the kernel ended it; whoever connects after
    that is served by another server, before and after the check has found out.
    """
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    daemon = start(strait, loopback, "check tcp every=1s timeout=500ms rise=2 fall=2", server_lines(servers))
    load = Load(loopback)
    eventually(lambda: load.count > 200)
    servers["b"].kill()
    killed = time.monotonic()
    daemon.wait_for_event("server_down", pool="web", server="b")
    time.sleep(1.5)
    load.stop()
    late = [f for f in load.failures if f[0] > killed]
    assert late == [], f"{len(late)} clients failed that connected after the server had died"
    retried = [f for f in daemon.flows() if f["tried"] == ["b"]]
    assert retried, "connections between death and detection are retried on another server"
    assert all(f["retries"] == 1 and f["server"] != "b" for f in retried)


def test_connections_in_flight_end_with_their_server(strait, loopback):
    """A client whose server is killed sees the end that the kernel made, at once, not a hang."""
    server = small_server(loopback.server, "discard", ("127.0.0.1", 9001))
    start(strait, loopback, "check none", "server 127.0.0.1:9001 name=a")
    with loopback.client.connect(FRONT) as s:
        s.sendall(b"x")
        eventually(lambda: is_connected_to(server))
        server.kill()
        assert ending(s) in ("fin", "reset")


def is_connected_to(server):
    server.signal(signal.SIGUSR1)
    return "open 1" in server.output


def test_stopped_server_is_found(strait, loopback):
    """A server that hangs (SIGSTOP) still completes handshakes, but not the check's conversation; it comes back."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = start(strait, loopback, f"check tcp {TALK} {FAST}", server_lines(servers))
    servers["a"].stop_and_hold()
    event = daemon.wait_for_event("server_down", pool="web", server="a")
    assert event["cause"], "the event says why"
    assert {who(loopback.client, FRONT) for _ in range(10)} == {"b"}
    servers["a"].resume()
    daemon.wait_for_event("server_up", pool="web", server="a")
    eventually(lambda: {who(loopback.client, FRONT) for _ in range(10)} == {"a", "b"})


def test_wrong_answer_is_a_failure(strait, loopback):
    """A server that answers the check with something else than expected is down."""
    name_servers(loopback.server, 1, "127.0.0.1")
    daemon = start(strait, loopback, f'check tcp send="ping\\n" expect="+PONG" {FAST}', "server 127.0.0.1:9001 name=a",
                   is_ready="/livez")
    daemon.wait_for_event("server_down", server="a")


def test_expected_answer_in_pieces(strait, loopback):
    """An expected answer that comes in small pieces is a good answer."""
    def script(connection):
        receive_exactly(connection, 5)
        for byte in b"pong":
            time.sleep(0.02)
            connection.sendall(bytes([byte]))
        ending(connection)
    Scripted(loopback.server, ("127.0.0.1", 9001), script)
    daemon = start(strait, loopback, f"check tcp {TALK} every=200ms timeout=2s rise=1 fall=2",
                   "server 127.0.0.1:9001 name=a", is_ready="/livez")
    time.sleep(1.5)
    daemon.wait_for_state("web", "a", "up")
    assert daemon.events("server_down") == []


def test_silent_server_is_found_by_time(strait, lab):
    """A check that gets no answer at all (packets vanish) is failed by its time-out, never reported good."""
    servers = name_servers(lab.server, 2, lab.back[4])
    text = CONFIGURATION.replace("127.0.0.1", lab.front[4])
    daemon = strait(lab.proxy, text.format(pool=f"check tcp {FAST}", servers=server_lines(servers)))
    lab.server.drop_port(9001)
    daemon.wait_for_event("server_down", server="a")
    lab.server.restore_port(9001)
    daemon.wait_for_event("server_up", server="a")


def test_failed_checks_are_forgiven(strait, loopback):
    """With `fall=3` one or two failed checks in a row take nobody out."""
    results = iter([True, True, False, True, False, False] + [True] * 1000)

    def script(connection):
        receive_exactly(connection, 5)
        if next(results):
            connection.sendall(b"pong")
            ending(connection)
    server = Scripted(loopback.server, ("127.0.0.1", 9001), script)
    daemon = start(strait, loopback, f"check tcp {TALK} every=200ms timeout=10s rise=1 fall=3",
                   "server 127.0.0.1:9001 name=a", is_ready="/livez")
    eventually(lambda: len(server.works) >= 12, 20)
    assert daemon.events("server_down") == []


def test_rise_and_fall(strait, loopback):
    """`rise=3` good checks bring a server back, not one: it is not up before three intervals have passed."""
    servers = name_servers(loopback.server, 1, "127.0.0.1")
    daemon = start(strait, loopback, "check tcp every=500ms timeout=300ms rise=3 fall=1", server_lines(servers))
    servers["a"].kill()
    daemon.wait_for_state("web", "a", "down")
    back = time.monotonic()
    servers["a"].start_again()
    daemon.wait_for_state("web", "a", "up")
    assert 0.7 < time.monotonic() - back < 10


# everything is down

def test_all_servers_down(strait, loopback):
    """With every server down clients are refused at once, and served again within every x rise of the recovery."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = start(strait, loopback, f"check tcp {FAST}", server_lines(servers))
    for server in servers.values():
        server.kill()
    for name in servers:
        daemon.wait_for_state("web", name, "down")
    for _ in range(5):
        begun = time.monotonic()
        assert is_refused(loopback.client, FRONT)
        assert time.monotonic() - begun < 3
    assert daemon.wait_for_flows(5, reason="no_server")[0]["service"] == "web"
    servers["a"].start_again()
    back = time.monotonic()
    eventually(lambda: is_served(loopback.client, FRONT), 10)
    assert time.monotonic() - back < 0.2 * 2 + 6


def test_udp_clients_when_all_are_down(strait, loopback):
    """UDP clients of a pool without servers get nothing, are counted, and are served again after the recovery."""
    servers = name_servers(loopback.server, 1, "127.0.0.1")
    daemon = start(strait, loopback, f"check udp {TALK} {FAST}", server_lines(servers))
    servers["a"].kill()
    daemon.wait_for_state("web", "a", "down")
    with loopback.client.udp(FRONT, timeout=0.5) as s:
        s.send(b"who")
        daemon.wait_for_flows(1, reason="no_server", protocol="udp")
        servers["a"].start_again()
        daemon.wait_for_state("web", "a", "up")
        assert ask(s)[0] == "a"


def test_panic(strait, loopback):
    """With fewer servers up than `panic` says, all are used rather than none."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    pool = f'panic 50\ncheck tcp send="ping\\n" expect="never" {FAST}'
    daemon = start(strait, loopback, pool, server_lines(servers), is_ready="/livez")
    for name in servers:
        daemon.wait_for_state("web", name, "down")
    assert {who(loopback.client, FRONT) for _ in range(12)} == {"a", "b", "c"}


# udp checks

def test_udp_check(strait, loopback):
    """A UDP check finds a server that is gone (ICMP) and one that hangs (time), and the return of both."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    daemon = start(strait, loopback, f"check udp {TALK} {FAST}", server_lines(servers))
    time.sleep(1)
    assert daemon.events("server_down") == []
    servers["a"].kill()
    servers["b"].stop_and_hold()
    daemon.wait_for_event("server_down", server="a")
    daemon.wait_for_event("server_down", server="b")
    servers["a"].start_again()
    servers["b"].resume()
    daemon.wait_for_event("server_up", server="a")
    daemon.wait_for_event("server_up", server="b")


def test_udp_check_without_answer_fails(strait, loopback):
    """A UDP check without any reply is a failure: that the datagram could be sent proves nothing."""
    small_server(loopback.server, "mute", ("127.0.0.1", 9001))
    daemon = start(strait, loopback, f'check udp send="ping" {FAST}', "server 127.0.0.1:9001 name=a", is_ready="/livez")
    daemon.wait_for_event("server_down", server="a")


def test_udp_check_any_reply(strait, loopback):
    """Without `expect=` any reply is a good one."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    daemon = start(strait, loopback, f'check udp send="\\x01\\x00\\x02" {FAST}', "server 127.0.0.1:9001 name=a")
    time.sleep(1.5)
    assert daemon.events("server_down") == []


def test_check_port(strait, loopback):
    """`port=` checks another port than the one that serves."""
    name_servers(loopback.server, 1, "127.0.0.1")
    other = small_server(loopback.server, "name", ("127.0.0.1", 9500))
    daemon = start(strait, loopback, f"check tcp port=9500 {FAST}", "server 127.0.0.1:9001 name=a")
    assert who(loopback.client, FRONT) == "a"
    other.kill()
    daemon.wait_for_state("web", "a", "down")


# eject, on-down

def test_eject(strait, loopback):
    """`eject failures=3 for=2s`: after three failed connects in a row a server is left alone for a while."""
    servers = name_servers(loopback.server, 1, "127.0.0.1", 9002)
    lines = "server 127.0.0.1:9001 name=dead\n" + server_lines(servers)
    daemon = start(strait, loopback, "balance round-robin\neject failures=3 for=2s", lines, workers=1)
    for _ in range(20):
        assert who(loopback.client, FRONT) == "a"
    flows = daemon.wait_for_flows(20)
    assert sum(f["tried"] == ["dead"] for f in flows) == 3
    small_server(loopback.server, "name", ("127.0.0.1", 9001), "dead")
    eventually(lambda: who(loopback.client, FRONT) == "dead", 10, every=0.1, what="the server is tried again")


def test_eject_is_no_verdict_about_healthy_servers(strait, loopback):
    """A successful connect begins the count anew: failures that are not in a row eject nobody."""
    servers = name_servers(loopback.server, 1, "127.0.0.1")
    daemon = start(strait, loopback, "balance first\neject failures=3 for=10m", server_lines(servers))
    for _ in range(4):
        servers["a"].kill()
        assert is_refused(loopback.client, FRONT)
        assert is_refused(loopback.client, FRONT)
        servers["a"] = servers["a"].start_again()
        assert who(loopback.client, FRONT) == "a"
    assert daemon.flows(reason="no_server") == []


def hold_one_each(lab):
    """A connection on each of the servers a and b."""
    held = {}
    for _ in range(2):
        s = lab.client.connect(FRONT)
        held[ask(s)[0]] = s
    assert set(held) == {"a", "b"}
    return held


def test_on_down_close(strait, loopback):
    """`on-down close` ends the connections of a server that went down, and no others; the reason is server_down."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = start(strait, loopback, f"on-down close\ncheck tcp {TALK} {FAST}", server_lines(servers), workers=1)
    held = hold_one_each(loopback)
    servers["a"].stop_and_hold()
    assert ending(held["a"]) in ("fin", "reset")
    assert daemon.wait_for_flows(1, server="a")[0]["reason"] == "server_down"
    assert ask(held["b"])[0] == "b"
    assert daemon.flows(server="b") == []


def test_on_down_keep(strait, loopback):
    """By default connections of a server that went down stay: it may only be slow, and it answers later."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = start(strait, loopback, f"check tcp {TALK} {FAST}", server_lines(servers), workers=1)
    held = hold_one_each(loopback)
    servers["a"].stop_and_hold()
    daemon.wait_for_state("web", "a", "down")
    time.sleep(0.5)
    servers["a"].resume()
    assert ask(held["a"])[0] == "a"


def test_udp_sessions_keep_their_server_if_asked(strait, loopback):
    """With `on-down keep` a UDP session stays with its server although it is down."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = start(strait, loopback, f"on-down keep\ncheck udp {TALK} {FAST}", server_lines(servers), workers=1)
    with loopback.client.udp(FRONT) as s:
        name, port = ask(s)
        servers[name].stop_and_hold()
        daemon.wait_for_state("web", name, "down")
        servers[name].resume()
        assert ask(s) == (name, port)


# the schedule

def test_checks_of_1000_servers_are_spread(strait, loopback):
    """Checks of 1,000 servers do not come in bursts: they are spread over the interval."""
    times = []
    listener = loopback.server.listen(("127.0.0.1", 9001), backlog=4096)
    acceptor = thread(accept_and_note, listener, times)
    lines = "\n".join(f"server 127.0.0.1:9001 name=s{i}" for i in range(1000))
    daemon = start(strait, loopback, "check tcp every=2s timeout=1s", lines, is_ready="/livez")
    eventually(lambda: len(times) >= 5000, 60)
    daemon.stop()
    listener.shutdown(socket.SHUT_RDWR)
    acceptor.join()
    listener.close()
    buckets = count_by_100ms(times[1000:5000])
    print("checks by 100 ms:", buckets)
    average = sum(buckets) / len(buckets)
    assert 20 < average < 100, "1,000 checks every two seconds are 50 in 100 ms"
    even = sum(average / 5 < b < 3 * average for b in buckets)  # a stall of the machine spoils a few of them
    assert even > 0.7 * len(buckets), "unspread, all checks would come in one or two buckets of twenty"
    assert daemon.events("server_down") == []


def accept_and_note(listener, times):
    listener.settimeout(None)
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        times.append(time.monotonic())
        connection.close()


def count_by_100ms(times):
    counts = [0] * (int((times[-1] - times[0]) * 10) + 1)
    for t in times:
        counts[int((t - times[0]) * 10)] += 1
    return counts[:-1]


@pytest.mark.parametrize("version", [4, 6])
def test_checks_over_a_wire(strait, lab, version):
    """Checks work with both families, and their conversation is closed properly."""
    servers = name_servers(lab.server, 1, lab.back[version])
    listen = address_text(lab.front[version], 8000)
    text = CONFIGURATION.replace("127.0.0.1:8000", listen)
    daemon = strait(lab.proxy, text.format(pool=f"check tcp {TALK} {FAST}", servers=server_lines(servers)))
    time.sleep(1)
    daemon.wait_for_state("web", "a", "up")
    servers["a"].kill()
    daemon.wait_for_state("web", "a", "down")
