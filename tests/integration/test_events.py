# SPDX-License-Identifier: Apache-2.0
"""GET /v1/events and GET /v1/history: what happens is told at once, in order, and to slow listeners without harm."""

import json
import socket
import time

import pytest

import process
from daemon import is_sanitized, strait as strait_command, strait_path
from event_stream import EventStream, watch
from servers import small_server
from traffic import exchange
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
STREAMS_MAX = 24
CONFIGURATION = """
service web {
    listen 127.0.0.1:8000
    to web
}
service other {
    listen udp 127.0.0.1:8001
    to spare
}
pool web {
    check tcp every=200ms timeout=300ms rise=1 fall=1
    server 127.0.0.1:9001 name=a
    server 127.0.0.1:9002 name=b
}
pool spare {
    check none
    server 127.0.0.1:9003 name=c
}
"""
MANY = "service web {\n listen 127.0.0.1:8000\n to web\n}\npool web {\n check none\n%s}\n" % "".join(
    f" server 127.0.{n // 250}.{n % 250 + 1}:9001 name=server-{n}\n" for n in range(2000))


@pytest.fixture
def servers(loopback):
    return {n: small_server(loopback.server, "echo", ("127.0.0.1", 9001 + i), n) for i, n in enumerate("ab")}


@pytest.fixture
def daemon(strait, loopback, servers):
    return strait(loopback.proxy, CONFIGURATION)


@pytest.fixture
def stream(daemon):
    with_end = watch(daemon)
    yield with_end
    with_end.close()


def streams(daemon):
    return daemon.status()["streams"]


def history(daemon, query=""):
    answer = daemon.get(f"/v1/history{query}")
    assert answer.status == 200, answer.text
    return answer.json


# ticks

def test_the_first_tick_is_full(daemon, stream):
    """It tells everything there is, at once; the head and the type are those of server-sent events."""
    tick = stream.wait_for_tick(timeout=5)
    assert (stream.status, stream.type, stream.retry) == (200, "text/event-stream", 2000)
    assert tick["is_full"] and tick["generation"] == 1 and tick["phase"] == "running" and not tick["is_degraded"]
    assert [s["name"] for s in tick["services"]] == ["web", "other"]
    assert [(s["pool"], s["name"], s["state"]) for s in tick["servers"]] == \
        [("web", "a", "up"), ("web", "b", "up"), ("spare", "c", "up")]
    assert set(tick["services"][0]) == {"name", "flows_active", "flows_total", "bytes_in", "bytes_out", "packets_in",
                                        "packets_out", "refused_total"}
    assert set(tick["servers"][0]) == {"pool", "name", "state", "flows_active", "flows_total", "bytes_in",
                                       "bytes_out", "connect_failures_total"}


def test_later_ticks_tell_what_has_changed(daemon, loopback, stream):
    """About once a second, absolute values, and nothing of services and servers to which nothing happens."""
    eventually(lambda: len(stream.ticks) >= 4)
    times = [m.at for m in stream.of("tick")]
    assert 0.5 < (times[-1] - times[0]) / (len(times) - 1) < 3
    assert not any(t["is_full"] or t["services"] or t["servers"] for t in stream.ticks[1:])
    with exchange(loopback.client.connect(FRONT), b"x" * 1000):
        tick = stream.wait_for_tick(lambda t: t["services"] and t["services"][0]["bytes_out"] == 1000)
        assert not tick["is_full"]
        assert [s["name"] for s in tick["services"]] == ["web"]
        assert (tick["services"][0]["flows_active"], tick["services"][0]["bytes_in"]) == (1, 1000)
        assert [s["flows_active"] for s in tick["servers"]] == [1]
        seen = len(stream.ticks)
    tick = stream.wait_for_tick(lambda t: t["services"] and t["services"][0]["flows_active"] == 0, after=seen)
    told = {s["name"]: s for s in tick["services"]}["web"]
    assert told == {k: daemon.service("web")[k] for k in told}


def test_a_reload_tells_everything(daemon, stream):
    """The next tick is full and has the new generation; the event comes first."""
    stream.wait_for_tick()
    daemon.hang_up(CONFIGURATION.replace("name=b", "name=bb"))
    tick = stream.wait_for_tick(lambda t: t["generation"] == 2)
    assert tick["is_full"]
    assert [s["name"] for s in tick["servers"]] == ["a", "bb", "c"]
    kinds = [(m.kind, m.document.get("event"), m.document.get("generation")) for m in stream.messages]
    assert kinds.index(("change", "reloaded", 2)) < kinds.index(("tick", None, 2))


def test_a_new_server_tells_everything(daemon, stream):
    """Also where a pool's servers change without a new generation."""
    stream.wait_for_tick()
    assert daemon.ask("POST", "/v1/pools/spare/servers", {"address": "127.0.0.1:9004", "name": "d"}).status == 201
    tick = stream.wait_for_tick(lambda t: t["is_full"] and len(t["servers"]) == 4)
    assert tick["generation"] == 1
    assert daemon.ask("DELETE", "/v1/pools/spare/servers/d").status == 200
    stream.wait_for_tick(lambda t: t["is_full"] and len(t["servers"]) == 3, after=len(stream.ticks))


# changes

def test_a_lost_server_is_told_at_once(daemon, servers, stream):
    """As an event, before the next tick says so, too."""
    stream.wait_for_tick()
    servers["a"].kill()
    change = stream.wait_for_change("server_down", pool="web", server="a", timeout=5)
    assert change == daemon.wait_for_event("server_down", pool="web", server="a")
    tick = stream.wait_for_tick(lambda t: any(s["state"] == "down" for s in t["servers"]))
    assert tick["is_degraded"]
    assert [(s["name"], s["state"]) for s in tick["servers"]] == [("a", "down")]


def make_events(daemon, count, server="c"):
    for i in range(count):
        state = "drain" if i % 2 == 0 else "up"
        assert daemon.ask("PATCH", f"/v1/pools/spare/servers/{server}", {"state": state}).status == 200


def test_changes_do_not_wait_for_ticks(daemon, stream):
    """Each is there when the request that made it is answered, or nearly; within the second there are many."""
    stream.wait_for_tick()
    latencies = []
    for i in range(20):
        begun = time.monotonic()
        make_events(daemon, 1)
        eventually(lambda: len(stream.changes("audit")) > i, every=0.001)
        latencies.append(time.monotonic() - begun)
    assert sorted(latencies)[10] < 0.2


def test_order_and_numbers(daemon, stream):
    """Numbers rise by one; all of them, and their records, are those of the history and of the log."""
    make_events(daemon, 30)
    eventually(lambda: len(stream.changes("audit")) == 30)
    told = history(daemon)
    assert stream.ids == list(range(stream.ids[0], told["last_id"] + 1))
    remembered = {e.pop("id"): e for e in told["events"]}
    assert list(remembered) == list(range(1, told["last_id"] + 1)) and told["first_id"] == 1
    assert all(m.document == remembered[m.id] for m in stream.of("change"))
    eventually(lambda: [r for r in daemon.records() if r["event"] != "flow_end"] == list(remembered.values()))


def test_a_newcomer_is_told_what_is_new(daemon):
    """Without Last-Event-ID nothing of the past comes."""
    make_events(daemon, 3)
    last = history(daemon)["last_id"]
    stream = watch(daemon)
    stream.wait_for_tick()
    make_events(daemon, 1)
    stream.wait_for_change("audit")
    assert min(stream.ids) > last
    stream.close()


@pytest.mark.parametrize("known", ["none", "some", "all", "former run"])
def test_coming_back(daemon, known):
    """With Last-Event-ID what is remembered after it comes first; nothing is missing and nothing comes twice."""
    make_events(daemon, 6)
    last = history(daemon)["last_id"]
    known_id = {"none": 0, "some": last - 4, "all": last, "former run": last + 1000}[known]
    stream = watch(daemon, last_id=known_id)
    make_events(daemon, 2)
    begin = 1 if known == "former run" else known_id + 1
    eventually(lambda: len(stream.changes("audit")) >= (2 if known == "all" else 4))
    eventually(lambda: stream.ids == list(range(begin, history(daemon)["last_id"] + 1)))
    assert known == "all" or stream.messages[0].kind == "change"
    stream.close()


def test_a_foreign_id_is_passed_over(daemon):
    """A browser that is refused would not come back."""
    stream = watch(daemon, last_id="x1")
    assert stream.status == 200
    stream.wait_for_tick()
    assert stream.ids == []
    stream.close()


# the history

def test_history_in_parts(daemon):
    make_events(daemon, 20)
    whole = history(daemon)
    ids = [e["id"] for e in whole["events"]]
    assert ids == list(range(1, len(ids) + 1)) and (whole["first_id"], whole["last_id"]) == (1, len(ids))
    assert [e["id"] for e in history(daemon, "?limit=3")["events"]] == ids[-3:]
    assert [e["id"] for e in history(daemon, "?after=2&limit=3")["events"]] == [3, 4, 5]
    assert [e["id"] for e in history(daemon, "?after=0&limit=2")["events"]] == [1, 2]
    assert [e["id"] for e in history(daemon, f"?after={ids[-2]}")["events"]] == ids[-1:]
    for query in (f"?after={ids[-1]}", "?after=999999999999", "?limit=0", "?after=1&limit=0"):
        assert history(daemon, query)["events"] == []
    for query in ("?after=-1", "?after=x", "?limit=", "?limit=99999999999999999999", "?before=1"):
        assert daemon.get(f"/v1/history{query}").status == 400


def test_history_is_bounded(daemon):
    """The oldest are forgotten; numbers go on."""
    with daemon.place.socket(socket.AF_UNIX) as s:
        s.connect(str(daemon.admin_socket))
        request = (b"PATCH /v1/pools/spare/servers/c HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   b"Content-Length: 12\r\n\r\n{\"weight\":2}")
        for _ in range(90):
            s.sendall(request * 50)
            answered = 0
            while answered < 50:
                answered += s.recv(1 << 16).count(b"HTTP/1.1 200")
    told = history(daemon)
    assert told["last_id"] > 4000
    assert len(told["events"]) <= 4096 and told["first_id"] > 1
    assert sum(len(json.dumps(e)) for e in told["events"]) < 2 << 20


def test_history_is_independent_of_sinks(strait, loopback, servers):
    """What no sink wants is remembered and told all the same."""
    daemon = strait(loopback.proxy, CONFIGURATION, log="stderr format=json level=error")
    stream = watch(daemon, last_id=0)
    make_events(daemon, 2)
    stream.wait_for_change("started")
    stream.wait_for_change("audit")
    assert "audit" in [e["event"] for e in history(daemon)["events"]]
    assert daemon.records() == []
    stream.close()


# who may listen

def test_policy(strait, loopback, servers):
    """Token and Host count here as everywhere."""
    token = loopback.directory / "token"
    token.write_text("secret\n")
    daemon = strait(loopback.proxy, CONFIGURATION, admin=f"127.0.0.1:9900 token=file:{token}", wait=False)
    connect = lambda: eventually(lambda: loopback.client.connect(("127.0.0.1", 9900)))
    right = {"Authorization": "Bearer secret"}
    assert EventStream(connect()).status == 401
    assert EventStream(connect(), headers={"Authorization": "Bearer secreT"}).status == 401
    assert EventStream(connect(), headers=right, host="example.com").status == 403
    assert EventStream(connect(), headers={**right, "Origin": "http://example.com"}).status == 403
    stream = EventStream(connect(), headers=right)
    assert stream.status == 200
    stream.wait_for_tick()
    stream.close()
    daemon.stop()


def test_head(daemon):
    """HEAD has the head of a stream, ends at once, and leaves nothing behind."""
    for _ in range(STREAMS_MAX + 5):
        answer = daemon.get("/v1/events", method="HEAD")
        assert (answer.status, answer.type, answer.text) == (200, "text/event-stream", "")
    assert streams(daemon)["open"] == 0
    assert daemon.get("/v1/events", method="POST", headers={"Content-Type": "application/json"}).status == 405


def test_http_1_0(daemon, loopback):
    """Without chunks; the end of the connection is the end."""
    with loopback.client.socket(socket.AF_UNIX) as s:
        s.connect(str(daemon.admin_socket))
        s.settimeout(10)
        s.sendall(b"GET /v1/events HTTP/1.0\r\n\r\n")
        got = b""
        while got.count(b"event: tick") < 3:
            got += s.recv(1 << 16)
        head, _, body = got.partition(b"\r\n\r\n")
        assert b"chunked" not in head.lower() and body.startswith(b"retry: 2000\n\nevent: tick\ndata: {")


# bounds

def test_the_number_of_streams_is_bounded(daemon):
    """Of 100 that want to listen some can; the others, and all who ask something else, get an answer."""
    before = process.descriptor_count(daemon.pid)
    held, refused, closed = [], 0, 0
    for _ in range(100):
        try:
            stream = watch(daemon)
        except OSError:
            closed += 1
            continue
        if stream.status == 200:
            held.append(stream)
        else:
            assert (stream.status, stream.problem["status"], stream.type) == (503, 503, "application/problem+json")
            refused += 1
            stream.close()
    assert (len(held), refused, closed) == (STREAMS_MAX, 100 - STREAMS_MAX, 0)
    for stream in held:
        stream.wait_for_tick()
    make_events(daemon, 2)
    for stream in held:
        stream.wait_for_change("audit")
    told = streams(daemon)
    assert (told["open"], told["max"], told["refused_total"]) == (STREAMS_MAX, STREAMS_MAX, refused)
    for stream in held:
        stream.close()
    eventually(lambda: streams(daemon)["open"] == 0)
    eventually(lambda: process.descriptor_count(daemon.pid) <= before)
    again = watch(daemon)
    assert again.status == 200
    again.close()


def deaf(daemon):
    """Asks for the stream and reads nothing of it."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(daemon.admin_socket))
    s.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return s


@pytest.mark.slow
def test_a_listener_that_does_not_read(strait, loopback):
    """It gets no more than fits, is closed in the end and counted; others notice nothing, and memory does not grow."""
    daemon = strait(loopback.proxy, MANY, is_ready="/livez")
    good = watch(daemon)
    good.wait_for_tick()
    sockets = [deaf(daemon) for _ in range(8)]
    eventually(lambda: streams(daemon)["open"] == 9)
    at_first = None
    for i in range(12):
        count = len(good.ticks)
        path = "/v1/pools/web/servers/server-1"
        assert daemon.ask("PATCH", path, {"weight": i + 1}).status == 200  # the next tick is full
        tick = good.wait_for_tick(lambda t: t["is_full"], after=count, timeout=5)
        assert len(tick["servers"]) == 2000
        at_first = at_first or daemon.private_bytes()
    told = streams(daemon)
    assert told["ticks_skipped_total"] > 0
    assert is_sanitized() or daemon.private_bytes() - at_first < 4 << 20
    assert max(b.at - a.at for a, b in zip(good.of("tick"), good.of("tick")[1:])) < 3
    eventually(lambda: streams(daemon)["open"] == 1, timeout=50, every=0.5)
    assert streams(daemon)["cut_total"] == 8
    assert not good.is_over
    for s in sockets:
        s.close()
    good.close()


def test_a_slow_listener_catches_up(strait, loopback):
    """One that pauses gets a full tick when it reads on, and misses no change."""
    daemon = strait(loopback.proxy, MANY, is_ready="/livez")
    s = deaf(daemon)
    eventually(lambda: streams(daemon)["open"] == 1)
    path = "/v1/pools/web/servers/server-1"
    skipped = lambda: streams(daemon)["ticks_skipped_total"] > 0
    eventually(lambda: daemon.ask("PATCH", path, {"weight": 7}).status == 200 and skipped(), every=0.2)
    last = history(daemon)["last_id"]
    s.settimeout(10)
    got = b""
    while f"\nid: {last}\n".encode() not in got or not got.endswith(b"}\n\n\r\n"):
        got += s.recv(1 << 20)
    got = got[got.rindex(f"\nid: {last}\n".encode()):]  # the tick may have come with it
    while b'"is_full":true' not in got:
        got += s.recv(1 << 20)
        daemon.get("/livez")
    s.close()


def test_an_open_stream_costs_nothing(daemon, stream):
    """Nothing spins while there is nothing to tell, with a stream at rest and one that does not read."""
    stream.wait_for_tick()
    with deaf(daemon):
        assert process.cpu_share(daemon.pid, 3) < (0.5 if is_sanitized() else 0.1)


# the end

def is_ended_well(stream):
    """With the last chunk, not cut off."""
    stream.wait_for_end()
    return stream.has_end and stream.error is None


def test_the_stop_does_not_wait_for_streams(daemon):
    listening = [watch(daemon) for _ in range(5)]
    silent = deaf(daemon)
    listening[0].wait_for_tick()
    begun = time.monotonic()
    daemon.terminate()
    assert daemon.wait() == 0
    assert time.monotonic() - begun < 5
    assert all(is_ended_well(s) for s in listening)
    assert listening[0].changes("stopping")
    silent.close()


def test_streams_go_on_while_draining(daemon, loopback, stream):
    """The stop waits for flows; who watches sees that, and does not prolong it."""
    flow = exchange(loopback.client.connect(FRONT))
    daemon.terminate()
    stream.wait_for_change("stopping")
    stream.wait_for_tick(lambda t: t["phase"] == "draining")
    flow.close()
    assert daemon.wait() == 0
    assert is_ended_well(stream)


def test_streams_survive_reloads_and_end_with_their_listener(strait, loopback, servers):
    daemon = strait(loopback.proxy, CONFIGURATION)
    unix = f"unix:{daemon.admin_socket}"
    daemon.configure(CONFIGURATION, admin=f"{unix} 127.0.0.1:9901")
    daemon.ask("POST", "/v1/reload")
    staying, leaving = watch(daemon), EventStream(loopback.client.connect(("127.0.0.1", 9901)))
    leaving.wait_for_tick()
    for generation in (3, 4):
        assert daemon.ask("POST", "/v1/reload").json["generation"] == generation
        for stream in (staying, leaving):
            stream.wait_for_tick(lambda t: t["generation"] == generation and t["is_full"])
    daemon.configure(CONFIGURATION, admin=unix)
    daemon.ask("POST", "/v1/reload")
    assert is_ended_well(leaving)
    assert leaving.changes("reloaded", generation=5)
    staying.wait_for_tick(lambda t: t["generation"] == 5)
    assert streams(daemon)["open"] == 1
    staying.close()


def test_a_listener_that_goes_does_not_wait_for_one_that_does_not_read(strait, loopback, servers):
    daemon = strait(loopback.proxy, MANY, is_ready="/livez")
    daemon.configure(MANY, admin=f"unix:{daemon.admin_socket} 127.0.0.1:9901")
    daemon.ask("POST", "/v1/reload")
    with loopback.client.connect(("127.0.0.1", 9901)) as s:
        s.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: streams(daemon)["open"] == 1)
        daemon.configure(MANY, admin=f"unix:{daemon.admin_socket}")
        daemon.ask("POST", "/v1/reload")
        eventually(lambda: streams(daemon)["open"] == 0, timeout=15)
    assert daemon.get("/livez").status == 200


# the command

def test_the_command_shows_the_past(daemon):
    make_events(daemon, 3)
    result = daemon.command("events", "--once")
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and len(lines) == history(daemon)["last_id"]
    assert " started version=" in lines[0] and lines[0].startswith(history(daemon)["events"][0]["ts"])
    assert " audit method=PATCH path=/v1/pools/spare/servers/c " in lines[-1]
    latest = daemon.command("events", "--once", "-n", "2", "-o", "json").stdout.splitlines()
    assert [json.loads(line) for line in latest] == history(daemon)["events"][-2:]
    refused = daemon.command("events", "-n", "x")
    assert (refused.returncode, refused.stdout) == (1, "") and "limit" in refused.stderr


def test_the_command_follows(daemon, loopback):
    """First the past, then what happens, each once; it ends with the daemon, and says so."""
    def start(*words):
        return loopback.client.start(strait_path(), "events", *words, "--admin", f"unix:{daemon.admin_socket}")
    text, machine = start("-n", "1"), start("-o", "json")
    eventually(lambda: streams(daemon)["open"] == 2)
    before = history(daemon)["last_id"]
    for _ in range(3):
        make_events(daemon, 2)
        happened = history(daemon)["last_id"] - before
        eventually(lambda: len(text.output.splitlines()) == 1 + happened)
    numbers = lambda: [json.loads(line)["id"] for line in machine.output.splitlines()]
    last = history(daemon)["last_id"]
    eventually(lambda: numbers() == list(range(1, last + 1)))
    daemon.terminate()
    assert daemon.wait() == 0
    assert text.wait() == 3 and "the daemon tells no more" in text.errors
    assert machine.wait() == 3
    assert json.loads(machine.output.splitlines()[-1])["event"] == "stopping"


def test_the_command_finds_nobody(loopback):
    result = strait_command(loopback.client, "events", "--admin", "127.0.0.1:9999")
    assert result.returncode == 3 and "no answer from the daemon" in result.stderr
