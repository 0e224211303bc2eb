# SPDX-License-Identifier: Apache-2.0
"""UDP sessions: each reply to its own client, datagrams unchanged, and an end as configured."""

import os
import random
import selectors
import socket
import struct
import time

import pytest

import process
from lab import address_text
from servers import name_servers, server_lines, small_server
from traffic import ask
from waiting import eventually, thread

SOL_UDP, UDP_SEGMENT = 17, 103
SIZES = [0, 1, 1472, 1473, 9000, 24001, 65507]
CONFIGURATION = """
service game {{
    listen udp {listen}
    {more}
    to game
}}
pool game {{
    {pool}
    {servers}
}}
"""


def configuration(listen="127.0.0.1:8000", more="", pool="", servers="server 127.0.0.1:9000"):
    return CONFIGURATION.format(listen=listen, more=more, pool=pool, servers=servers)


def answer_to(s, data):
    s.send(data)
    return s.recv(70_000)


def silence(s, seconds=0.7):
    """True if nothing comes for a while."""
    s.settimeout(seconds)
    try:
        s.recv(70_000)
        return False
    except (TimeoutError, ConnectionRefusedError):
        return True


# who gets what

@pytest.mark.parametrize("version", [4, 6])
def test_500_clients(strait, lab, version):
    """Of 500 clients that talk at once each gets every reply to its own questions, and no other."""
    lines = []
    for i in range(3):
        address = (lab.back[version], 9101 + i)
        small_server(lab.server, "echo", address)
        lines.append(f"server {address_text(*address)}")
    listen = (lab.front[version], 8000)
    daemon = strait(lab.proxy, configuration(address_text(*listen), servers="\n".join(lines)))
    clients = [lab.client.udp(listen) for _ in range(500)]
    for turn in range(5):
        talk_all_at_once(clients, turn)
    assert daemon.service("game")["flows_active"] == 500
    for s in clients:
        s.close()


def talk_all_at_once(clients, turn):
    """Everybody sends a text of its own, fifty at a time, and then reads what came."""
    for start in range(0, len(clients), 50):
        group = list(enumerate(clients))[start:start + 50]
        for i, s in group:
            s.send(f"client {i} turn {turn}".encode())
        for i, s in group:
            assert s.recv(100) == f"client {i} turn {turn}".encode()


@pytest.mark.parametrize("front,back", [(4, 4), (6, 6), (4, 6), (6, 4)])
def test_sizes(strait, lab, front, back):
    """Datagrams of 0 to 65,507 bytes pass unchanged both ways, each as one datagram."""
    address, listen = (lab.back[back], 9000), (lab.front[front], 8000)
    small_server(lab.server, "echo", address)
    daemon = strait(lab.proxy, configuration(address_text(*listen), servers=f"server {address_text(*address)}"))
    with lab.client.udp(listen) as s:
        for size in SIZES:
            data = os.urandom(size)
            assert answer_to(s, data) == data, f"{size} bytes"
    daemon.stop()
    record = daemon.wait_for_flows(1)[0]
    assert (record["packets_in"], record["packets_out"]) == (len(SIZES), len(SIZES))
    assert (record["bytes_in"], record["bytes_out"]) == (sum(SIZES), sum(SIZES))


def test_boundaries(strait, loopback):
    """Datagrams sent in a burst are neither joined nor split, whatever their sizes, and keep their order."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    strait(loopback.proxy, configuration())
    sizes = [random.Random(7).choice([0, 1, 2, 100, 100, 100, 1200, 1472, 3000]) for _ in range(600)]
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        for start in range(0, len(sizes), 20):
            burst = [bytes([start // 20 % 251]) * size for size in sizes[start:start + 20]]
            for data in burst:
                s.send(data)
            assert [s.recv(70_000) for _ in burst] == burst


def test_bursts_of_replies(strait, loopback):
    """A server that answers with many datagrams at once, singly and as trains: all come, in order, as they were."""
    def replies(i):
        train = bytes([i]) * 1200 * 30 + b"end"
        return [b"first", *[b"%d" % j * (j + 1) for j in range(20)]], train

    def serve():
        for i in range(20):
            _, client = server.recvfrom(100)
            singles, train = replies(i)
            for data in singles:
                server.sendto(data, client)
            server.sendmsg([train], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", 1200))], 0, client)
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration())
    work = thread(serve)
    with server, loopback.client.udp(("127.0.0.1", 8000)) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        for i in range(20):
            s.send(b"?")
            singles, train = replies(i)
            expected = singles + [train[at:at + 1200] for at in range(0, len(train), 1200)]
            assert [s.recv(70_000) for _ in expected] == expected
        work.join()
    daemon.stop()
    assert daemon.wait_for_flows(1)[0]["packets_out"] == 20 * len(expected)


def test_one_client_one_server(strait, loopback):
    """All datagrams of a session go to one server, from one source port."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    strait(loopback.proxy, configuration(servers=server_lines(servers)))
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        assert len({ask(s) for _ in range(30)}) == 1


@pytest.mark.parametrize("version", [4, 6])
def test_reply_comes_from_the_address_asked(strait, lab, version):
    """On a wildcard listener the reply comes from the very address that the client had asked."""
    address = (lab.back[version], 9000)
    small_server(lab.server, "echo", address)
    wildcard = {4: "*:8000", 6: "[::]:8000"}[version]
    strait(lab.proxy, configuration(wildcard, servers=f"server {address_text(*address)}"))
    with lab.client.udp(source=(lab.clients[version], 0)) as s:
        for host in (lab.front[version], lab.front_other[version], lab.front[version]):
            s.sendto(host.encode(), (host, 8000))
            data, sender = s.recvfrom(100)
            assert (data.decode(), sender[:2]) == (host, (host, 8000))


@pytest.mark.parametrize("listen", [":8000", "*:8000 [::]:8000"])
def test_both_families_on_one_port(strait, lab, listen):
    """`:PORT` and `*:PORT [::]:PORT` serve both families, each from the address asked."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    strait(lab.proxy, configuration(listen, servers=f"server {lab.back[4]}:9000"))
    for version in (4, 6):
        for host in (lab.front[version], lab.front_other[version]):
            with lab.client.udp(source=(lab.clients[version], 0)) as s:
                s.sendto(b"x", (host, 8000))
                data, sender = s.recvfrom(100)
                assert (data, sender[:2]) == (b"x", (host, 8000))


def test_same_client_two_listen_addresses(strait, lab):
    """One client socket that asks two addresses has two sessions, and each reply comes from the right one."""
    servers = name_servers(lab.server, 1, lab.back[4])
    daemon = strait(lab.proxy, configuration("*:8000", servers=server_lines(servers)))
    ports = {}
    with lab.client.udp(source=(lab.clients[4], 0)) as s:
        for host in (lab.front[4], lab.front_other[4]):
            s.sendto(b"who", (host, 8000))
            data, sender = s.recvfrom(100)
            assert sender[0] == host
            ports[host] = data.split()[1]
    assert len(set(ports.values())) == 2
    assert daemon.service("game")["flows_active"] == 2


def test_server_may_send_on_its_own(strait, loopback):
    """A session passes any number of datagrams from the server, at any time, not only one for each question."""
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    strait(loopback.proxy, configuration())
    with server, loopback.client.udp(("127.0.0.1", 8000)) as s:
        s.send(b"subscribe")
        _, session = server.recvfrom(100)
        for i in range(50):
            server.sendto(f"news {i}".encode(), session)
            assert s.recv(100) == f"news {i}".encode()
        time.sleep(0.5)
        server.sendto(b"late news", session)
        assert s.recv(100) == b"late news"


def test_strangers_cannot_answer(strait, loopback):
    """A datagram to a session's port from anybody but its server does not reach the client."""
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    stranger = loopback.server.udp(source=("127.0.0.1", 9666))
    strait(loopback.proxy, configuration())
    with server, stranger, loopback.client.udp(("127.0.0.1", 8000)) as s:
        s.send(b"hello")
        _, session = server.recvfrom(100)
        stranger.sendto(b"forged", session)
        server.sendto(b"true", session)
        assert s.recv(100) == b"true"


# how sessions end

def test_idle_sessions_end(strait, loopback):
    """An answered session ends after `session idle=`; the next datagram begins a new one."""
    name_servers(loopback.server, 1, "127.0.0.1", 9000)
    daemon = strait(loopback.proxy, configuration(more="session idle=1s new=30s"))
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        first = ask(s)
        record = daemon.wait_for_flows(1)[0]
        assert record["reason"] == "idle_timeout"
        assert 800 <= record["duration_ms"] <= 6000
        assert (record["packets_in"], record["packets_out"]) == (1, 1)
        daemon.wait_for_active("game", 0)
        assert ask(s) != first, "the new session has a source port of its own"


def test_traffic_keeps_a_session(strait, loopback):
    """Datagrams of either side put off the idle end."""
    name_servers(loopback.server, 1, "127.0.0.1", 9000)
    daemon = strait(loopback.proxy, configuration(more="session idle=1500ms new=1500ms"))
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        answers = set()
        for _ in range(10):
            answers.add(ask(s))
            time.sleep(0.4)
    assert len(answers) == 1
    assert daemon.flows() == []


def test_unanswered_sessions_end_after_new(strait, loopback):
    """A session without any reply ends after `session new=`, however long `idle=` is."""
    small_server(loopback.server, "mute", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration(more="session idle=10m new=1s"))
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        s.send(b"hello?")
        record = daemon.wait_for_flows(1)[0]
    assert record["reason"] == "idle_timeout"
    assert 800 <= record["duration_ms"] <= 6000
    assert (record["packets_in"], record["packets_out"]) == (1, 0)


def test_new_holds_only_until_the_first_reply(strait, loopback):
    """After the first reply `idle=` counts, and `new=` no longer."""
    name_servers(loopback.server, 1, "127.0.0.1", 9000)
    daemon = strait(loopback.proxy, configuration(more="session idle=10m new=500ms"))
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        first = ask(s)
        time.sleep(2)
        assert ask(s) == first
    assert daemon.flows() == []


def test_replies_1(strait, loopback):
    """With `replies=1` a session ends with the reply: nothing waits for a time-out."""
    name_servers(loopback.server, 1, "127.0.0.1", 9000)
    daemon = strait(loopback.proxy, configuration(more="session idle=10m new=10m replies=1"))
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        ask(s)
        record = daemon.wait_for_flows(1, timeout=5)[0]
        assert record["reason"] == "replies_done"
        ask(s)
    daemon.wait_for_flows(2, timeout=5, reason="replies_done")
    daemon.wait_for_active("game", 0)


def test_replies_1_for_each_datagram(strait, loopback):
    """N replies to each datagram of the client: two questions before the first reply wait for two replies."""
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration(more="session idle=10m new=10m replies=1"))
    with server, loopback.client.udp(("127.0.0.1", 8000)) as s:
        s.send(b"one")
        s.send(b"two")
        sessions = [server.recvfrom(100)[1] for _ in range(2)]
        assert sessions[0] == sessions[1]
        server.sendto(b"1", sessions[0])
        assert s.recv(10) == b"1"
        time.sleep(0.3)
        assert daemon.flows() == []
        server.sendto(b"2", sessions[0])
        assert s.recv(10) == b"2"
        assert daemon.wait_for_flows(1, timeout=5)[0]["reason"] == "replies_done"


def test_replies_3(strait, loopback):
    """With `replies=3` all three replies arrive, then the session ends."""
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration(more="session idle=10m new=10m replies=3"))
    with server, loopback.client.udp(("127.0.0.1", 8000)) as s:
        s.send(b"?")
        _, session = server.recvfrom(10)
        for reply in (b"1", b"2", b"3"):
            assert daemon.flows() == []
            server.sendto(reply, session)
            assert s.recv(10) == reply
        record = daemon.wait_for_flows(1, timeout=5)[0]
    assert (record["reason"], record["packets_out"]) == ("replies_done", 3)


def test_replies_0(strait, loopback):
    """With `replies=0` (syslog, metrics) the datagram is delivered and nothing is kept."""
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration(more="session idle=10m new=10m replies=0"))
    with server, loopback.client.udp(("127.0.0.1", 8000)) as s:
        for i in range(20):
            s.send(f"log line {i}".encode())
        got = {server.recv(100).decode() for _ in range(20)}
    assert got == {f"log line {i}" for i in range(20)}
    assert daemon.wait_for_flows(1, timeout=5)[0]["reason"] == "replies_done"
    daemon.wait_for_active("game", 0)


def test_requests(strait, loopback):
    """With `requests=2` the third datagram begins a new session, and the old one still delivers its replies."""
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    strait(loopback.proxy, configuration(more="session idle=30s new=30s requests=2"))
    with server, loopback.client.udp(("127.0.0.1", 8000)) as s:
        sources = []
        for i in range(6):
            s.send(bytes([i]))
            sources.append(server.recvfrom(10)[1])
        assert sources[0] == sources[1] and sources[2] == sources[3] and sources[4] == sources[5]
        assert len(set(sources)) == 3
        server.sendto(b"late", sources[0])
        assert s.recv(10) == b"late"


def test_requests_spread_one_client(strait, loopback):
    """With `requests=1` even a single client's datagrams are balanced over the servers."""
    servers = name_servers(loopback.server, 3, "127.0.0.1")
    strait(loopback.proxy, configuration(more="session requests=1", servers=server_lines(servers)), workers=1)
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        names = [ask(s)[0] for _ in range(30)]
    assert {n: names.count(n) for n in "abc"} == {"a": 10, "b": 10, "c": 10}


# limits and errors

def test_limit_sessions(strait, loopback):
    """Over `limit sessions=` new clients are refused and counted, those inside go on, and room is used again."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration(more="limit sessions=20\nsession idle=3s new=3s"))
    inside = [loopback.client.udp(("127.0.0.1", 8000)) for _ in range(20)]
    for s in inside:
        assert answer_to(s, b"in") == b"in"
    with loopback.client.udp(("127.0.0.1", 8000)) as late:
        late.send(b"me too")
        assert silence(late)
        assert daemon.wait_for_flows(1, reason="limit_sessions")[0]["service"] == "game"
        for s in inside:
            assert answer_to(s, b"still in") == b"still in"
        daemon.wait_for_flows(20, reason="idle_timeout")
        late.settimeout(5)
        assert answer_to(late, b"now") == b"now"
    for s in inside:
        s.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_global_limit_sessions(strait, loopback, workers):
    """The ceiling for the whole daemon holds, too."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, "limit sessions=10\n" + configuration(), workers=workers)
    clients = [loopback.client.udp(("127.0.0.1", 8000), timeout=1) for _ in range(14)]
    served = 0
    for s in clients:
        s.send(b"x")
        try:
            served += s.recv(10) == b"x"
        except TimeoutError:
            pass
    assert served == 10
    assert daemon.wait_for_flows(4, reason="limit_sessions")
    for s in clients:
        s.close()


def test_unreachable_server_does_not_disturb_another(strait, loopback):
    """ICMP errors of a dead server do not fail what other clients send to a living one."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    strait(loopback.proxy, configuration(servers="server 127.0.0.1:9001\nserver 127.0.0.1:9002"), workers=1)
    clients = [loopback.client.udp(("127.0.0.1", 8000), timeout=0.5) for _ in range(10)]
    served = [s for s in clients if has_answer(s)]
    assert len(served) == 5, "every other client has the living server"
    for s in served:
        s.settimeout(10)
    for _ in range(30):
        for s in clients:
            send_quietly(s, b"again")
        for s in served:
            assert s.recv(10) == b"again"
    for s in clients:
        s.close()


def has_answer(s):
    s.send(b"hello")
    try:
        return s.recv(10) == b"hello"
    except OSError:
        return False


def send_quietly(s, data):
    try:
        s.send(data)
    except OSError:
        pass


def test_vanished_client_does_not_disturb_another(strait, loopback):
    """ICMP errors of clients that are gone do not cost another client a reply, nor strait its CPU time."""
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration(), workers=1)
    with server, loopback.client.udp(("127.0.0.1", 8000)) as staying:
        staying.send(b"I stay")
        stays = server.recvfrom(100)[1]
        for i in range(60):
            with loopback.client.udp(("127.0.0.1", 8000)) as leaving:
                leaving.send(b"I go")
                gone = server.recvfrom(100)[1]
            server.sendto(b"to nobody", gone)
            server.sendto(f"to somebody {i}".encode(), stays)
            server.sendto(b"to nobody", gone)
            assert staying.recv(100) == f"to somebody {i}".encode()
        assert process.cpu_share(daemon.pid) < 0.2
        staying.send(b"still here")
        assert server.recv(100) == b"still here"


def test_one_flood_does_not_starve_others(strait, loopback):
    """While one client sends as fast as it can, others still get their replies."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    strait(loopback.proxy, configuration())
    until = time.monotonic() + 3
    work = thread(flood, loopback, until)
    answered = asked = 0
    with loopback.client.udp(("127.0.0.1", 8000), timeout=1) as s:
        while time.monotonic() < until:
            asked += 1
            s.send(b"%d" % asked)
            try:
                while s.recv(20) != b"%d" % asked:
                    pass
                answered += 1
            except TimeoutError:
                pass
            time.sleep(0.02)
    work.join()
    assert answered >= asked / 2, f"{answered} of {asked}"


def flood(loopback, until):
    with loopback.client.udp(("127.0.0.1", 8000)) as s, selectors.DefaultSelector() as selector:
        s.setblocking(False)
        selector.register(s, selectors.EVENT_READ)
        while time.monotonic() < until:
            for _ in range(50):
                send_quietly(s, bytes(200))
            try:
                while s.recv(300):
                    pass
            except BlockingIOError:
                pass


def test_tcp_and_udp_on_one_port(strait, loopback):
    """One service can listen with both protocols on one port; they do not confuse each other."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, configuration(listen="127.0.0.1:8000\n    listen tcp 127.0.0.1:8000"))
    with loopback.client.udp(("127.0.0.1", 8000)) as u, loopback.client.connect(("127.0.0.1", 8000)) as t:
        for _ in range(10):
            assert answer_to(u, b"datagram") == b"datagram"
            t.sendall(b"stream")
            assert t.recv(10) == b"stream"
    daemon.stop()
    assert {f["protocol"] for f in daemon.wait_for_flows(2)} == {"tcp", "udp"}


def test_sessions_survive_load_on_all_workers(strait, loopback):
    """Sessions spread over several workers keep server and source port over many rounds."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    strait(loopback.proxy, configuration(servers=server_lines(servers)), workers=4)
    clients = [loopback.client.udp(("127.0.0.1", 8000)) for _ in range(100)]
    first = [ask(s) for s in clients]
    for _ in range(4):
        assert [ask(s) for s in clients] == first
    for s in clients:
        s.close()


def test_datagrams_that_wait_at_the_end(strait, loopback):
    """The first datagram of a session is delivered even if the client is gone by then."""
    server = loopback.server.udp(source=("127.0.0.1", 9000))
    strait(loopback.proxy, configuration())
    with server:
        for i in range(20):
            with loopback.client.udp(("127.0.0.1", 8000)) as s:
                s.send(f"last words {i}".encode())
            assert server.recv(100) == f"last words {i}".encode()


def test_server_sessions_move_when_it_is_down(strait, loopback):
    """A session whose server was found down moves to another one with its next datagram."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    check = "check udp send=\"ping\" expect=\"pong\" every=200ms timeout=200ms rise=1 fall=2"
    daemon = strait(loopback.proxy, configuration(pool=check, servers=server_lines(servers)))
    with loopback.client.udp(("127.0.0.1", 8000)) as s:
        name, _ = ask(s)
        servers[name].kill()
        daemon.wait_for_event("server_down", server=name)
        other = "b" if name == "a" else "a"
        assert eventually(lambda: ask_quietly(s), 5)[0] == other


def ask_quietly(s):
    s.settimeout(1)
    return ask(s)


@pytest.mark.parametrize("version", [4, 6])
def test_a_narrow_path_is_no_failure_of_the_server(strait, lab, version):
    """Datagrams that are larger than a path behind the next router: what ICMP says of it ejects nobody."""
    end, far = lab.narrow_path(version)
    front = (lab.front[version], 8000)
    daemon = strait(lab.proxy, configuration(listen=address_text(*front), pool="eject failures=1 for=1h",
                                             servers=f"server {address_text(far, 9000)}"))
    with end.udp(source=(far, 9000)) as server, lab.client.udp(front) as s:
        server.settimeout(0.2)

        def arrives():
            s.send(bytes(1400))
            try:
                return server.recv(2000) == bytes(1400)
            except TimeoutError:
                return False
        for _ in range(3):
            eventually(arrives, what="a large datagram arrives")
        assert daemon.server("game", address_text(far, 9000))["connect_failures_total"] == 0
    assert daemon.events("server_down") == []
