# SPDX-License-Identifier: Apache-2.0
"""The queue: connections wait for a place while all servers that are up have max-connections, first come first served."""

import select
import selectors
import socket
import threading
import time

import pytest

import process
from daemon import is_sanitized
from servers import Scripted, name_servers, small_server
from traffic import ask, ending, exchange, is_refused, receive_all, receive_exactly, receive_line, reset, who
from waiting import eventually, thread

FRONT, OTHER = ("127.0.0.1", 8000), ("127.0.0.1", 8001)
LONG = "timeout queue=1m"


def service(name="web", listen="127.0.0.1:8000", to="web", more=LONG):
    return f"service {name} {{\n listen {listen}\n listen udp {listen}\n to {to}\n {more}\n}}\n"


def pool(*ports, name="web", places=1, more=""):
    servers = "\n".join(f" server 127.0.0.1:{port} name=s{port} max-connections={places}" for port in ports)
    return f"pool {name} {{\n{more}\n{servers}\n}}\n"


def start(strait, loopback, more=LONG, places=1, mode="echo", **options):
    small_server(loopback.server, mode, ("127.0.0.1", 9001))
    return strait(loopback.proxy, service(more=more) + pool(9001, places=places), **options)


def wait_for_queued(daemon, count, name="web", timeout=10):
    eventually(lambda: daemon.service(name)["queued"] == count, timeout, what=f"{count} connections wait")


def join(loopback, daemon, count, front=FRONT, before=0, data=b"hello"):
    """So many clients stand in the queue, in this order; each has already said something."""
    clients = []
    for i in range(count):
        clients.append(loopback.client.connect(front))
        clients[-1].sendall(data)
        wait_for_queued(daemon, before + i + 1)
    return clients


def is_silent(s, seconds=0.0):
    """Nothing has come: neither bytes nor an end."""
    s.settimeout(seconds or 0.001)
    try:
        s.recv(1, socket.MSG_PEEK)
        return False
    except TimeoutError:
        return True
    except OSError:
        return False
    finally:
        s.settimeout(10)


# in order

@pytest.mark.parametrize("workers", [1, 2])
def test_first_come_first_served(strait, loopback, workers):
    """Each place that becomes free goes to whoever has waited longest, on whatever worker; what was said is not lost."""
    daemon = start(strait, loopback, workers=workers)
    served = exchange(loopback.client.connect(FRONT))
    waiting = join(loopback, daemon, 20)
    assert daemon.service("web")["flows_active"] == 21
    for i, s in enumerate(waiting):
        served.close()
        assert receive_exactly(s, 5) == b"hello"
        assert all(is_silent(other) for other in waiting[i + 1:])
        served = s
    served.close()
    assert len(daemon.wait_for_flows(21, reason="client_fin")) == 21
    found = daemon.service("web")
    assert (found["queued"], found["queued_total"], found["queue_timeouts_total"]) == (0, 20, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_new_connection_does_not_overtake(strait, loopback, workers):
    """When a place becomes free at the moment a client comes, it goes to the one who was there before."""
    daemon = start(strait, loopback, workers=workers)
    served = exchange(loopback.client.connect(FRONT))
    for _ in range(5):
        older, = join(loopback, daemon, 1)
        daemon.program.stop_and_hold()
        served.close()
        new = [loopback.client.connect(FRONT) for _ in range(10)]
        daemon.program.resume()
        assert receive_exactly(older, 5) == b"hello"
        wait_for_queued(daemon, 10)
        for s in new:
            reset(s)
        wait_for_queued(daemon, 0)
        served = older
    served.close()


def test_waiting_workers_are_served_promptly(strait, loopback):
    """A place goes from worker to worker at once, not when somebody happens to look."""
    daemon = start(strait, loopback, workers=4)
    served = exchange(loopback.client.connect(FRONT))
    waiting = [loopback.client.connect(FRONT, timeout=60) for _ in range(400)]
    wait_for_queued(daemon, 400)
    for s in waiting:
        s.sendall(b"hello")
    begun = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for s in waiting:
            selector.register(s, selectors.EVENT_READ)
        served.close()
        while selector.get_map():
            for key, _ in selector.select(60):
                assert receive_exactly(key.fileobj, 5) == b"hello"
                selector.unregister(key.fileobj)
                key.fileobj.close()
    # Three of four places go to another worker, which would look within a tenth of a second: half of that each time.
    assert time.monotonic() - begun < 10


def test_many_places_at_once(strait, loopback):
    """Workers hand on what they need not: as many as there are places are served without waiting for a look."""
    daemon = start(strait, loopback, workers=4, places=200)
    served = [exchange(loopback.client.connect(FRONT, timeout=60)) for _ in range(200)]
    waiting = []
    for i in range(300):
        waiting.append(loopback.client.connect(FRONT, timeout=60))
        waiting[-1].sendall(b"hello")
        wait_for_queued(daemon, i + 1)
    daemon.program.stop_and_hold()
    for s in served:
        reset(s)
    begun = time.monotonic()
    daemon.program.resume()
    for s in waiting[:200]:
        assert receive_exactly(s, 5) == b"hello"
    assert time.monotonic() - begun < 4
    assert all(is_silent(s) for s in waiting[200:])
    for s in waiting:
        reset(s)
    daemon.wait_for_active("web", 0)


def test_a_queue_without_movement_costs_nothing(strait, loopback):
    """Hundreds of waiting connections are just there."""
    daemon = start(strait, loopback)
    with exchange(loopback.client.connect(FRONT)):
        waiting = [loopback.client.connect(FRONT) for _ in range(500)]
        wait_for_queued(daemon, 500)
        share = process.cpu_share(daemon.pid, 2)
        assert share < 0.2, f"{share:.0%} of a CPU"
        for s in waiting:
            s.close()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_a_thousand_clients(strait, loopback, workers):
    """All are served, each once, and the server never sees more than max-connections at a time."""
    lock, now, peak, counts = threading.Lock(), 0, 0, {}

    def script(connection):
        nonlocal now, peak
        with lock:
            now += 1
            peak = max(peak, now)
        name = receive_line(connection)
        with lock:
            counts[name] = counts.get(name, 0) + 1
        time.sleep(0.002)
        with lock:
            now -= 1
        connection.sendall(name.encode() + b"\n")
    Scripted(loopback.server, ("127.0.0.1", 9001), script, timeout=60)
    daemon = strait(loopback.proxy, service() + pool(9001, places=7), workers=workers, nofile=4096)
    clients = []
    for i in range(1000):
        clients.append(loopback.client.connect(FRONT, timeout=60))
        clients[-1].sendall(b"client %d\n" % i)
    answers = {}
    with selectors.DefaultSelector() as selector:
        for i, s in enumerate(clients):
            selector.register(s, selectors.EVENT_READ, i)
        while selector.get_map():
            ready = selector.select(30)
            assert ready, f"{len(answers)} of 1000 were served"
            for key, _ in ready:
                answers[key.data] = receive_line(key.fileobj)
                selector.unregister(key.fileobj)
                key.fileobj.close()
    assert answers == {i: f"client {i}" for i in range(1000)}
    assert counts == {f"client {i}": 1 for i in range(1000)}
    assert 1 <= peak <= 7
    daemon.wait_for_active("web", 0)
    found = daemon.service("web")
    assert found["queued"] == 0 and found["queued_total"] > 900
    assert daemon.server("web", "s9001")["flows_active"] == 0


# who does not wait

def test_without_a_time_out_nobody_waits(strait, loopback):
    """A service without `timeout queue=` refuses at once, as ever."""
    daemon = start(strait, loopback, more="")
    with exchange(loopback.client.connect(FRONT)):
        assert is_refused(loopback.client, FRONT)
    assert daemon.wait_for_flows(1, reason="no_server")
    assert daemon.service("web")["queued_total"] == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_the_bound(strait, loopback, workers):
    """`limit queue=` holds for all workers together: over it clients are refused at once."""
    daemon = start(strait, loopback, more=LONG + "\n limit queue=3", workers=workers)
    served = exchange(loopback.client.connect(FRONT))
    waiting = join(loopback, daemon, 3)
    for _ in range(10):
        assert is_refused(loopback.client, FRONT)
    assert len(daemon.wait_for_flows(10, reason="no_server")) == 10
    served.close()
    receive_exactly(waiting[0], 5)
    waiting += join(loopback, daemon, 1, before=2)
    for s in waiting:
        s.settimeout(10)
        s.close()


def test_time_out(strait, loopback):
    """Who waits in vain is refused with no_server, and not before the time."""
    daemon = start(strait, loopback, more="timeout queue=700ms")
    with exchange(loopback.client.connect(FRONT)) as served:
        s, = join(loopback, daemon, 1)
        assert ending(s) == "reset"
        record = daemon.wait_for_flows(1)[0]
        assert record["reason"] == "no_server" and 650 <= record["duration_ms"] < 5000
        assert record["pool"] == "web" and not record["server"]
        found = daemon.service("web")
        assert (found["queued"], found["queue_timeouts_total"], found["refused"]) == (0, 1, {"no_server": 1})
        exchange(served)


def test_waiting_connections_count_for_limits(strait, loopback):
    """A connection that waits is a connection: it takes a place in `limit connections=`."""
    daemon = start(strait, loopback, more=LONG + "\n limit connections=2")
    served = exchange(loopback.client.connect(FRONT))
    join(loopback, daemon, 1)[0].settimeout(10)
    assert is_refused(loopback.client, FRONT)
    assert daemon.wait_for_flows(1)[0]["reason"] == "limit_connections"
    served.close()


# clients that change their mind

def test_a_client_that_goes_makes_room(strait, loopback):
    """A client that resets while it waits leaves the queue at once; those behind it move up."""
    daemon = start(strait, loopback, more=LONG + "\n limit queue=3")
    served = exchange(loopback.client.connect(FRONT))
    first, second, third = join(loopback, daemon, 3)
    reset(first)
    reset(second)
    wait_for_queued(daemon, 1)
    assert len(daemon.wait_for_flows(2, reason="client_rst")) == 2
    more = join(loopback, daemon, 2, before=1)
    served.close()
    for s in [third, *more]:
        assert receive_exactly(s, 5) == b"hello"
        s.close()


def test_a_client_that_has_said_all_still_waits(strait, loopback):
    """A half-close is no reason to lose the place: the server hears everything, and the client the answer."""
    daemon = start(strait, loopback)
    served = exchange(loopback.client.connect(FRONT))
    s, = join(loopback, daemon, 1)
    s.shutdown(socket.SHUT_WR)
    assert is_silent(s, 0.3)
    served.close()
    assert receive_all(s) == b"hello"


def test_much_that_was_said_before(strait, loopback):
    """A client may send as much as the kernel takes while it waits; all of it arrives."""
    daemon = start(strait, loopback)
    served = exchange(loopback.client.connect(FRONT))
    s = loopback.client.connect(FRONT, timeout=30)
    data = bytes(range(256)) * 20000
    sender = thread(s.sendall, data)
    wait_for_queued(daemon, 1)
    served.close()
    assert receive_exactly(s, len(data)) == data
    sender.join()


# servers that come and go

def raised(places):
    return service() + pool(9001, places=places)


@pytest.mark.parametrize("change", ["another server", "more places", "another pool", "no limit"])
def test_a_reload_wakes(strait, loopback, change):
    """Those who wait get the places that a new configuration brings, at once."""
    name_servers(loopback.server, 2, "127.0.0.1")
    daemon = strait(loopback.proxy, raised(1))
    held = loopback.client.connect(FRONT)
    ask(held)
    waiting = join(loopback, daemon, 3, data=b"who\n")
    others = {"another server": service() + pool(9001, 9002), "more places": raised(2),
              "another pool": service(to="new") + pool(9001) + pool(9002, name="new"),
              "no limit": raised(1).replace("max-connections=1", "")}
    event = daemon.hang_up(others[change])
    assert event["event"] == "reloaded" and event["changes"] >= 1
    wait_for_queued(daemon, 0 if change == "no limit" else 2)
    count = 3 if change == "no limit" else 1
    eventually(lambda: len(select.select(waiting, [], [], 0)[0]) >= count, what="those with a place are served")
    served = [s for s in waiting if not is_silent(s, 0.3)]
    assert len(served) == count
    if change != "another pool":  # workers move their lines one after the other
        assert served[0] == waiting[0]
    s = served[0]
    s.sendall(b"who\n")
    name = "b" if "another" in change else "a"
    assert [receive_line(s).split()[0] for _ in range(2)] == [name, name]
    for s in [held, *waiting]:
        s.close()


def test_a_reload_changes_the_time_out(strait, loopback):
    """A shorter time-out holds for those who wait already, and without one nobody waits any more."""
    daemon = start(strait, loopback)
    with exchange(loopback.client.connect(FRONT)) as served:
        waiting = join(loopback, daemon, 3)
        event = daemon.hang_up(service(more="timeout queue=200ms") + pool(9001))
        assert event["changes"] == 1
        assert [ending(s) for s in waiting] == ["reset"] * 3
        daemon.hang_up(service() + pool(9001))
        waiting = join(loopback, daemon, 3)
        daemon.hang_up(service(more="") + pool(9001))
        assert [ending(s) for s in waiting] == ["reset"] * 3
        assert len(daemon.wait_for_flows(6, reason="no_server")) == 6
        exchange(served)


def test_a_removed_service_serves_its_queue(strait, loopback):
    """Those who wait when their service goes are served while its pool is there, and end when that goes, too."""
    daemon = start(strait, loopback)
    served = exchange(loopback.client.connect(FRONT))
    first, second = join(loopback, daemon, 2)
    assert daemon.hang_up(service("more", "127.0.0.1:8001") + pool(9001))["event"] == "reloaded"
    served.close()
    assert receive_exactly(first, 5) == b"hello"
    small_server(loopback.server, "echo", ("127.0.0.1", 9002))
    daemon.hang_up(service("more", "127.0.0.1:8001", "new") + pool(9002, name="new"))
    assert ending(second) == "reset"
    exchange(first, b"still here").close()
    exchange(loopback.client.connect(OTHER)).close()
    eventually(lambda: daemon.status()["retired_count"] == 0, 20, what="nothing is left of them")


def test_a_server_that_goes_down(strait, loopback):
    """While no server is up those who wait go on waiting, and new clients are refused at once; then it returns."""
    server = small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    listener = small_server(loopback.server, "echo", ("127.0.0.1", 9009))
    text = service() + pool(9001, more="check tcp every=100ms timeout=1s rise=1 fall=1 port=9009")
    daemon = strait(loopback.proxy, text)
    served = exchange(loopback.client.connect(FRONT))
    s, = join(loopback, daemon, 1)
    listener.kill()
    daemon.wait_for_state("web", "s9001", "down")
    served.close()
    daemon.wait_for_active("web", 1)
    assert is_silent(s, 0.5)
    assert is_refused(loopback.client, FRONT)
    assert daemon.wait_for_flows(1, reason="no_server")
    listener.start_again()
    assert receive_exactly(s, 5) == b"hello"
    assert server.is_running()


def test_another_server_takes_over(strait, loopback):
    """A server that is down does not stop the queue for the others."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    text = service() + pool(9001, 9002, more="check tcp every=100ms timeout=1s fall=1 rise=1")
    daemon = strait(loopback.proxy, text)
    held = {}
    for _ in range(2):
        s = loopback.client.connect(FRONT)
        held[ask(s)[0]] = s
    waiting = join(loopback, daemon, 2, data=b"who\n")
    servers["b"].stop_and_hold()
    lab_port_is_lost(loopback, 9002)
    daemon.wait_for_state("web", "s9002", "down")
    for s in waiting:
        held["a"].close()
        assert receive_line(s).split()[0] == "a"
        held["a"] = s
    servers["b"].resume()


def lab_port_is_lost(loopback, port):
    """New connections to the port are refused; those that there are go on."""
    loopback.server.filter(f"table inet refuse {{ chain input {{ type filter hook input priority -300;\n"
                           f"tcp dport {port} tcp flags & (syn | ack) == syn reject with tcp reset\n }}\n }}\n")


def test_a_server_that_refuses_ends_the_wait(strait, loopback):
    """A place at a server that cannot be reached is a place: the client hears of it and is not kept."""
    server = small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    daemon = strait(loopback.proxy, service() + pool(9001))
    served = exchange(loopback.client.connect(FRONT))
    waiting = join(loopback, daemon, 3)
    server.kill()
    served.close()
    assert [ending(s) for s in waiting] == ["reset"] * 3
    assert len(daemon.wait_for_flows(3, reason="connect_refused")) == 3
    assert daemon.service("web")["queued"] == 0


def test_a_retry_that_finds_all_full_waits(strait, loopback):
    """After a failed connect the connection waits where the other servers are full, once the failed one is out."""
    name_servers(loopback.server, 1, "127.0.0.1")
    text = service(more=LONG + "\n retries 2") + pool(9001, 9002, more="balance first\n eject failures=1 for=60s")
    text = text.replace("server 127.0.0.1:9002 name=s9002", "server 127.0.0.1:9002 name=s9002 backup")
    daemon = strait(loopback.proxy, text)
    held = loopback.client.connect(FRONT)
    ask(held)
    s, = join(loopback, daemon, 1, data=b"who\n")
    assert is_silent(s, 0.3)
    held.close()
    assert receive_line(s).split()[0] == "a"
    s.close()
    tried = [record["tried"] for record in daemon.wait_for_flows(2, reason="client_fin", server="s9001")]
    assert sorted(tried) == [[], ["s9002"]]


def test_a_session_that_ends_makes_room(strait, loopback):
    """UDP sessions take places, too; they do not wait, but what they leave is taken by who does."""
    daemon = start(strait, loopback, more=LONG + "\n session idle=1s new=1s", workers=1)
    with loopback.client.udp(FRONT) as u:
        exchange(u, b"x")
        s, = join(loopback, daemon, 1)
        assert receive_exactly(s, 5) == b"hello"
        assert daemon.wait_for_flows(1, protocol="udp")[0]["reason"] == "idle_timeout"
        u.send(b"y")
        assert daemon.wait_for_flows(1, protocol="udp", reason="no_server")
        s.close()


def test_two_services_share_a_pool(strait, loopback):
    """They stand in one line, each within its own bound."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    text = service(more=LONG + "\n limit queue=1") + service("more", "127.0.0.1:8001") + pool(9001)
    daemon = strait(loopback.proxy, text)
    served = exchange(loopback.client.connect(OTHER))
    line = []
    for name, front in (("more", OTHER), ("web", FRONT), ("more", OTHER)):
        before = daemon.service(name)["queued"]
        line.append(loopback.client.connect(front))
        line[-1].sendall(b"hello")
        wait_for_queued(daemon, before + 1, name)
    assert is_refused(loopback.client, FRONT)
    for i, s in enumerate(line):
        served.close()
        assert receive_exactly(s, 5) == b"hello"
        assert all(is_silent(other) for other in line[i + 1:])
        served = s
    served.close()


# the end

def test_served_while_draining(strait, loopback):
    """After TERM those who wait are still served, and then the daemon ends."""
    daemon = start(strait, loopback)
    served = exchange(loopback.client.connect(FRONT))
    waiting = join(loopback, daemon, 4)
    daemon.terminate()
    daemon.wait_for_event("stopping")
    for s in waiting:
        served.close()
        assert receive_exactly(s, 5) == b"hello"
        served = s
    served.close()
    assert daemon.wait(10) == 0
    assert len(daemon.flows(reason="client_fin")) == 5


def test_the_drain_ends(strait, loopback):
    """Who still waits when the drain is over ends with the reason shutdown."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    daemon = strait(loopback.proxy, "timeout drain=500ms\n" + service() + pool(9001), workers=2)
    served = exchange(loopback.client.connect(FRONT))
    waiting = join(loopback, daemon, 4)
    daemon.terminate()
    assert daemon.wait(10) == 0
    assert len(daemon.flows(reason="shutdown")) == 5
    for s in [served, *waiting]:
        ending(s)


@pytest.mark.slow
def test_churn(strait, loopback):
    """Clients that come, are served, give up and reset, reloads and two pools: no place and no count is lost."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    small_server(loopback.server, "echo", ("127.0.0.1", 9002))
    one = service(more="timeout queue=300ms\n limit queue=40") + pool(9001, places=3) + pool(9002, name="new", places=3)
    two = one.replace("to web", "to new")
    daemon = strait(loopback.proxy, one, workers=3)
    stop = time.monotonic() + (12 if is_sanitized() else 6)

    def client(number):
        served = 0
        while time.monotonic() < stop:
            try:
                s = loopback.client.connect(FRONT, timeout=10)
                if number % 4 == 0:
                    s.sendall(b"x")
                    time.sleep(0.005)
                    reset(s)
                    continue
                served += exchange(s) is s
                s.close()
            except (OSError, AssertionError):
                pass
        return served
    works = [thread(client, i) for i in range(40)]
    for i in range(8):
        time.sleep(0.5)
        assert daemon.hang_up((two, one)[i % 2])["event"] == "reloaded"
    assert sum(work.join(60) for work in works) > 100
    daemon.wait_for_active("web", 0)
    assert daemon.service("web")["queued"] == 0
    for name in ("web", "new"):
        port = {"web": 9001, "new": 9002}[name]
        eventually(lambda: daemon.server(name, f"s{port}")["flows_active"] == 0)
    assert daemon.service("web")["queued_total"] > 0
    exchange(loopback.client.connect(FRONT)).close()
