# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus scrapes strait, with the shipped alert rules; every query of the shipped board is asked."""

import math
import signal
import time

import pytest

from prometheus import Prometheus, monitoring
from servers import name_servers, server_lines, small_server, tool
from traffic import exchange, is_refused
from waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("heavy")]

ADMIN = "127.0.0.1:9900"
CONFIGURATION = """
admin 127.0.0.1:9900
service load {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    timeout connect=500ms
    to echo
}
service exact {
    listen 127.0.0.1:8001
    listen udp 127.0.0.1:8001
    to echo
}
service closed {
    listen 127.0.0.1:8002
    deny 127.0.0.0/8
    to echo
}
service lost {
    listen 127.0.0.1:8003
    to empty
}
pool echo {
    check tcp every=200ms timeout=2s
    server 127.0.0.1:9000 name=a
}
pool empty {
    server 127.0.0.1:9999 name=none
}
"""
TWO_SERVERS = """
admin 127.0.0.1:9900
service web {{
    listen 127.0.0.1:8000
    to web
}}
pool web {{
    check tcp every=200ms timeout=1s rise=1 fall=2
    {servers}
}}
"""
# Panels that are empty when nothing is wrong, and nothing was in this test.
EMPTY_WHEN_WELL = {"Restarts", "Unusual services", "Changes of state"}


def start_load(lab):
    """TCP connections and UDP sessions without a pause, in processes of their own."""
    words = [["tcp", "127.0.0.1", 8000, 4], ["udp", "127.0.0.1", 8000, 16, 400]]
    programs = [lab.client.start(tool("steady"), *w, name=f"steady-{w[0]}") for w in words]
    for program in programs:
        program.wait_for_output("ready")
    return programs


def end_load(programs):
    for program in programs:
        program.signal(signal.SIGTERM)
        assert program.wait(30) == 0, program.errors


def send_exact_amounts(lab):
    """Through the service `exact`, in and out alike: 3 connections of 100,000 bytes, and 50 datagrams of 200."""
    for _ in range(3):
        with lab.client.connect(("127.0.0.1", 8001)) as s:
            exchange(s, b"x" * 100_000)
    with lab.client.udp(("127.0.0.1", 8001)) as s:
        for _ in range(50):
            s.send(b"x" * 200)
            s.recv(300)


def test_scrapes_and_board_under_load(strait, loopback):
    small_server(loopback.server, "port", ("127.0.0.1", 9000))
    daemon = strait(loopback.proxy, CONFIGURATION)
    prometheus = Prometheus(loopback.proxy, ADMIN)
    prometheus.wait_for_scrapes(3)  # counters are seen at zero
    load = start_load(loopback)
    send_exact_amounts(loopback)
    for port in (8002, 8003) * 3:
        assert is_refused(loopback.client, ("127.0.0.1", port))
    daemon.hang_up()
    time.sleep(5)
    prometheus.wait_for_scrapes()

    value = lambda query: prometheus.value(query) or 0  # there is none for a moment after a scrape that was too late
    eventually(lambda: value('sum(rate(strait_service_flows_total{service="load", protocol="tcp"}[30s]))') > 1)
    eventually(lambda: value('sum(rate(strait_service_packets_total{service="load", direction="in"}[30s]))') > 10)
    eventually(lambda: value('strait_service_flows_active{service="load", protocol="udp"}') == 16)
    eventually(lambda: check_board(prometheus) or True, 30, every=1)
    end_load(load)
    check_exact_amounts(prometheus, daemon)
    # A scrape fails only by the half second it may take on a busy machine.
    assert prometheus.value("max_over_time(up[2m])") == 1
    assert prometheus.value("count_over_time((up == 0 unless scrape_duration_seconds > 0.45)[2m:500ms])") is None
    eventually(lambda: prometheus.target()["lastError"] == "")
    assert prometheus.problems() == []
    assert all(rule["health"] == "ok" for g in prometheus.api("rules")["groups"] for rule in g["rules"])
    assert {a["severity"] for a in prometheus.alerts()} <= {"info", "warning"}, "strait is up, and so is its pool"


def check_board(prometheus):
    """No query fails, and all find something but those that show what is wrong."""
    found = {q.where.removeprefix("board: "): prometheus.query(q.text) for q in monitoring.board_queries()}
    empty = {name for name, samples in found.items() if all(math.isnan(value) for _, value in samples)}
    assert empty <= EMPTY_WHEN_WELL


def check_exact_amounts(prometheus, daemon):
    """What Prometheus has at last is what was sent, and what strait says otherwise."""
    expected = 3 * 100_000 + 50 * 200
    prometheus.wait_for('strait_service_bytes_total{service="exact", direction="in"}', lambda v: v == expected)
    # the UDP echo appends its port, so the replies are longer
    prometheus.wait_for('strait_service_bytes_total{service="exact", direction="out"}', lambda v: v > expected)
    prometheus.wait_for('strait_service_packets_total{service="exact", direction="out"}', lambda v: v == 50)
    prometheus.wait_for('strait_service_flows_total{service="exact", protocol="tcp"}', lambda v: v == 3)
    prometheus.wait_for('strait_service_flows_total{service="exact", protocol="udp"}', lambda v: v == 1)
    prometheus.wait_for('strait_service_refused_total{service="closed", reason="denied_access"}', lambda v: v == 3)
    prometheus.wait_for('strait_service_refused_total{service="lost", reason="connect_refused"}', lambda v: v == 3)
    daemon.wait_for_active("load", 0, 60)
    prometheus.wait_for_scrapes()
    for name in ("load", "exact"):
        service = daemon.service(name)
        assert prometheus.value(f'sum(strait_service_flows_total{{service="{name}"}})') == service["flows_total"]
        for way in ("in", "out"):
            value = prometheus.value(f'strait_service_bytes_total{{service="{name}", direction="{way}"}}')
            assert value == service[f"bytes_{way}"]


def test_alerts_follow_servers_and_strait(strait, loopback):
    """A server is killed, then the other, then strait ends; servers that come back end their alerts."""
    servers = name_servers(loopback.server, 2, "127.0.0.1")
    daemon = strait(loopback.proxy, TWO_SERVERS.format(servers=server_lines(servers)))
    prometheus = Prometheus(loopback.proxy, ADMIN)
    prometheus.wait_for("sum(strait_server_up)", lambda v: v == 2)
    assert prometheus.alerts() == []

    servers["a"].kill()
    assert prometheus.wait_for_alert("StraitServerDown")["server"] == "a"
    prometheus.wait_for_alert("StraitPoolDegraded", pool="web")
    assert "StraitPoolWithoutServers" not in [a["alertname"] for a in prometheus.alerts()]
    servers["b"].kill()
    prometheus.wait_for_alert("StraitPoolWithoutServers", pool="web", severity="critical")

    again = [server.start_again() for server in servers.values()]
    for name in ("StraitPoolWithoutServers", "StraitPoolDegraded", "StraitServerDown"):
        prometheus.wait_until_quiet(name)
    assert len(again) == 2
    daemon.stop()
    prometheus.wait_for_alert("StraitDown", severity="critical")


def test_failed_reload_raises_an_alert(strait, loopback):
    servers = name_servers(loopback.server, 1, "127.0.0.1")
    good = TWO_SERVERS.format(servers=server_lines(servers))
    daemon = strait(loopback.proxy, good)
    prometheus = Prometheus(loopback.proxy, ADMIN)
    prometheus.wait_for("strait_config_last_reload_success", lambda v: v == 1)
    assert daemon.hang_up("service web { }")["event"] == "reload_failed"
    prometheus.wait_for_alert("StraitReloadFailed")
    assert daemon.hang_up(good)["event"] == "reloaded"
    prometheus.wait_until_quiet("StraitReloadFailed")


def test_scrapes_with_a_token(strait, loopback):
    """The token comes from the file of the shipped configuration; a wrong one gets nothing."""
    of_strait, of_prometheus = loopback.directory / "token", loopback.directory / "token-of-prometheus"
    for path in (of_strait, of_prometheus):
        path.write_text("let-prometheus-in-please\n")
        path.chmod(0o600)
    servers = name_servers(loopback.server, 1, "127.0.0.1")
    strait(loopback.proxy, TWO_SERVERS.format(servers=server_lines(servers)).replace(ADMIN, f"{ADMIN} token=file:{of_strait}"))
    prometheus = Prometheus(loopback.proxy, ADMIN, token_file=of_prometheus)
    prometheus.wait_for("strait_config_generation", lambda v: v == 1)
    of_prometheus.write_text("let-me-in-all-the-same\n")
    prometheus.wait_for("up", lambda v: v == 0)
    assert "401" in prometheus.target()["lastError"]
    prometheus.wait_for_alert("StraitDown", job="strait-remote")
