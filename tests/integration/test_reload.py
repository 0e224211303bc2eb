# SPDX-License-Identifier: Apache-2.0
"""The configuration is replaced while strait runs: what stays goes on, what goes ends as it should, and a new
configuration that cannot be taken changes nothing."""

import signal
import socket
import time

import pytest

import process
from daemon import is_sanitized
from servers import name_servers, server_lines, small_server
from traffic import ask, exchange, is_refused, is_served, who
from waiting import eventually

FRONT, OTHER = ("127.0.0.1", 8000), ("127.0.0.1", 8001)


def resting_descriptors(daemon):
    """How many are open when the connections of earlier requests have been closed."""
    counts = []

    def has_settled():
        counts.append(process.descriptor_count(daemon.pid))
        return len(counts) >= 5 and len(set(counts[-5:])) == 1
    eventually(has_settled, every=0.05, what="the number of descriptors settles")
    return counts[-1]


def service(name="web", listen="127.0.0.1:8000", to=None, more=""):
    return f"service {name} {{\n listen {listen}\n listen udp {listen}\n to {to or name}\n {more}\n}}\n"


def pool(servers, name="web", more=""):
    return f"pool {name} {{\n {more}\n {servers}\n}}\n"


def echo_configuration(loopback, more=""):
    """A service over an echo server."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    return service(more=more) + pool("server 127.0.0.1:9001 name=a")


def names_configuration(loopback, count=2, more=""):
    """A service over name servers a, b, ..., and these servers."""
    servers = name_servers(loopback.server, count, "127.0.0.1")
    return service() + pool(server_lines(servers), more=more), servers


# what stays

def test_flows_and_counters_survive(strait, loopback):
    """Flows of either protocol go on, the server sees the same ports, and no counter begins anew."""
    text, _ = names_configuration(loopback, 1)
    daemon = strait(loopback.proxy, text)
    with loopback.client.connect(FRONT) as s, loopback.client.udp(FRONT) as u:
        ports = ask(s)[1], ask(u)[1]
        for generation in range(2, 6):
            event = daemon.hang_up(text + "\n" * generation)
            assert event["event"] == "reloaded" and event["generation"] == generation and event["changes"] == 0
            assert (ask(s)[1], ask(u)[1]) == ports
        found = daemon.service("web")
        assert found["flows_active"] == 2 and found["flows_total"] == 2
    assert daemon.status()["generation"] == 5


def test_health_and_ejection_survive(strait, loopback):
    """A server that is down or ejected stays so; it is not tried again only because somebody reloaded."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    text = service() + pool(server_lines(servers), more="check tcp every=60s timeout=1s rise=1 fall=1\n"
                            "eject failures=1 for=60s")
    servers["a"].kill()
    daemon = strait(loopback.proxy, text)
    daemon.wait_for_state("web", "a", "down")
    servers["b"].kill()
    assert is_refused(loopback.client, FRONT)
    before = daemon.server("web", "b")["state"]
    assert daemon.hang_up(text)["event"] == "reloaded"
    assert daemon.server("web", "a")["state"] == "down"
    assert daemon.server("web", "b")["state"] == before != "up"


def test_limits_are_counted_on(strait, loopback):
    """A flow that began before the reload counts for a limit set by it."""
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    with exchange(loopback.client.connect(FRONT)):
        assert daemon.hang_up(text.replace("to web", "to web\n limit connections=1"))["changes"] == 1
        assert is_refused(loopback.client, FRONT)
    eventually(lambda: is_served(loopback.client, FRONT))


# what comes and goes

def test_a_service_comes_and_goes(strait, loopback):
    """A listener is there from the reload that adds it to the one that removes it; its connections go on."""
    small = echo_configuration(loopback)
    large = small + service("more", "127.0.0.1:8001", "web")
    daemon = strait(loopback.proxy, small)
    for _ in range(3):
        assert is_refused(loopback.client, OTHER)
        daemon.hang_up(large)
        with exchange(loopback.client.connect(OTHER)) as s, exchange(loopback.client.udp(OTHER)) as u:
            daemon.hang_up(small)
            eventually(lambda: is_refused(loopback.client, OTHER))
            exchange(s)
            ended = daemon.wait_for_flows(service="more", protocol="udp")[-1]
            assert ended["reason"] == "drained", "the session of a listener that is gone"
            with pytest.raises(OSError):
                u.send(b"x")
                u.recv(1)
                u.send(b"x")
                u.recv(1)
    eventually(lambda: daemon.wait_for_flows(3, service="more", protocol="tcp", reason="client_fin"))


def test_a_listener_changes_hands(strait, loopback):
    """An address that moves to another service is open all the time; flows stay with the service they began in."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    servers = pool("server 127.0.0.1:9001")
    daemon = strait(loopback.proxy, service("one", to="web") + servers)
    with exchange(loopback.client.connect(FRONT)) as s:
        daemon.hang_up(service("two", to="web") + servers)
        exchange(s)
        exchange(loopback.client.connect(FRONT)).close()
        daemon.wait_for_flows(service="two", reason="client_fin")
    daemon.wait_for_flows(service="one", reason="client_fin")


def test_a_service_goes_to_another_pool(strait, loopback):
    """New flows go where the new configuration says, at once; old ones stay."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    pools = pool(server_lines({"a": servers["a"]}), "first") + pool(server_lines({"b": servers["b"]}), "second")
    daemon = strait(loopback.proxy, service(to="first") + pools)
    with loopback.client.connect(FRONT) as s:
        assert ask(s)[0] == "a"
        daemon.hang_up(service(to="second") + pools)
        assert {who(loopback.client, FRONT) for _ in range(10)} == {"b"}
        assert ask(s)[0] == "a"
        daemon.hang_up(service(to="second") + pool(server_lines({"b": servers["b"]}), "second"))
        assert ask(s)[0] == "a", "its pool is no longer configured"


def test_servers_come_and_go(strait, loopback):
    """A new server has its share at once; a removed one gets nothing new and keeps what it has."""
    text, servers = names_configuration(loopback, 3)
    daemon = strait(loopback.proxy, service() + pool(server_lines({n: servers[n] for n in "ab"})))
    held = [loopback.client.connect(FRONT) for _ in range(4)]
    assert sorted(ask(s)[0] for s in held) == ["a", "a", "b", "b"]
    daemon.hang_up(text)
    names = [who(loopback.client, FRONT) for _ in range(30)]
    assert {n: names.count(n) for n in "abc"} == {"a": 10, "b": 10, "c": 10}
    daemon.hang_up(service() + pool(server_lines({n: servers[n] for n in "bc"})))
    names = [who(loopback.client, FRONT) for _ in range(20)]
    assert {n: names.count(n) for n in "bc"} == {"b": 10, "c": 10}
    assert sorted(ask(s)[0] for s in held) == ["a", "a", "b", "b"]
    for s in held:
        s.close()


def test_a_server_gets_another_address(strait, loopback):
    """The same name with another address is another server: new flows go there, old ones stay."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = strait(loopback.proxy, service() + pool("server 127.0.0.1:9001 name=one"))
    with loopback.client.connect(FRONT) as s:
        assert ask(s)[0] == "a"
        daemon.hang_up(service() + pool("server 127.0.0.1:9002 name=one"))
        assert who(loopback.client, FRONT) == "b"
        servers["b"].kill()
        assert ask(s)[0] == "a"


def test_flows_of_a_server_that_left_its_pool_before_the_pool_went(strait, loopback):
    """A flow may outlive first its server and then the pool; what it looks at stays until it has ended."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    other = pool(server_lines({"b": servers["b"]}), "other")
    daemon = strait(loopback.proxy, service() + pool(server_lines(servers), more="balance first"))
    with loopback.client.connect(FRONT) as s, loopback.client.udp(FRONT) as u:
        assert ask(s)[0] == ask(u)[0] == "a"
        daemon.hang_up(service() + pool(server_lines({"b": servers["b"]}), more="balance first"))
        daemon.hang_up(service(to="other") + other)
        for _ in range(5):
            time.sleep(0.7)
            assert ask(s)[0] == ask(u)[0] == "a"
    eventually(lambda: daemon.status()["retired_count"] <= 2)


def test_algorithm_and_weights_change(strait, loopback):
    """Weights and the algorithm hold from the reload on."""
    text, _ = names_configuration(loopback, 2)
    daemon = strait(loopback.proxy, text)
    daemon.hang_up(text.replace("name=a", "name=a weight=3"))
    names = [who(loopback.client, FRONT) for _ in range(40)]
    assert names.count("a") == 30
    daemon.hang_up(text.replace("pool web {", "pool web {\n balance first"))
    assert {who(loopback.client, FRONT) for _ in range(5)} == {"a"}


def test_a_check_begins_and_ends(strait, loopback):
    """A check that a reload adds finds the dead server; without a check it is used again."""
    text, servers = names_configuration(loopback, 2)
    daemon = strait(loopback.proxy, text)
    servers["a"].kill()
    daemon.hang_up(text.replace("pool web {", "pool web {\n check tcp every=100ms timeout=1s fall=1"))
    daemon.wait_for_state("web", "a", "down")
    daemon.hang_up(text)
    daemon.wait_for_state("web", "a", "up")


def test_access_rules_change(strait, loopback):
    """Rules hold for new flows; those that are there stay."""
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    with exchange(loopback.client.connect(FRONT)) as s:
        daemon.hang_up(text.replace("to web", "to web\n deny 127.0.0.0/8"))
        assert is_refused(loopback.client, FRONT)
        exchange(s)
        daemon.hang_up(text)
        assert is_served(loopback.client, FRONT)


def test_the_accept_queue_of_a_removed_listener_is_served(strait, loopback):
    """Connections that were accepted by the kernel when the listener went are served, not reset."""
    small = echo_configuration(loopback)
    large = small + service("more", "127.0.0.1:8001", "web")
    daemon = strait(loopback.proxy, large, workers=1)
    daemon.program.stop_and_hold()
    waiting = [loopback.client.connect(OTHER) for _ in range(50)]
    daemon.configure(small)
    daemon.program.signal(signal.SIGHUP)
    daemon.program.resume()
    daemon.wait_for_event("reloaded")
    for s in waiting:
        exchange(s).close()


def test_datagrams_of_a_removed_listener_are_passed_on(strait, loopback):
    """What had arrived when the listener went still reaches the server."""
    sink = loopback.server.socket(kind=socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 9001))
    sink.settimeout(5)
    small = service() + pool("server 127.0.0.1:9001")
    daemon = strait(loopback.proxy, small + service("more", "127.0.0.1:8001", "web"), workers=1)
    daemon.program.stop_and_hold()
    with loopback.client.udp(OTHER) as u:
        for i in range(50):
            u.send(b"%d" % i)
        daemon.configure(small)
        daemon.program.signal(signal.SIGHUP)
        daemon.program.resume()
        assert [int(sink.recv(10)) for _ in range(50)] == list(range(50))


# what fails changes nothing

def test_a_wrong_file_changes_nothing(strait, loopback):
    """The event says file, line and column; generation, flows and settings are what they were."""
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    with exchange(loopback.client.connect(FRONT)) as s:
        event = daemon.hang_up(text.replace("to web", "to nowhere"))
        assert event["event"] == "reload_failed" and event["generation"] == 1
        lines = daemon.configuration_path.read_text().splitlines()
        place = next(i for i, line in enumerate(lines) if "nowhere" in line)
        assert event["file"] == str(daemon.configuration_path)
        assert (event["line"], event["column"]) == (place + 1, lines[place].index("nowhere") + 1)
        exchange(s)
        assert is_served(loopback.client, FRONT)
        assert daemon.hang_up(text)["generation"] == 2, "signals still work"


def test_a_missing_file_changes_nothing(strait, loopback):
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    daemon.configuration_path.unlink()
    assert daemon.hang_up()["event"] == "reload_failed"
    assert is_served(loopback.client, FRONT)


def test_an_empty_file_changes_nothing(strait, loopback):
    """A file without a service is most likely not yet written: it does not end all that there is."""
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    event = daemon.hang_up("")
    assert event["event"] == "reload_failed" and "no service" in event["cause"]
    assert is_served(loopback.client, FRONT)


def test_an_address_in_use_changes_nothing(strait, loopback):
    """A listener that cannot be opened refuses the whole configuration, also what stands before it."""
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    with loopback.proxy.listen(("127.0.0.1", 8009)):
        descriptors = resting_descriptors(daemon)
        event = daemon.hang_up(text.replace("to web", "to web\n deny 127.0.0.0/8") +
                               service("free", "127.0.0.1:8008", "web") + service("taken", "127.0.0.1:8009", "web"))
        assert event["event"] == "reload_failed" and "127.0.0.1:8009" in event["cause"]
        assert is_refused(loopback.client, ("127.0.0.1", 8008))
        assert is_served(loopback.client, FRONT)
        assert resting_descriptors(daemon) <= descriptors
    daemon.hang_up(text + service("taken", "127.0.0.1:8009", "web"))
    assert is_served(loopback.client, ("127.0.0.1", 8009))


def test_what_needs_a_restart_is_refused(strait, loopback):
    """The number of workers needs a restart: nothing is changed, and the event says which directive it was."""
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    event = daemon.hang_up(text, workers=1)
    assert event["event"] == "reload_failed" and "workers" in event["cause"] and "restart" in event["cause"]
    assert daemon.hang_up(text, workers=2)["event"] == "reloaded"


def test_hup_while_draining(strait, loopback):
    """HUP after TERM is refused; the drain goes on and ends as it would have."""
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    with exchange(loopback.client.connect(FRONT)) as s:
        daemon.terminate()
        daemon.wait_for_event("stopping")
        assert daemon.hang_up()["event"] == "reload_failed"
        exchange(s)
    assert daemon.wait(10) == 0


def test_hup_and_term_at_once(strait, loopback):
    """In whatever order the two signals are seen, the daemon ends well."""
    text = echo_configuration(loopback)
    for _ in range(5):
        daemon = strait(loopback.proxy, text)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            daemon.program.signal(number)
        assert daemon.wait(10) == 0


# often

def test_storm(strait, loopback):
    """A hundred reloads in a second of configurations that differ in everything: descriptors and memory return."""
    one, servers = names_configuration(loopback, 3)
    two = (service("web", "127.0.0.1:8001", "other") + service("more", "127.0.0.1:8002", "other") +
           pool(server_lines({n: servers[n] for n in "bc"}), "other", "balance source-hash\n check tcp every=1s"))
    daemon = strait(loopback.proxy, one)

    def settled():
        # Two rounds of what is retired: it is looked at every second.
        eventually(lambda: daemon.status()["retired_count"] == 0, 20)
        return resting_descriptors(daemon), daemon.private_bytes()

    def storm():
        for i in range(100):
            daemon.configure(two if i % 2 == 0 else one)
            daemon.program.signal(signal.SIGHUP)
            time.sleep(0.01)
        assert daemon.hang_up(one)["event"] == "reloaded"

    storm()
    descriptors, memory = settled()
    for _ in range(3):
        storm()
    after_descriptors, after_memory = settled()
    assert after_descriptors <= descriptors
    assert not [r for r in daemon.reloads() if r["event"] == "reload_failed"]
    assert who(loopback.client, FRONT) in "abc"
    assert is_refused(loopback.client, OTHER)
    if not is_sanitized():
        assert after_memory < memory + (1 << 20)


def test_many_wrong_files(strait, loopback):
    """Configurations with something wrong in them, one after the other: state, descriptors and signals stay good."""
    text = echo_configuration(loopback)
    daemon = strait(loopback.proxy, text)
    daemon.hang_up(text)  # the thread sanitizer keeps a library open from the first one on
    descriptors = resting_descriptors(daemon)
    for i in range(0, len(text), 3):
        daemon.configure(text[:i] + "{}"[i % 2] + text[i:])
        daemon.program.signal(signal.SIGHUP)
        time.sleep(0.002)
    daemon.hang_up(text)
    assert is_served(loopback.client, FRONT)
    assert resting_descriptors(daemon) <= descriptors
