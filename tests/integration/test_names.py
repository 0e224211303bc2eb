# SPDX-License-Identifier: Apache-2.0
"""Servers that are names: strait follows a real DNS server, disturbs no flow that is there, and is not disturbed itself
by name servers that fail."""

import pytest

import daemon as program
from servers import Knot, small_server
from traffic import ask, is_refused, who
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
RESOLVER = ("127.0.0.1", 5353)
SERVICE = "service web {\n listen 127.0.0.1:8000\n listen udp 127.0.0.1:8000\n to web\n}\n"


def pool(servers, more="check none"):
    return f"pool web {{\n {more}\n {servers}\n}}\n"


def configuration(servers="server db.example.test:9001", more="check none", resolver="resolver 127.0.0.1:5353 timeout=300ms"):
    return f"{resolver}\n{SERVICE}{pool(servers, more)}"


def start_servers(lab, count=3):
    """Servers a, b, c on 127.0.0.2, .3, .4."""
    return [small_server(lab.server, "name", (f"127.0.0.{2 + i}", 9001), "abcdefgh"[i]) for i in range(count)]


def records(*hosts, name="db", ttl=1):
    return "".join(f"{name} {ttl} A 127.0.0.{h}\n" for h in hosts)


def addresses(daemon):
    return sorted(s["address"] for s in daemon.status()["pools"][0]["servers"])


def name_of(daemon, index=0):
    return daemon.status()["pools"][0]["names"][index]


def wait_for_addresses(daemon, *expected, timeout=20):
    eventually(lambda: addresses(daemon) == sorted(expected), timeout, what=f"the servers are {expected}")


def test_addresses_come_and_go(strait, loopback):
    """With each change of the zone servers are added and removed; a connection to one that is removed goes on, and one
    that stays is the same server with its counts."""
    start_servers(loopback)
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2))
    daemon = strait(loopback.proxy, configuration())
    assert addresses(daemon) == ["127.0.0.2:9001"]
    with loopback.client.connect(FRONT) as s:
        assert ask(s)[0] == "a"
        knot.change(records(2, 3))
        wait_for_addresses(daemon, "127.0.0.2:9001", "127.0.0.3:9001")
        assert {who(loopback.client, FRONT) for _ in range(4)} == {"a", "b"}
        before = daemon.server("web", "db.example.test@127.0.0.3:9001")["flows_total"]
        assert before == 2
        knot.change(records(3))
        wait_for_addresses(daemon, "127.0.0.3:9001")
        assert {who(loopback.client, FRONT) for _ in range(4)} == {"b"}
        assert daemon.server("web", "db.example.test@127.0.0.3:9001")["flows_total"] == before + 4
        assert ask(s)[0] == "a"
        assert daemon.status()["retired_count"] == 1
    eventually(lambda: daemon.status()["retired_count"] == 0)
    counts = [(e["name"], e["addresses_before"], e["addresses"]) for e in daemon.events("name_resolved")]
    assert counts == [("db.example.test", 0, 1), ("db.example.test", 1, 2), ("db.example.test", 2, 1)]
    assert daemon.status()["generation"] == 1


def test_a_session_stays_with_its_server(strait, loopback):
    """A UDP session whose server's address stays in the answer keeps server and port while others come and go."""
    start_servers(loopback)
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2))
    daemon = strait(loopback.proxy, configuration())
    with loopback.client.udp(FRONT) as u:
        first = ask(u)
        for hosts in [(2, 3), (2, 4), (2,)]:
            knot.change(records(*hosts))
            wait_for_addresses(daemon, *[f"127.0.0.{h}:9001" for h in hosts])
            assert ask(u) == first


def test_settings_hold_for_each_address(strait, loopback):
    """weight, max-connections, backup and drain of a directive are those of all its servers; name= names them."""
    start_servers(loopback)
    Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2, 3) + records(4, name="spare"))
    daemon = strait(loopback.proxy, configuration("server db.example.test:9001 name=db weight=7\n"
                                                  "server spare.example.test:9001 backup\n"
                                                  "server db.example.test:9002 drain"))
    eventually(lambda: len(addresses(daemon)) == 5)
    servers = {s["name"]: s for s in daemon.status()["pools"][0]["servers"]}
    assert [servers[f"db@127.0.0.{h}:9001"]["weight"] for h in (2, 3)] == [7, 7]
    assert servers["spare.example.test@127.0.0.4:9001"]["is_backup"]
    assert servers["db.example.test@127.0.0.3:9002"]["state"] == "drain"
    assert {who(loopback.client, FRONT) for _ in range(6)} == {"a", "b"}


def test_both_families_and_aliases(strait, loopback):
    """A and AAAA records count alike, and an alias is followed."""
    Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2) + "db 1 AAAA ::1\nalias 1 CNAME db\n")
    daemon = strait(loopback.proxy, configuration("server alias.example.test:9001"))
    wait_for_addresses(daemon, "127.0.0.2:9001", "[::1]:9001")
    assert name_of(daemon)["state"] == "resolved"


def test_a_large_answer(strait, loopback):
    """An answer that does not fit into a datagram is asked for over TCP."""
    Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(*range(10, 150)))
    daemon = strait(loopback.proxy, configuration())
    eventually(lambda: len(addresses(daemon)) == 140)


def srv(*entries):
    return "".join(f"_db._tcp 1 SRV {priority} {weight} {port} {target}\n" for priority, weight, port, target in entries)


SRV_HOSTS = records(2, name="one") + records(3, name="two") + records(4, name="three")


def test_srv_records(strait, loopback):
    """The lowest priority is used, by weight; others are backups, and come into use when no primary is left."""
    servers = start_servers(loopback)
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], SRV_HOSTS +
                srv((5, 30, 9001, "one"), (5, 10, 9001, "two"), (7, 0, 9001, "three")))
    daemon = strait(loopback.proxy, configuration("server srv:_db._tcp.example.test name=db",
                                                  "check tcp every=200ms timeout=1s fall=1 rise=1"))
    eventually(lambda: len(addresses(daemon)) == 3)
    found = {s["address"]: (s["weight"], s["is_backup"]) for s in daemon.status()["pools"][0]["servers"]}
    assert found == {"127.0.0.2:9001": (30, False), "127.0.0.3:9001": (10, False), "127.0.0.4:9001": (1, True)}
    names = [who(loopback.client, FRONT) for _ in range(40)]
    assert (names.count("a"), names.count("b")) == (30, 10)
    # Weights and priorities change; the servers stay the same.
    knot.change(SRV_HOSTS + srv((5, 1, 9001, "two"), (9, 65535, 9001, "three"), (9, 0, 9001, "one")))
    eventually(lambda: daemon.server("web", "db@127.0.0.2:9001")["is_backup"])
    assert daemon.server("web", "db@127.0.0.2:9001")["flows_total"] == 30
    assert daemon.server("web", "db@127.0.0.4:9001")["weight"] == 1000
    assert who(loopback.client, FRONT) == "b"
    servers[1].kill()
    daemon.wait_for_state("web", "db@127.0.0.3:9001", "down")
    assert who(loopback.client, FRONT) in "ac"


def test_a_service_that_is_not_available(strait, loopback):
    """Target "." takes all servers away, and the next records bring them back."""
    start_servers(loopback)
    available = SRV_HOSTS + srv((0, 0, 9001, "one"))
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], available)
    daemon = strait(loopback.proxy, configuration("server srv:_db._tcp.example.test"))
    wait_for_addresses(daemon, "127.0.0.2:9001")
    knot.change(srv((0, 0, 0, ".")))
    wait_for_addresses(daemon)
    assert is_refused(loopback.client, FRONT)
    assert name_of(daemon)["state"] == "resolved" and daemon.get("/readyz").status == 503
    knot.change(available)
    wait_for_addresses(daemon, "127.0.0.2:9001")
    assert who(loopback.client, FRONT) == "a"


def test_no_resolver_at_the_start(strait, loopback):
    """Without a name server strait starts, serves what it can, and is not ready; it is when the name server comes."""
    start_servers(loopback)
    daemon = strait(loopback.proxy, configuration(), is_ready="/livez")
    failed = daemon.wait_for_event("name_failed")
    assert failed["name"] == "db.example.test" and failed["addresses_kept"] == 0
    assert daemon.get("/readyz").status == 503
    assert name_of(daemon)["state"] == "failed" and name_of(daemon)["age_ms"] is None
    assert is_refused(loopback.client, FRONT)
    Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2))
    daemon.wait_until_ready(timeout=60)
    assert who(loopback.client, FRONT) == "a"


@pytest.mark.parametrize("how", ["killed", "mute"])
def test_the_resolver_dies(strait, loopback, how):
    """The last answer is kept, visibly old; one event says so; when the name server is back strait follows again."""
    start_servers(loopback)
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2))
    daemon = strait(loopback.proxy, configuration())
    if how == "killed":
        knot.program.kill()
    else:
        knot.program.stop_and_hold()
    assert daemon.wait_for_event("name_failed")["addresses_kept"] == 1
    found = name_of(daemon)
    assert found["state"] == "failed" and found["addresses"] == ["127.0.0.2:9001"] and found["last_error"]
    status = program.strait(loopback.proxy, "status", "--admin", f"unix:{daemon.admin_socket}")
    assert status.returncode == 1 and "name db.example.test" in status.stdout
    eventually(lambda: name_of(daemon)["age_ms"] > 4000, 20)
    assert who(loopback.client, FRONT) == "a"
    assert len(daemon.events("name_failed")) == 1
    if how == "killed":
        knot.start()
    else:
        knot.program.resume()
    knot.change(records(3))
    wait_for_addresses(daemon, "127.0.0.3:9001", timeout=60)
    assert name_of(daemon)["state"] == "resolved" and name_of(daemon)["last_error"] is None


def test_a_name_that_is_gone_keeps_its_addresses(strait, loopback):
    """That there is no such name any more is as likely a mistake: servers stay, and the name has failed."""
    start_servers(loopback)
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2))
    daemon = strait(loopback.proxy, configuration())
    knot.change("")
    assert "no such name" in daemon.wait_for_event("name_failed")["cause"]
    assert who(loopback.client, FRONT) == "a"
    knot.change("db 1 TXT only\n")
    assert who(loopback.client, FRONT) == "a"
    knot.change(records(3))
    wait_for_addresses(daemon, "127.0.0.3:9001", timeout=40)


def test_addresses_that_cannot_be_servers(strait, loopback):
    """0.0.0.0 and multicast are no servers, whoever says so."""
    Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2) + "db 1 A 0.0.0.0\ndb 1 A 224.0.0.1\ndb 1 AAAA ff02::1\n")
    daemon = strait(loopback.proxy, configuration())
    assert addresses(daemon) == ["127.0.0.2:9001"]


def replace_file(place, path, text):
    """Programs that are started in the place from now on see another file there; returns the path that it really has.
    They run in a mount namespace of their own already."""
    own = place.lab.directory / path.replace("/", "-")
    own.write_text(text)
    prefix = place.prefix
    place.prefix = lambda **options: prefix(**options) + ["sh", "-c", f'mount --bind "$0" {path} && exec "$@"', own]
    return own


def test_localhost(strait, loopback):
    """localhost is this machine in both families, without asking anybody, before the first client comes."""
    small_server(loopback.server, "name", ("127.0.0.1", 9001), "a")
    daemon = strait(loopback.proxy, configuration("server localhost:9001 name=here\nserver db.localhost:9001"))
    assert addresses(daemon) == ["127.0.0.1:9001"] * 2 + ["[::1]:9001"] * 2
    assert who(loopback.client, FRONT) == "a"


def test_the_hosts_file(strait, loopback):
    """Without a resolver in the configuration the system's files are read, again and again."""
    start_servers(loopback, 2)
    hosts = replace_file(loopback.proxy, "/etc/hosts", "127.0.0.2 somewhere\n")
    replace_file(loopback.proxy, "/etc/resolv.conf", "nameserver 127.0.0.1\n")
    daemon = strait(loopback.proxy, configuration("server SomeWhere:9001", resolver=""))
    assert addresses(daemon) == ["127.0.0.2:9001"]
    assert who(loopback.client, FRONT) == "a"
    hosts.write_text("127.0.0.3 somewhere\n")
    wait_for_addresses(daemon, "127.0.0.3:9001", timeout=30)


def test_resolv_conf(strait, loopback):
    """The system's name servers and search domains are used, and a change of resolv.conf is noticed."""
    start_servers(loopback, 1)
    Knot(loopback.server, ["127.0.0.53"], 53, records(2))
    path = replace_file(loopback.proxy, "/etc/resolv.conf", "nameserver 127.0.0.99\n")
    daemon = strait(loopback.proxy, configuration("server db:9001", resolver=""), is_ready="/livez")
    daemon.wait_for_event("name_failed")
    path.write_text("nameserver 127.0.0.53\nsearch example.test\n")
    daemon.wait_until_ready(timeout=60)
    assert addresses(daemon) == ["127.0.0.2:9001"] and who(loopback.client, FRONT) == "a"


def test_resolver_of_the_pool(strait, loopback):
    """The pool's resolver is asked, not that of the top level; ttl= overrides the TTL of the answer."""
    start_servers(loopback)
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2, ttl=3600))
    daemon = strait(loopback.proxy, configuration(more="check none\n resolver 127.0.0.1:5353 ttl=1s",
                                                  resolver="resolver 127.0.0.9:1"))
    assert name_of(daemon)["ttl_ms"] == 1000
    knot.change(records(3, ttl=3600))
    wait_for_addresses(daemon, "127.0.0.3:9001")


def test_a_second_name_server(strait, loopback):
    """When the first does not answer the next is asked."""
    start_servers(loopback)
    Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2))
    daemon = strait(loopback.proxy, configuration(resolver="resolver 127.0.0.9:1 127.0.0.1:5353 timeout=200ms"))
    assert addresses(daemon) == ["127.0.0.2:9001"]


def test_reload_keeps_what_is_known(strait, loopback):
    """A reload has the answers at once, also when the name server is gone, or another one is asked from then on."""
    start_servers(loopback)
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2, 3))
    daemon = strait(loopback.proxy, configuration())
    with loopback.client.connect(FRONT) as s:
        name = ask(s)[0]
        knot.program.kill()
        for resolver in ("resolver 127.0.0.1:5353 timeout=300ms", "resolver 127.0.0.9:5353 timeout=300ms"):
            event = daemon.hang_up(configuration(resolver=resolver) + "\n")
            assert event["event"] == "reloaded"
            assert len(addresses(daemon)) == 2
            assert ask(s)[0] == name
        assert event["changes"] == 1
        assert sum(x["flows_total"] for x in daemon.status()["pools"][0]["servers"]) == 1
        assert {who(loopback.client, FRONT) for _ in range(4)} == {"a", "b"}
    # Another name has nothing yet.
    daemon.hang_up(configuration("server other.example.test:9001\nserver 127.0.0.4:9001"))
    assert addresses(daemon) == ["127.0.0.4:9001"]
    assert who(loopback.client, FRONT) == "c"


def test_checks_follow(strait, loopback):
    """Servers that come are checked, those that go are not any more."""
    start_servers(loopback, 1)
    knot = Knot(loopback.server, RESOLVER[:1], RESOLVER[1], records(2))
    daemon = strait(loopback.proxy, configuration(more="check tcp every=100ms timeout=1s fall=1"))
    knot.change(records(2, 3))
    wait_for_addresses(daemon, "127.0.0.2:9001", "127.0.0.3:9001")
    daemon.wait_for_state("web", "db.example.test@127.0.0.3:9001", "down")
    assert [who(loopback.client, FRONT) for _ in range(4)] == ["a"] * 4
    knot.change(records(2))
    wait_for_addresses(daemon, "127.0.0.2:9001")
    assert daemon.server("web", "db.example.test@127.0.0.2:9001")["state"] == "up"


@pytest.mark.skipif(program.is_sanitized(), reason="the leak sanitizer cannot be traced")
def test_check_resolves_nothing(loopback):
    """`strait check` asks nobody: it accepts names that do not exist, and opens no socket."""
    path = loopback.directory / "names.conf"
    path.write_text(configuration("server no.such.name.invalid:1\nserver srv:_no._tcp.invalid"))
    trace = loopback.directory / "trace"
    result = loopback.proxy.run("strace", "-f", "-o", trace, "-e", "trace=socket,connect,sendto", program.strait_path(),
                                "check", "-c", path, check=False)
    assert result.returncode == 0, result.stderr
    assert "socket(" not in trace.read_text()
