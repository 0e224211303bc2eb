# SPDX-License-Identifier: Apache-2.0
"""Limits and access lists: what is over a limit is refused cheaply and counted, what is inside is unharmed."""

import select
import time

import pytest

import process
from servers import small_server
from traffic import exchange, is_refused, is_served
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
CONFIGURATION = """
{top}
service web {{
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    {more}
    to web
}}
pool web {{
    server 127.0.0.1:9000
}}
"""


def start(strait, lab, more="", top="", **options):
    small_server(lab.server, "echo", ("127.0.0.1", 9000))
    return strait(lab.proxy, CONFIGURATION.format(more=more, top=top), **options)


def hold(lab, count, source=None):
    return [exchange(lab.client.connect(FRONT, source=source)) for _ in range(count)]


# connections

@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("where", ["service", "daemon"])
def test_limit_connections(strait, loopback, where, workers):
    """Over `limit connections=` clients are refused with that reason; inside all goes on; then there is room again."""
    limit = "limit connections=6"
    options = {"more": limit} if where == "service" else {"top": limit}
    daemon = start(strait, loopback, workers=workers, **options)
    inside = hold(loopback, 6)
    for _ in range(5):
        assert is_refused(loopback.client, FRONT)
    flows = daemon.wait_for_flows(5)
    assert {f["reason"] for f in flows} == {"limit_connections"}
    for s in inside:
        exchange(s, b"still inside")
    inside.pop().close()
    daemon.wait_for_active("web", 5)
    exchange(loopback.client.connect(FRONT)).close()
    for s in inside:
        s.close()


def test_limit_holds_in_a_rush(strait, loopback):
    """Clients that come at the same moment do not get past the limit, and the count does not drift."""
    daemon = start(strait, loopback, more="limit connections=10", workers=4)
    for _ in range(5):
        sockets = [loopback.client.socket() for _ in range(40)]
        for s in sockets:
            s.setblocking(False)
            s.connect_ex(FRONT)
        served = 0
        for s in sockets:
            s.settimeout(5)
            served += is_echoed(s)
        assert served == 10
        for s in sockets:
            s.close()
        daemon.wait_for_active("web", 0)


def is_echoed(s):
    try:
        exchange(s)
        return True
    except (OSError, AssertionError):
        return False


def test_limit_after_the_end_of_a_connection(strait, loopback):
    """The end of a connection is accounted before a later one is judged: one after another always fits."""
    start(strait, loopback, more="limit connections=1", workers=1)
    for _ in range(50):
        with exchange(loopback.client.connect(FRONT)) as s:
            s.shutdown(1)
            assert s.recv(1) == b""


def test_limit_per_source(strait, loopback):
    """`per-source=` counts each client address for itself."""
    daemon = start(strait, loopback, more="limit per-source=2")
    held = hold(loopback, 2, ("127.0.0.5", 0))
    assert is_refused(loopback.client, FRONT, source=("127.0.0.5", 0))
    assert daemon.wait_for_flows(1)[0]["reason"] == "limit_per_source"
    held += hold(loopback, 2, ("127.0.0.6", 0))
    held[0].close()
    daemon.wait_for_active("web", 3)
    held += hold(loopback, 1, ("127.0.0.5", 0))
    for s in held:
        s.close()


def test_limit_per_source_udp(strait, loopback):
    """`per-source=` counts UDP sessions of an address, too."""
    daemon = start(strait, loopback, more="limit per-source=2\nsession idle=1m new=1m")
    clients = [loopback.client.udp(FRONT, source=("127.0.0.5", 0)) for _ in range(3)]
    for s in clients[:2]:
        exchange(s, b"x")
    clients[2].send(b"x")
    assert daemon.wait_for_flows(1)[0]["reason"] == "limit_per_source"
    for s in clients:
        s.close()


def test_limit_rate(strait, loopback):
    """`rate=` refuses new flows that come faster, and serves again a moment later."""
    daemon = start(strait, loopback, more="limit rate=50/s")
    begun = time.monotonic()
    results = [is_served(loopback.client, FRONT) for _ in range(300)]
    allowed = 50 * (time.monotonic() - begun) + 50
    assert 5 <= sum(results) <= allowed
    assert daemon.wait_for_flows(1, reason="limit_rate")
    eventually(lambda: is_served(loopback.client, FRONT), 5, every=0.3)


def test_limit_per_source_rate(strait, loopback):
    """`per-source-rate=` slows down one address and leaves another alone."""
    daemon = start(strait, loopback, more="limit per-source-rate=50/s")
    begun = time.monotonic()
    results = [is_served(loopback.client, FRONT, source=("127.0.0.5", 0)) for _ in range(300)]
    allowed = 50 * (time.monotonic() - begun) + 50
    assert 5 <= sum(results) <= allowed
    assert is_served(loopback.client, FRONT, source=("127.0.0.6", 0))
    assert daemon.wait_for_flows(1, reason="limit_rate")[0]["client"].startswith("127.0.0.5:")


# access lists

def test_deny(strait, loopback):
    """`deny` refuses a network's clients before any server hears of them, and leaves all others alone."""
    daemon = start(strait, loopback, more="deny 127.0.5.0/24 127.0.6.7")
    for source in ("127.0.5.1", "127.0.5.255", "127.0.6.7"):
        assert is_refused(loopback.client, FRONT, source=(source, 0))
    for source in ("127.0.4.255", "127.0.6.6", "127.0.6.8", "127.0.0.1"):
        assert is_served(loopback.client, FRONT, source=(source, 0))
    refused = daemon.wait_for_flows(3, reason="denied_access")
    assert len(refused) == 3
    assert {f["client"].split(":")[0] for f in refused} == {"127.0.5.1", "127.0.5.255", "127.0.6.7"}


def test_first_match_wins(strait, loopback):
    """Rules are read in order: an exception written before a wider rule holds, one after it is never reached."""
    start(strait, loopback, more="allow 127.0.5.9\ndeny 127.0.5.0/24\nallow 127.0.5.10")
    assert is_served(loopback.client, FRONT, source=("127.0.5.9", 0))
    assert is_refused(loopback.client, FRONT, source=("127.0.5.10", 0))
    assert is_served(loopback.client, FRONT, source=("127.0.7.1", 0)), "nothing matched = allowed"


def test_allow_only(strait, loopback):
    """A list that ends with a deny for everybody lets only those before it in."""
    start(strait, loopback, more="allow 127.0.5.0/24\ndeny 0.0.0.0/0 ::/0")
    assert is_served(loopback.client, FRONT, source=("127.0.5.1", 0))
    assert is_refused(loopback.client, FRONT, source=("127.0.6.1", 0))


def test_deny_udp(strait, loopback):
    """Datagrams of denied clients reach no server; they are counted."""
    daemon = start(strait, loopback, more="deny 127.0.5.0/24")
    with loopback.client.udp(FRONT, source=("127.0.5.1", 0), timeout=0.5) as s:
        s.send(b"x")
        with pytest.raises(TimeoutError):
            s.recv(10)
    with loopback.client.udp(FRONT, source=("127.0.6.1", 0)) as s:
        exchange(s, b"x")
    assert daemon.wait_for_flows(1, reason="denied_access")[0]["protocol"] == "udp"


def test_deny_ipv6(strait, lab):
    """Rules hold for IPv6; a client of IPv4 on a dual listener is judged by its IPv4 address."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    text = CONFIGURATION.format(top="", more="deny fd01::/64 10.1.200.0/24")
    text = text.replace("127.0.0.1:9000", f"{lab.back[4]}:9000").replace("127.0.0.1:8000", ":8000")
    daemon = strait(lab.proxy, text)
    assert is_refused(lab.client, (lab.front[6], 8000))
    assert is_refused(lab.client, (lab.front[4], 8000), source=("10.1.200.5", 0))
    assert is_served(lab.client, (lab.front[4], 8000), source=("10.1.201.5", 0))
    assert {f["client"].rpartition(":")[0] for f in daemon.wait_for_flows(2, reason="denied_access")} == \
        {f"[{lab.clients[6]}]", "10.1.200.5"}


def test_refusals_are_cheap(strait, loopback):
    """A thousand refused connections neither reach the server nor leave anything behind."""
    daemon = start(strait, loopback, more="deny 127.0.0.0/8")
    before = process.descriptor_count(daemon.pid)
    for _ in range(1000):
        try:
            loopback.client.connect(FRONT).close()
        except OSError:
            pass
    assert process.descriptor_count(daemon.pid) <= before + 3
    assert daemon.service("web")["flows_active"] == 0
    assert len(daemon.wait_for_flows(1000)) == 1000


# descriptors

@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_descriptor_exhaustion(strait, loopback, workers):
    """
    With 200 descriptors and 150 clients: those inside live, the others are refused or wait, the CPU stays quiet
    meanwhile, and when those inside have gone everybody is served.
    """
    daemon = start(strait, loopback, nofile=200, workers=workers)
    sockets = [loopback.client.socket() for _ in range(150)]
    for s in sockets:
        s.setblocking(False)
        s.connect_ex(FRONT)
    time.sleep(1)
    inside, outside = split_by_service(sockets)
    assert len(inside) >= 40, "most of the descriptors serve clients"
    assert len(outside) >= 40, "150 connections need 300 descriptors"
    share = process.cpu_share(daemon.pid, 2)
    assert share < 0.3, f"{share:.0%} of a CPU while descriptors are out"
    for s in inside:
        exchange(s, b"still inside")
    for s in sockets:
        s.close()
    eventually(lambda: all(is_served(loopback.client, FRONT) for _ in range(20)), 15, every=0.3)
    again = hold(loopback, 40)
    for s in again:
        s.close()
    daemon.wait_for_active("web", 0)


def split_by_service(sockets):
    """Asks all at once; those that answer are inside, the others were refused or wait."""
    for s in sockets:
        s.settimeout(5)
        try:
            s.sendall(b"hello")
        except OSError:
            pass
    deadline = time.monotonic() + 3
    inside, outside = [], []
    for s in sockets:
        s.settimeout(max(0.02, deadline - time.monotonic()))
        try:
            (inside if s.recv(5) == b"hello" else outside).append(s)
        except OSError:
            outside.append(s)
    return inside, outside


def test_waiting_clients_are_served_when_there_is_room(strait, loopback):
    """Clients that were not refused while descriptors were out are served as soon as others leave."""
    daemon = start(strait, loopback, nofile=260, workers=1)
    sockets = [loopback.client.socket() for _ in range(120)]
    for s in sockets:
        s.setblocking(False)
        s.connect_ex(FRONT)
    time.sleep(1)
    inside, outside = split_by_service(sockets)
    waiting = [s for s in outside if is_open(s)]
    assert 0 < len(waiting) <= len(inside)
    for s in inside:
        s.close()
    for s in waiting:
        s.settimeout(10)
        assert s.recv(5) == b"hello"
    for s in sockets:
        s.close()
    daemon.wait_for_active("web", 0)


def is_open(s):
    """True if neither FIN nor RST has come."""
    s.setblocking(False)
    try:
        s.recv(1)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_udp_sessions_without_descriptors(strait, loopback):
    """UDP clients over the number of descriptors are refused; sessions inside go on, and later all are served."""
    daemon = start(strait, loopback, more="session idle=2s new=2s", nofile=200)
    clients = [loopback.client.udp(FRONT) for _ in range(300)]
    for s in clients:
        s.send(b"hello")
    inside = with_echo(clients)
    assert 20 <= len(inside) < 200
    for s in inside[:10]:
        exchange(s, b"still inside")
    assert process.cpu_share(daemon.pid, 1) < 0.3
    daemon.wait_for_active("web", 0, timeout=15)
    for s in clients[-10:]:
        exchange(s, b"later")
    for s in clients:
        s.close()


def with_echo(clients):
    """Those that are answered, until half a second brings no more answers."""
    answered = set()
    while ready := select.select([s for s in clients if s not in answered], [], [], 0.5)[0]:
        for s in ready:
            assert s.recv(10) == b"hello"
        answered.update(ready)
    return [s for s in clients if s in answered]


# time

def test_idle_timeout(strait, loopback):
    """An idle connection is ended after `timeout idle=`; one on which something moves is not."""
    daemon = start(strait, loopback, more="timeout idle=1500ms")
    quiet, lively = hold(loopback, 2)
    for _ in range(10):
        time.sleep(0.4)
        exchange(lively, b"alive")
    assert not is_open(quiet)
    record = daemon.wait_for_flows(1)[0]
    assert record["reason"] == "idle_timeout"
    assert 1200 <= record["duration_ms"] < 8000
    assert len(daemon.flows()) == 1
    quiet.close()
    lively.close()
