# SPDX-License-Identifier: Apache-2.0
"""Trends: who uses the services and how much, within bounded memory, over reloads, restarts and damaged files."""

import time

import pytest

from servers import small_server
from traffic import exchange, is_refused
from waiting import eventually

WEB, DNS, CLOSED = (("127.0.0.1", 8000 + i) for i in range(3))
TALKER = "127.77.0.1"
SOURCES, TALKER_FLOWS = 5000, 1500

SERVICES = """
service web {
    listen 127.0.0.1:8000
    to echo
}
service dns {
    listen udp 127.0.0.1:8001
    session idle=2s replies=1
    to echo
}
service closed {
    listen 127.0.0.1:8002
    deny 127.9.0.0/16
    to echo
}
"""
POOL = """
pool echo {
    check none
    server 127.0.0.1:9001 name=a
    server 127.0.0.1:9001 name=b weight=3
}
"""
WARNINGS = "stderr format=json level=warning"


@pytest.fixture
def echo(loopback):
    return small_server(loopback.server, "echo", ("127.0.0.1", 9001))


def trends(daemon, service=None, **query):
    words = "&".join(f"{key}={value}" for key, value in {**query, **({"service": service} if service else {})}.items())
    answer = daemon.get(f"/v1/trends?{words}")
    assert answer.status == 200, answer.text
    return answer.json["services"][0] if service else answer.json


def sources(count=SOURCES, flows=TALKER_FLOWS):
    """One flow of each source, and those of one that talks most strewn among them."""
    for i in range(count):
        yield f"127.{1 + i // 62500}.{1 + i // 250 % 250}.{1 + i % 250}"
        if (i + 1) * flows // count > i * flows // count:
            yield TALKER


def tcp_flow(loopback, source, to=WEB, data=b"hello"):
    with loopback.client.connect(to, source=(source, 0)) as s:
        exchange(s, data)


def udp_flow(loopback, source, to=DNS):
    with loopback.client.udp(to, source=(source, 0)) as s:
        s.send(b"question")
        assert s.recv(100) == b"question"


@pytest.mark.slow
@pytest.mark.parametrize("service, flow", [("web", tcp_flow), ("dns", udp_flow)], ids=["tcp", "udp"])
def test_five_thousand_sources(strait, loopback, echo, service, flow, figure):
    """The one that talks most is found, with its share within 1 %, and how many there are, within 3 %."""
    daemon = strait(loopback.proxy, SERVICES + POOL, log=WARNINGS, nofile=20000)
    for source in sources():
        flow(loopback, source)
    total = SOURCES + TALKER_FLOWS
    found = eventually(lambda: (t := trends(daemon, service, limit=20))["flows"] == total and t, 20)
    first = found["top"][0]
    figure(f"{service}: {found['unique_sources']} sources of {SOURCES + 1}; {first['source']} has a share of "
           f"{first['share']:.4f}, sent {TALKER_FLOWS / total:.4f}, error {first['error']} of {total} flows")
    assert first["source"] == TALKER
    assert abs(first["share"] - TALKER_FLOWS / total) <= 0.01
    assert TALKER_FLOWS <= first["flows"] + 0.01 * total and first["flows"] - first["error"] <= TALKER_FLOWS
    assert abs(found["unique_sources"] - (SOURCES + 1)) <= 0.03 * SOURCES
    assert len(found["top"]) == len(found["new"]) == 20
    assert [row["flows"] for row in found["top"]] == sorted((row["flows"] for row in found["top"]), reverse=True)
    assert found["is_whole"]
    assert daemon.get("/v1/trends").json["observations_dropped"] == 0
    others = {s["name"]: s["flows"] for s in trends(daemon)["services"] if s["name"] != service}
    assert set(others.values()) == {0}


def test_counts_are_those_that_were_sent(strait, loopback, echo):
    """Flows, bytes and the share of each source and server; the past of the service; every window."""
    daemon = strait(loopback.proxy, SERVICES + POOL)
    for source, count in {"127.0.0.3": 3, "127.0.0.2": 2, "127.0.0.1": 1}.items():
        for _ in range(count):
            tcp_flow(loopback, source, data=b"x" * 1000)
    daemon.wait_for_flows(6, service="web")
    for window, seconds in {"1m": 60, "10m": 600, "1h": 3600, "24h": 86400}.items():
        whole = daemon.get(f"/v1/trends?window={window}").json
        assert whole["window_seconds"] == seconds
        web = next(s for s in whole["services"] if s["name"] == "web")
        assert (web["flows"], web["bytes_in"], web["bytes_out"], web["unique_sources"]) == (6, 6000, 6000, 3)
        rows = [(row["source"], row["flows"], row["bytes_in"], row["bytes_out"], row["error"]) for row in web["top"]]
        assert rows == [(f"127.0.0.{n}", n, 1000 * n, 1000 * n, 0) for n in (3, 2, 1)]
        assert [row["share"] for row in web["top"]] == pytest.approx([3 / 6, 2 / 6, 1 / 6])
        assert all(row["is_new"] for row in web["top"]) and web["new"] == web["top"]
        assert [usual["measure"] for usual in web["usual"]] == ["flows", "bytes", "refused"]
        assert not any(usual["is_unusual"] or usual["basis"] for usual in web["usual"])
    assert len(trends(daemon, "web", limit=2)["top"]) == 2
    servers = trends(daemon, "web", by="destination")["top"]
    assert {(row["pool"], row["server"]) for row in servers} == {("echo", "a"), ("echo", "b")}
    assert sum(row["flows"] for row in servers) == 6 and sum(row["bytes_in"] for row in servers) == 6000
    assert sum(row["share"] for row in servers) == pytest.approx(1)
    # The same pool, but nothing went there from this service.
    assert trends(daemon, "dns", by="destination")["top"] == []

    def past():
        answer = daemon.get("/v1/trends/web?step=1s").json
        return answer if sum(answer["flows"]) == 6 else None
    answer = eventually(past)
    assert sum(answer["bytes_in"]) == sum(answer["bytes_out"]) == 6000
    assert len({len(answer[key]) for key in ("flows", "bytes_in", "bytes_out", "refused", "flows_active")}) == 1
    assert daemon.get("/v1/trends/web?step=15m").json["step_seconds"] == 900


def test_refusals_by_source(strait, loopback, echo):
    """Who is refused is told beside who is served."""
    daemon = strait(loopback.proxy, SERVICES + POOL)
    for _ in range(3):
        assert is_refused(loopback.client, CLOSED, source=("127.9.0.5", 0))
    tcp_flow(loopback, "127.0.0.4", to=CLOSED)
    closed = eventually(lambda: (t := trends(daemon, "closed"))["refused"] == 3 and t)
    rows = {row["source"]: (row["flows"], row["refused"]) for row in closed["top"]}
    assert rows == {"127.0.0.4": (1, 0), "127.9.0.5": (0, 3)}
    assert closed["unique_sources"] == 2


def test_hosts_of_an_ipv6_network_are_one_source(strait, loopback, echo):
    """A /64 if not told otherwise, and what source-prefix= says from the reload on."""
    services = SERVICES.replace("listen 127.0.0.1:8000", "listen [::1]:8000")
    daemon = strait(loopback.proxy, services + POOL)

    def ask(*hosts):
        for host in hosts:
            loopback.client.ip("address", "add", f"{host}/128", "dev", "lo")
            tcp_flow(loopback, host, to=("::1", 8000))
        return {row["source"]: row["flows"] for row in trends(daemon, "web")["top"]}
    assert ask("2001:db8:1:2::5", "2001:db8:1:2:ffff::6", "2001:db8:1:3::5") == {
        "2001:db8:1:2::/64": 2, "2001:db8:1:3::/64": 1}
    daemon.hang_up("trends source-prefix=/24,/48\n" + services + POOL)
    assert ask("2001:db8:5:1::1", "2001:db8:5:2::1")["2001:db8:5::/48"] == 2


def test_reload_keeps_what_stays(strait, loopback, echo):
    """What is known of a service outlives reloads; of one that goes it is forgotten."""
    daemon = strait(loopback.proxy, SERVICES + POOL)
    tcp_flow(loopback, "127.0.0.9")
    udp_flow(loopback, "127.0.0.8")
    eventually(lambda: trends(daemon, "dns")["flows"] == 1)
    without = SERVICES[:SERVICES.index("service dns")] + SERVICES[SERVICES.index("service closed"):]
    assert daemon.hang_up("service first { listen 127.0.0.1:8003; to echo }\n" + without + POOL)["event"] == "reloaded"
    assert [row["source"] for row in trends(daemon, "web")["top"]] == ["127.0.0.9"]
    assert trends(daemon, "first")["top"] == []
    assert daemon.get("/v1/trends?service=dns").status == 404
    daemon.hang_up(SERVICES + POOL)
    assert [row["source"] for row in trends(daemon, "web")["top"]] == ["127.0.0.9"]
    assert trends(daemon, "dns")["top"] == []
    tcp_flow(loopback, "127.0.0.9")
    assert trends(daemon, "web")["top"][0]["flows"] == 2


def test_restart_keeps_them(strait, loopback, echo):
    """Sources, servers and the past are there again, whoever was known is not new, and counting goes on."""
    file = loopback.directory / "trends"
    settings = f"trends file={file}\n"
    daemon = strait(loopback.proxy, settings + SERVICES + POOL)
    assert trends(daemon)["file"] == str(file)
    for _ in range(4):
        tcp_flow(loopback, "127.0.0.5")
    daemon.wait_for_flows(4, service="web")
    # A second that has ended belongs to the past.
    eventually(lambda: sum(daemon.get("/v1/trends/web").json["flows"]) == 4)
    before = trends(daemon, "web", window="1h")
    daemon.stop()
    assert file.stat().st_mode & 0o777 == 0o600
    daemon = strait(loopback.proxy, settings + SERVICES + POOL)
    assert not daemon.events("trends_damaged")
    after = trends(daemon, "web", window="1h")
    assert after["top"] == before["top"] and after["flows"] == 4 and after["unique_sources"] == 1
    assert sum(daemon.get("/v1/trends/web").json["flows"]) == 4
    assert sum(row["flows"] for row in trends(daemon, "web", by="destination", window="1h")["top"]) == 4
    tcp_flow(loopback, "127.0.0.5")
    tcp_flow(loopback, "127.0.0.6")
    web = trends(daemon, "web", window="1h")
    assert {row["source"]: row["flows"] for row in web["top"]} == {"127.0.0.5": 5, "127.0.0.6": 1}
    eventually(lambda: sum(daemon.get("/v1/trends/web").json["flows"]) == 6)
    # Those that went after 15 s are known by now, too.
    assert "127.0.0.6" in {row["source"] for row in web["new"]}


def test_folder_of_the_service_manager(strait, loopback, echo):
    """Without file= they are kept where systemd says; without that, nowhere."""
    folder = loopback.directory / "state"
    folder.mkdir()
    daemon = strait(loopback.proxy, SERVICES + POOL, env={"STATE_DIRECTORY": str(folder)})
    tcp_flow(loopback, "127.0.0.5")
    daemon.stop()
    assert (folder / "trends").exists()
    daemon = strait(loopback.proxy, SERVICES + POOL)
    assert trends(daemon)["file"] is None
    assert trends(daemon, "web")["top"] == []


@pytest.mark.parametrize("damage", ["empty", "foreign", "cut", "changed"])
def test_damaged_file_is_set_aside(strait, loopback, echo, damage):
    """An event says so, what was in the file is kept beside it, and strait starts as if there had been none."""
    file = loopback.directory / "trends"
    settings = f"trends file={file}\n"
    daemon = strait(loopback.proxy, settings + SERVICES + POOL)
    tcp_flow(loopback, "127.0.0.5")
    eventually(lambda: trends(daemon, "web")["flows"] == 1)
    daemon.stop()
    good = file.read_bytes()
    bad = {"empty": b"", "foreign": b"PK\x03\x04" * 1000, "cut": good[:len(good) // 2],
           "changed": good[:5000] + bytes([good[5000] ^ 1]) + good[5001:]}[damage]
    file.write_bytes(bad)
    daemon = strait(loopback.proxy, settings + SERVICES + POOL)
    event = daemon.wait_for_event("trends_damaged")
    assert event["file"] == str(file) and event["cause"]
    assert file.with_name("trends.damaged").read_bytes() == bad
    assert not file.exists()
    assert trends(daemon, "web")["top"] == []
    tcp_flow(loopback, "127.0.0.6")
    eventually(lambda: trends(daemon, "web")["flows"] == 1)
    daemon.stop()
    daemon = strait(loopback.proxy, settings + SERVICES + POOL)
    assert [row["source"] for row in trends(daemon, "web")["top"]] == ["127.0.0.6"]
    assert not daemon.events("trends_damaged")


def test_file_that_cannot_be_written(strait, loopback, echo):
    """An event says so; it keeps nothing from starting, working and ending well."""
    daemon = strait(loopback.proxy, "trends file=/nowhere/trends\n" + SERVICES + POOL)
    tcp_flow(loopback, "127.0.0.5")
    assert daemon.stop() == 0
    event = daemon.events("trends_not_written")
    assert len(event) == 1 and event[0]["file"] == "/nowhere/trends"


def many_services(count):
    return "".join(f"service s{i} {{ listen 127.0.0.1:{20000 + i}; to echo }}\n" for i in range(count)) + POOL


@pytest.mark.slow
@pytest.mark.xdist_group("heavy")
def test_memory_of_a_thousand_services(strait, loopback, echo, figure, own_memory):
    """No more is taken than the ceiling, whatever comes; what was left out is said; and asking takes no long time."""
    for ceiling in (8, 64):
        daemon = strait(loopback.proxy, f"trends memory={ceiling}m\n" + many_services(1000), log=WARNINGS)
        memory = trends(daemon)["memory"]
        assert memory["max_bytes"] == ceiling << 20
        before = daemon.private_bytes()
        for i in range(1000):
            for host in (1, 2):
                tcp_flow(loopback, f"127.5.{i // 250}.{host + i % 250}", to=("127.0.0.1", 20000 + i))
        begun = time.monotonic()
        found = trends(daemon)
        took = time.monotonic() - begun
        whole = sum(s["is_whole"] for s in found["services"])
        known = sum(s["unique_sources"] == 2 for s in found["services"])
        grown = daemon.private_bytes() - before
        figure(f"trends memory={ceiling}m, 1000 services: {found['memory']['used_bytes'] / 2**20:.1f} MiB used, process "
               f"grew by {grown / 2**20:.1f} MiB, {known} services whole, /v1/trends took {1000 * took:.0f} ms")
        assert found["memory"]["used_bytes"] <= ceiling << 20
        assert known == whole > 0
        assert (whole < 1000) == (found["memory"]["refused_total"] > 0)
        assert grown < (ceiling << 20) * 1.3 + (16 << 20)
        assert took < 5
        metric = next(line for line in daemon.get("/metrics").text.splitlines()
                      if line.startswith('strait_memory_bytes{kind="trends"}'))
        assert int(metric.split()[1]) == pytest.approx(
            found["memory"]["used_bytes"] + found["memory"]["queue_bytes"], rel=0.2)
        daemon.stop()


@pytest.mark.parametrize("target, status", [
    ("/v1/trends?by=colour", 400), ("/v1/trends?window=5m", 400), ("/v1/trends?limit=1001", 400),
    ("/v1/trends?limit=-1", 400), ("/v1/trends?limit=", 400), ("/v1/trends?service=nobody", 404),
    ("/v1/trends?servcie=web", 400), ("/v1/trends/nobody", 404), ("/v1/trends/web?step=2s", 400)])
def test_questions_that_are_none(strait, loopback, target, status):
    daemon = strait(loopback.proxy, SERVICES + POOL)
    assert daemon.get(target).status == status
