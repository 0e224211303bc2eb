# SPDX-License-Identifier: Apache-2.0
"""Balancing: which server a new flow is given."""

from collections import Counter

import pytest

from servers import name_servers, server_lines
from traffic import ask, is_refused, who
from waiting import eventually

CONFIGURATION = """
service web {{
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to web
}}
pool web {{
    balance {balance}
    {more}
    {servers}
}}
"""
FRONT = ("127.0.0.1", 8000)
CHECK = "check tcp every=200ms timeout=500ms rise=1 fall=2"


def start(strait, lab, servers, balance, more="", workers=2, **suffixes):
    lines = server_lines(servers, **suffixes)
    return strait(lab.proxy, CONFIGURATION.format(balance=balance, more=more, servers=lines), workers=workers)


def names(lab, count, source=None):
    return [who(lab.client, FRONT, source) for _ in range(count)]


class Held:
    """Connections that stay open, by the server they are on."""

    def __init__(self, lab):
        self.lab = lab
        self.sockets = []

    def open(self, count=1):
        for _ in range(count):
            s = self.lab.client.connect(FRONT)
            self.sockets.append((ask(s)[0], s))
        return [name for name, _ in self.sockets[-count:]]

    def counts(self):
        return Counter(name for name, _ in self.sockets)

    def close(self, name=None):
        for pair in [p for p in self.sockets if name in (None, p[0])]:
            pair[1].close()
            self.sockets.remove(pair)


# round-robin

def test_round_robin_takes_turns(strait, loopback):
    """Servers of equal weight take turns."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    start(strait, loopback, servers, "round-robin", workers=1)
    got = names(loopback, 30)
    for i in range(0, 30, 3):
        assert set(got[i:i + 3]) == {"a", "b", "c"}


def test_round_robin_weights_are_exact_over_a_cycle(strait, loopback):
    """Weights 3, 1, 2: of any six connections in a row three, one and two; and a heavy server's are spread."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    start(strait, loopback, servers, "round-robin", workers=1, a="weight=3", c="weight=2")
    got = names(loopback, 36)
    for i in range(0, 36, 6):
        assert Counter(got[i:i + 6]) == {"a": 3, "b": 1, "c": 2}, got
    assert "aaa" not in "".join(got), "smooth: not all of a cycle's share in a row"


def test_round_robin_with_several_workers(strait, loopback):
    """With several workers the shares are the same, but for the open cycle of each."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    start(strait, loopback, servers, "round-robin", workers=2, a="weight=3", c="weight=2")
    counts = Counter(names(loopback, 120))
    assert abs(counts["a"] - 60) <= 6 and abs(counts["b"] - 20) <= 6 and abs(counts["c"] - 40) <= 6, counts


def test_udp_sessions_take_turns(strait, loopback):
    """UDP sessions are balanced like connections."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    start(strait, loopback, servers, "round-robin", workers=1)
    clients = [loopback.client.udp(FRONT) for _ in range(30)]
    assert Counter(ask(s)[0] for s in clients) == {"a": 10, "b": 10, "c": 10}
    for s in clients:
        s.close()


def test_round_robin_is_the_default(strait, loopback):
    """A pool that does not say uses round-robin."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = strait(loopback.proxy, CONFIGURATION.format(balance="", more="", servers=server_lines(servers))
                    .replace("    balance \n", ""), workers=1)
    assert Counter(names(loopback, 20)) == {"a": 10, "b": 10}
    assert daemon.wait_for_flows(20)[0]["chosen_by"] == "round-robin"


# least-connections

def test_least_connections_levels_out(strait, loopback):
    """Open connections are spread evenly, and where some have ended new ones go first."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    daemon = start(strait, loopback, servers, "least-connections")
    held = Held(loopback)
    held.open(12)
    assert held.counts() == {"a": 4, "b": 4, "c": 4}
    held.close("b")
    daemon.wait_for_active("web", 8)
    assert held.open(4) == ["b"] * 4
    held.close()


def test_least_connections_weights(strait, loopback):
    """A server of weight 2 holds twice as many."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    start(strait, loopback, servers, "least-connections", a="weight=2")
    held = Held(loopback)
    held.open(20)
    assert held.counts() == {"a": 10, "b": 5, "c": 5}
    held.close()


def test_least_connections_ties_are_fair(strait, loopback):
    """One short connection after another, never two at once: no server is preferred."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    daemon = start(strait, loopback, servers, "least-connections")
    counts = Counter()
    for _ in range(90):
        counts[who(loopback.client, FRONT)] += 1
        if sum(counts.values()) % 10 == 0:
            daemon.wait_for_active("web", 0)
    assert min(counts[n] for n in "abc") >= 12, counts


# source-hash and maglev

CONSISTENT = pytest.mark.parametrize("balance", ["source-hash", "maglev"])


def clients_of(lab, count):
    """What server each of many client addresses is given."""
    hosts = [f"127.9.{i // 200}.{i % 200 + 1}" for i in range(count)]
    return {host: who(lab.client, FRONT, (host, 0)) for host in hosts}


@CONSISTENT
def test_hash_is_stable(strait, loopback, balance):
    """One client address always comes to the same server, from any port, and every server has clients."""
    servers = name_servers(loopback.server, 5, "127.0.0.1")
    start(strait, loopback, servers, balance)
    first = clients_of(loopback, 300)
    assert clients_of(loopback, 300) == first
    counts = Counter(first.values())
    assert min(counts[n] for n in "abcde") >= 20, counts


def moved_share(before, after):
    return sum(before[host] != after[host] for host in before) / len(before)


@CONSISTENT
def test_hash_server_lost(strait, loopback, balance):
    """When one of five servers is down, only about its fifth of the clients move; when it is back they return."""
    servers = name_servers(loopback.server, 5, "127.0.0.1")
    daemon = start(strait, loopback, servers, balance, more=CHECK)
    before = clients_of(loopback, 500)
    servers["c"].kill()
    daemon.wait_for_state("web", "c", "down")
    after = clients_of(loopback, 500)
    assert "c" not in after.values()
    share = moved_share(before, after)
    print(f"{share:.1%} of the clients moved")
    assert share <= 0.20 + 0.08
    servers["c"].start_again()
    daemon.wait_for_state("web", "c", "up")
    assert moved_share(before, clients_of(loopback, 500)) == 0


@CONSISTENT
@pytest.mark.parametrize("change", ["drain", "remove"])
def test_hash_server_removed(strait, loopback, balance, change):
    """A daemon whose file has one of the five servers drained or removed moves about a fifth of the clients."""
    servers = name_servers(loopback.server, 5, "127.0.0.1")
    daemon = start(strait, loopback, servers, balance)
    before = clients_of(loopback, 500)
    daemon.stop()
    if change == "drain":
        start(strait, loopback, servers, balance, c="drain")
    else:
        start(strait, loopback, {n: s for n, s in servers.items() if n != "c"}, balance)
    after = clients_of(loopback, 500)
    assert "c" not in after.values()
    assert moved_share(before, after) <= 0.20 + 0.08


@CONSISTENT
def test_hash_server_removed_by_a_reload(strait, loopback, balance):
    """A reload that removes one of five servers moves its clients, and of the others next to none."""
    servers = name_servers(loopback.server, 5, "127.0.0.1")
    daemon = start(strait, loopback, servers, balance)
    before = clients_of(loopback, 500)
    rest = {n: s for n, s in servers.items() if n != "c"}
    text = CONFIGURATION.format(balance=balance, more="", servers=server_lines(rest))
    assert daemon.hang_up(text)["event"] == "reloaded"
    after = clients_of(loopback, 500)
    assert "c" not in after.values()
    kept = {host: name for host, name in before.items() if name != "c"}
    share = moved_share(kept, after)
    print(f"{share:.1%} of the clients of other servers moved")
    assert share <= (0 if balance == "source-hash" else 0.03)


def test_maglev_shares_are_even(strait, loopback):
    """Five equal servers get a fifth of the clients each, but for the chance in who comes."""
    servers = name_servers(loopback.server, 5, "127.0.0.1")
    start(strait, loopback, servers, "maglev")
    counts = Counter(clients_of(loopback, 1000).values())
    assert min(counts[n] for n in "abcde") >= 130 and max(counts.values()) <= 270, counts


@CONSISTENT
def test_hash_weights(strait, loopback, balance):
    """A server of weight 3 among two of weight 1 has about three fifths of the clients."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    start(strait, loopback, servers, balance, a="weight=3")
    counts = Counter(clients_of(loopback, 500).values())
    assert 200 <= counts["a"] <= 400, counts


@CONSISTENT
def test_hash_is_the_same_for_udp(strait, loopback, balance):
    """A client of a service with both protocols comes to the same server with both."""
    servers = name_servers(loopback.server, 5, "127.0.0.1")
    start(strait, loopback, servers, balance)
    for host, name in clients_of(loopback, 40).items():
        with loopback.client.udp(FRONT, source=(host, 0)) as s:
            assert ask(s)[0] == name


# bounded loads

@CONSISTENT
def test_load_bound_spills_over(strait, loopback, balance):
    """Many connections of one client stay on its server; with load=125% none has more than that part of its share."""
    servers = name_servers(loopback.server, 4, "127.0.0.1")
    daemon = start(strait, loopback, servers, balance)
    held = Held(loopback)
    assert len(set(held.open(40))) == 1
    held.close()
    daemon.stop()
    daemon = start(strait, loopback, servers, f"{balance} load=125%")
    held.open(40)
    assert max(held.counts().values()) <= 13, held.counts()  # 1.25 * 40 / 4, rounded up
    assert len(held.counts()) == 4
    home = held.sockets[0][0]
    held.close()
    daemon.wait_for_active("web", 0)
    assert set(names(loopback, 1)) == {home}


@CONSISTENT
def test_load_bound_for_sessions(strait, loopback, balance):
    """UDP sessions of one client spill over like its connections, and both count."""
    servers = name_servers(loopback.server, 4, "127.0.0.1")
    start(strait, loopback, servers, f"{balance} load=150%")
    held = Held(loopback)
    held.open(10)
    clients = [loopback.client.udp(FRONT) for _ in range(30)]
    counts = held.counts() + Counter(ask(s)[0] for s in clients)
    assert max(counts.values()) <= 15, counts
    for s in clients:
        s.close()
    held.close()


@CONSISTENT
def test_load_bound_comes_with_a_reload(strait, loopback, balance):
    """A bound set by a reload goes by the connections that are there, and one that is removed is forgotten."""
    servers = name_servers(loopback.server, 4, "127.0.0.1")
    daemon = start(strait, loopback, servers, balance)
    held = Held(loopback)
    home = held.open(20)[0]

    def reload(balance):
        text = CONFIGURATION.format(balance=balance, more="", servers=server_lines(servers))
        event = daemon.hang_up(text)
        assert (event["event"], event["changes"]) == ("reloaded", 1)

    reload(f"{balance} load=125%")
    assert home not in held.open(16)
    assert max(n for name, n in held.counts().items() if name != home) <= 12, held.counts()
    reload(balance)
    assert set(held.open(10)) == {home}
    reload(f"{balance} load=125%")
    held.close()
    daemon.wait_for_active("web", 0)
    assert set(names(loopback, 1)) == {home}


# random and first

def test_random_uses_all(strait, loopback):
    """Random choices come out about even."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    start(strait, loopback, servers, "random")
    counts = Counter(names(loopback, 240))
    assert min(counts[n] for n in "abc") >= 30, counts


def test_random_prefers_the_less_loaded(strait, loopback):
    """Of two random choices the less loaded is taken: held connections level out far better than by chance."""
    servers = name_servers(loopback.server, 4, "127.0.0.1")
    start(strait, loopback, servers, "random")
    held = Held(loopback)
    held.open(80)
    counts = held.counts()
    assert max(counts.values()) - min(counts[n] for n in "abcd") <= 8, counts
    held.close()


def test_first(strait, loopback):
    """`first` uses the first server as long as it is up, then the second."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    daemon = start(strait, loopback, servers, "first", more=CHECK)
    assert set(names(loopback, 20)) == {"a"}
    servers["a"].kill()
    daemon.wait_for_state("web", "a", "down")
    assert set(names(loopback, 20)) == {"b"}
    servers["a"].start_again()
    daemon.wait_for_state("web", "a", "up")
    assert set(names(loopback, 20)) == {"a"}


# eligibility

@pytest.mark.parametrize("balance", ["round-robin", "least-connections", "source-hash", "random", "maglev", "first"])
def test_drained_and_maintained_get_nothing(strait, loopback, balance):
    """A server that is drained or in maintenance gets no new flow, whatever the algorithm."""
    servers = name_servers(loopback.server, 4, "127.0.0.1")
    daemon = start(strait, loopback, servers, balance, a="drain", b="maint")
    got = {who(loopback.client, FRONT, (f"127.7.0.{i + 1}", 0)) for i in range(40)}
    assert got <= {"c", "d"}
    assert daemon.server("web", "a")["state"] == "drain"
    assert daemon.server("web", "b")["state"] == "maint"


@pytest.mark.parametrize("balance", ["round-robin", "least-connections", "source-hash", "random", "maglev", "first"])
def test_backup_only_without_primaries(strait, loopback, balance):
    """A backup is used when no primary is up, and no longer when one is back."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    daemon = start(strait, loopback, servers, balance, more=CHECK, c="backup")
    assert set(names(loopback, 12)) <= {"a", "b"}
    servers["a"].kill()
    servers["b"].kill()
    for name in "ab":
        daemon.wait_for_state("web", name, "down")
    assert set(names(loopback, 12)) == {"c"}
    servers["b"].start_again()
    daemon.wait_for_state("web", "b", "up")
    assert set(names(loopback, 12)) == {"b"}


@pytest.mark.parametrize("balance", ["round-robin", "least-connections", "source-hash", "random", "maglev", "first"])
def test_max_connections(strait, loopback, balance):
    """A server at `max-connections=` gets no more; with all full clients are refused; then there is room again."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = start(strait, loopback, servers, balance, a="max-connections=2", b="max-connections=3")
    held = Held(loopback)
    held.open(5)
    assert held.counts() == {"a": 2, "b": 3}
    assert is_refused(loopback.client, FRONT)
    refusal = daemon.wait_for_flows(1)[0]
    assert refusal["reason"] in ("no_server", "limit_connections")
    held.close("a")
    daemon.wait_for_active("web", 3)
    assert held.open(1) == ["a"]
    held.close()


def test_max_connections_under_a_rush(strait, loopback):
    """Connections that come at the same moment to several workers do not exceed `max-connections=`."""
    servers = name_servers(loopback.server, 1, "127.0.0.1")
    daemon = start(strait, loopback, servers, "round-robin", workers=4, a="max-connections=10")
    sockets = [loopback.client.socket() for _ in range(60)]
    for s in sockets:
        s.setblocking(False)
        s.connect_ex(FRONT)
    for s in sockets:
        s.settimeout(5)
    served = sum(is_answered(s) for s in sockets)
    assert served == 10
    assert daemon.server("web", "a")["flows_active"] == 10
    for s in sockets:
        s.close()
    daemon.wait_for_active("web", 0)
    assert who(loopback.client, FRONT) == "a"


def is_answered(s):
    try:
        return ask(s)[0] == "a"
    except (OSError, AssertionError):
        return False


def test_chosen_by(strait, loopback):
    """The record says by which algorithm the server was chosen."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = start(strait, loopback, servers, "least-connections")
    who(loopback.client, FRONT)
    assert daemon.wait_for_flows(1)[0]["chosen_by"] == "least-connections"


def test_totals_by_server(strait, loopback):
    """The status counts flows by server."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = start(strait, loopback, servers, "round-robin", workers=1)
    names(loopback, 10)
    eventually(lambda: [daemon.server("web", n)["flows_total"] for n in "ab"] == [5, 5])
    daemon.wait_for_active("web", 0)
    assert [daemon.server("web", n)["flows_active"] for n in "ab"] == [0, 0]
