# SPDX-License-Identifier: Apache-2.0
"""The metrics page: well-formed, complete, bounded, and equal to what was sent."""

import json
import subprocess
import threading
import time

import pytest

import daemon as program
from metrics import Metrics
from servers import small_server
from traffic import exchange, is_refused
from waiting import eventually

WEB, DNS, CLOSED, RETRIED = (("127.0.0.1", 8000 + i) for i in range(4))

CONFIGURATION = """
service web {
    listen 127.0.0.1:8000
    to echo
}
service dns {
    listen udp 127.0.0.1:8001
    session idle=500ms new=500ms
    to echo
}
service closed {
    listen 127.0.0.1:8002
    listen udp 127.0.0.1:8002
    deny 0.0.0.0/0
    to echo
}
service retried {
    listen 127.0.0.1:8003
    timeout connect=300ms
    to retried
}
pool echo {
    check tcp every=100ms
    server 127.0.0.1:9001 name=a
}
pool retried {
    balance first
    server 127.0.0.1:9002 name=dead
    server 127.0.0.1:9001 name=alive
}
"""


@pytest.fixture
def daemon(strait, loopback):
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    return strait(loopback.proxy, CONFIGURATION)


def table():
    """Names and types of the reference page."""
    rows = [line.split("|") for line in (program.ROOT / "docs/metrics.md").read_text().splitlines() if line.startswith("| `")]
    return {row[1].strip(" `"): row[2].strip() for row in rows if row[2].strip() in ("counter", "gauge", "histogram")}


def test_page_is_well_formed(daemon, loopback):
    """promtool accepts it, with traffic and without."""
    for _ in range(2):
        page = daemon.get("/metrics").text
        result = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, capture_output=True)
        assert result.returncode == 0, result.stdout + result.stderr
        with exchange(loopback.client.connect(WEB)):
            pass


def test_page_has_what_the_reference_says(daemon):
    """Every metric of the table, and no other, each with its type and a help text."""
    lines = daemon.get("/metrics").text.splitlines()
    types = dict(line.split()[2:4] for line in lines if line.startswith("# TYPE"))
    assert types == table()
    assert [line.split()[2] for line in lines if line.startswith("# HELP")] == list(types)
    bare = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    endings = {name + end for name, kind in types.items() if kind == "histogram" for end in ("_bucket", "_sum", "_count")}
    assert bare == {name for name, kind in types.items() if kind != "histogram"} | endings


def test_series_are_there_from_the_start(daemon, loopback):
    """The first flow, refusal or failure adds no series, so a rate sees it; and clients are no labels."""
    before = Metrics(daemon)
    with exchange(loopback.client.connect(WEB)):
        assert is_refused(loopback.client, CLOSED)
    assert who_is_tried(loopback) == b"hello"
    after = Metrics(daemon)
    assert set(after.series) == set(before.series)


def who_is_tried(loopback):
    with loopback.client.connect(RETRIED) as s:
        s.sendall(b"hello")
        return s.recv(100)


def test_strait_check_says_how_many(daemon, strait, tmp_path):
    """The bound holds, and is not far from what there is."""
    path = tmp_path / "strait.conf"
    path.write_text(CONFIGURATION + "workers 2\nadmin 127.0.0.1:9900\n")
    result = program.strait(daemon.place, "check", "-c", str(path), "-o", "json")
    at_most = json.loads(result.stdout)["metrics_series_max"]
    there_are = len(Metrics(daemon).series)
    assert there_are <= at_most <= there_are + 2  # log places that come and go
    assert f"at most {at_most} series of metrics" in program.strait(daemon.place, "check", "-c", str(path)).stdout


def test_tcp_counts(daemon, loopback):
    """Flows, bytes of both directions, ends by reason and durations are what was sent."""
    for i in range(1, 21):
        with exchange(loopback.client.connect(WEB), b"x" * 1000 * i):
            pass
    held = exchange(loopback.client.connect(WEB), b"y" * 500)
    count = sum(1000 * i for i in range(1, 21)) + 500
    # A client may have an answer a moment before its bytes are counted.
    eventually(lambda: Metrics(daemon)("strait_server_bytes_total", server="a", direction="out") == count)
    m = eventually(lambda: (m := Metrics(daemon))("strait_service_flows_ended_total", service="web") == 20 and m)
    assert m("strait_service_flows_total", service="web", protocol="tcp") == 21
    assert m("strait_service_flows_total", service="web", protocol="udp") == 0
    assert m("strait_service_flows_active", service="web") == 1
    assert m.reasons("strait_service_flows_ended_total", service="web") == {"client_fin": 20}
    for direction in ("in", "out"):
        assert m("strait_service_bytes_total", service="web", direction=direction) == count
        assert m("strait_server_bytes_total", server="a", direction=direction) == count
    assert m("strait_server_flows_total", pool="echo", server="a") == 21
    assert m("strait_server_flows_active", pool="echo", server="a") == 1
    assert m("strait_service_flow_duration_seconds_count", service="web") == 20
    assert m("strait_server_connect_duration_seconds_count", pool="echo") == 21
    assert m("strait_path_bytes_total", path="relay") == 2 * count
    assert m("strait_path_flows_active", path="relay") == 1
    assert m("strait_limit_used", resource="connections") == 1
    held.close()


def test_duration_is_seconds(daemon, loopback):
    """A flow that lived for a second and a bit stands in the bucket of ten seconds, and its duration in the sum."""
    with exchange(loopback.client.connect(WEB)):
        time.sleep(1.1)
    m = eventually(lambda: (m := Metrics(daemon))("strait_service_flow_duration_seconds_count", service="web") == 1 and m)
    assert 1.1 <= m("strait_service_flow_duration_seconds_sum", service="web") < 30
    assert m("strait_service_flow_duration_seconds_bucket", service="web", le="1") == 0
    assert m("strait_service_flow_duration_seconds_bucket", service="web", le="+Inf") == 1


def test_udp_counts(daemon, loopback):
    """Sessions, datagrams and bytes are what was sent, datagrams without a byte included."""
    sizes = [0, 1, 100, 1400, 9000]
    clients = [loopback.client.udp(DNS) for _ in range(10)]
    for s in clients:
        for size in sizes:
            s.send(b"z" * size)
            assert len(s.recv(65536)) == size
    for s in clients:
        s.close()
    m = eventually(lambda: (m := Metrics(daemon))("strait_service_flows_ended_total", service="dns") == 10 and m)
    assert m("strait_service_flows_total", service="dns", protocol="udp") == 10
    assert m.reasons("strait_service_flows_ended_total", service="dns") == {"idle_timeout": 10}
    for direction in ("in", "out"):
        assert m("strait_service_packets_total", service="dns", direction=direction) == 10 * len(sizes)
        assert m("strait_service_bytes_total", service="dns", direction=direction) == 10 * sum(sizes)


def test_refusals(daemon, loopback):
    """Each refused flow counts once, by reason, and is no flow."""
    for _ in range(7):
        assert is_refused(loopback.client, CLOSED)
    with loopback.client.udp(CLOSED) as s:
        for _ in range(5):
            s.send(b"x")
    m = eventually(lambda: (m := Metrics(daemon))("strait_service_refused_total", service="closed") == 12 and m)
    assert m.reasons("strait_service_refused_total", service="closed") == {"denied_access": 12}
    assert m("strait_service_flows_total", service="closed") == 0


def test_retries(daemon, loopback):
    """A connect that failed is the server's failure; the flow is counted once, for the one that took it."""
    for _ in range(6):
        assert who_is_tried(loopback) == b"hello"
    m = eventually(lambda: (m := Metrics(daemon))("strait_service_flows_ended_total", service="retried") == 6 and m)
    assert m.reasons("strait_server_connect_failures_total", pool="retried", server="dead") == {"connect_refused": 6}
    assert m("strait_server_connect_failures_total", pool="retried", server="alive") == 0
    assert m("strait_server_flows_total", pool="retried", server="dead") == 0
    assert m("strait_server_flows_total", pool="retried", server="alive") == 6
    assert m("strait_service_flows_total", service="retried") == 6
    assert m("strait_service_refused_total", service="retried") == 0


def test_servers(strait, loopback):
    """Up and down, transitions, what can be used, and how long checks take."""
    server = small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    daemon = strait(loopback.proxy, CONFIGURATION)
    eventually(lambda: Metrics(daemon)("strait_health_check_duration_seconds_count", pool="echo") >= 3)
    assert Metrics(daemon)("strait_degraded") == 0
    server.kill()
    daemon.wait_for_state("echo", "a", "down")
    m = Metrics(daemon)
    assert m("strait_server_up", pool="echo", server="a") == 0
    assert (m("strait_pool_servers", pool="echo"), m("strait_pool_servers_available", pool="echo")) == (1, 0)
    assert m("strait_degraded") == 1
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    daemon.wait_for_state("echo", "a", "up")
    assert daemon.command("drain", "echo/a").returncode == 0
    m = Metrics(daemon)
    went = {to: m("strait_server_transitions_total", pool="echo", server="a", to=to) for to in ("up", "down", "drain", "maint")}
    assert went == {"up": 1, "down": 1, "drain": 1, "maint": 0}


def test_process_and_configuration(daemon):
    """The process, the generation and how reloads went."""
    m = Metrics(daemon)
    assert abs(m("strait_start_time_seconds") - time.time()) < 120
    assert 0 < m("process_open_fds") < m("process_max_fds")
    assert 0 < m("process_resident_memory_bytes") < m("process_virtual_memory_bytes")
    assert (m("strait_config_generation"), m("strait_config_last_reload_success")) == (1, 1)
    daemon.hang_up("nonsense")
    daemon.hang_up(CONFIGURATION.replace("idle=500ms", "idle=600ms"))
    m = Metrics(daemon)
    assert (m("strait_config_generation"), m("strait_config_last_reload_success")) == (2, 1)
    assert m("strait_config_reloads_total", result="success") == 1
    assert m("strait_config_reloads_total", result="failure") == 1


def test_busy_ratio(daemon, loopback):
    """Nothing to do is near 0; somebody who sends without pause makes a worker busy, and its turns are counted."""
    quiet = eventually(lambda: (m := Metrics(daemon)) and m("process_cpu_seconds_total") >= 0 and m)
    assert quiet("strait_worker_busy_ratio") < 1
    ends = time.monotonic() + 3
    with loopback.client.connect(WEB) as s:
        while time.monotonic() < ends:
            exchange(s, b"x" * 100)
    m = eventually(lambda: (m := Metrics(daemon))("strait_worker_busy_ratio") > 0 and m)
    assert 0 < m("strait_worker_busy_ratio") <= 2
    assert m("strait_worker_loop_lag_seconds_count") > quiet("strait_worker_loop_lag_seconds_count") + 1000


def test_hostile_sink_name(strait, loopback, tmp_path):
    """A path with quotes, newlines and bytes that are not UTF-8 is a label like others."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    path = str(tmp_path / 'a"} 1 b\\c')
    daemon = strait(loopback.proxy, CONFIGURATION + 'log "file:' + path.replace("\\", "\\\\").replace('"', '\\"') + '\\xff"\n')
    page = daemon.get("/metrics").text
    assert subprocess.run(["promtool", "check", "metrics"], input=page, text=True).returncode == 0
    assert 'a\\"} 1 b\\\\c?"' in page


def test_counters_are_kept_while_reloading(daemon, loopback):
    """TCP and UDP flows while the configuration changes 20 times and is scraped all the time: no count is lost."""
    done = {"tcp": 0, "udp": 0}
    stop = threading.Event()

    def connect():
        while not stop.is_set():
            with exchange(loopback.client.connect(WEB), b"t" * 100):
                done["tcp"] += 1

    def ask_udp():
        while not stop.is_set():
            with loopback.client.udp(DNS) as s:
                s.send(b"u" * 10)
                s.recv(100)
                done["udp"] += 1

    threads = [threading.Thread(target=t) for t in (connect, ask_udp)]
    for thread in threads:
        thread.start()
    last = Metrics(daemon)
    for i in range(20):
        daemon.hang_up(CONFIGURATION.replace("connect=300ms", f"connect={301 + i}ms"))
        now = Metrics(daemon)
        for key, value in last.series.items():
            if key[0].endswith(("_total", "_count", "_bucket", "_sum")):
                assert now.series[key] >= value, key
        last = now
    stop.set()
    for thread in threads:
        thread.join()
    m = eventually(lambda: (m := Metrics(daemon))("strait_service_flows_active") == 0 and m, 20)
    assert m("strait_service_flows_total", service="web") == done["tcp"]
    assert m("strait_service_bytes_total", service="web", direction="in") == 100 * done["tcp"]
    assert m("strait_service_packets_total", service="dns", direction="out") == done["udp"]
    assert m("strait_service_bytes_total", service="dns", direction="out") == 10 * done["udp"]
    assert m("strait_config_generation") == 21


def test_head(daemon):
    """HEAD tells the type and length, and no page."""
    answer = daemon.get("/metrics", method="HEAD")
    assert answer.status == 200 and answer.text == ""
