# SPDX-License-Identifier: Apache-2.0
"""The daemon may die: flows in the kernel go on without it, and the next one accounts for them and ends them."""

import pytest

from lab import temporary_directory
from servers import small_server, tool
from test_offload_udp import ask, configuration, flows_used, is_forwarded, settle
from waiting import eventually, thread


def configure(lab, pins, **more):
    return configuration(lab, top=f"kernel-path auto pins={pins}", **more)


def kill(daemon):
    daemon.is_expected_to_end = daemon.was_waited_for = True
    daemon.program.kill()


@pytest.fixture
def server(lab):
    return small_server(lab.server, "echo", (lab.back[4], 9000))


@pytest.mark.parametrize("mode", ["tcx", "tc"])
def test_flows_go_on(strait, lab, pins, server, mode):
    """After kill -9 datagrams pass as before; the next daemon knows the flow, what has passed meanwhile, and how it ends."""
    through = (tool("without_bpf_links"),) if mode == "tc" else ()
    first = strait(lab.proxy, configure(lab, pins), through=through)
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, first)
        assert {i["mode"] for i in first.status()["kernel_path"]["interfaces"]} == {mode}
        before = first.get("/v1/flows").json["flows"][0]
        kill(first)
        for i in range(20):
            assert ask(s, b"%d" % i) == b"%d" % i
        second = strait(lab.proxy, configure(lab, pins), through=through)
        assert second.wait_for_event("flows_adopted")["count"] == 1
        assert is_forwarded(s, second)
        flow = eventually(lambda: second.get("/v1/flows").json["flows"])[0]
        for key in ("service", "client", "listen", "server", "server_address", "local", "protocol"):
            assert flow[key] == before[key], key
        assert flow["path"] == "offload"
        # All but what had passed in user space: one round trip and a half.
        assert (flow["packets_in"], flow["packets_out"]) == (21, 22)
        assert second.service("game")["flows_active"] == 1
        assert second.server("game", flow["server"])["flows_active"] == 1
        assert second.ask("DELETE", f"/v1/flows/{flow['id']}").status < 300
        record = second.wait_for_flows(1)[0]
        assert (record["reason"], record["packets_in"]) == ("admin_closed", 21)
        assert flows_used(second) == 0
        assert second.service("game")["flows_active"] == 0
        assert second.server("game", flow["server"])["flows_active"] == 0
        assert ask(s, b"another session") == b"another session"


def test_idle(strait, lab, pins, server):
    """An adopted flow that is idle ends, when nothing has passed for the session's time."""
    more = "session idle=1s"
    first = strait(lab.proxy, configure(lab, pins, more=more))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, first)
        kill(first)
        second = strait(lab.proxy, configure(lab, pins, more=more))
        assert second.wait_for_flows(1)[0]["reason"] == "idle_timeout"
        assert flows_used(second) == 0


def test_many(strait, lab, pins, server):
    """Hundreds, over several workers; a second death changes nothing."""
    clients = [lab.client.udp((lab.front[4], 8000)) for _ in range(300)]
    daemon = strait(lab.proxy, configure(lab, pins))
    for turn in range(3):
        for s in clients:
            assert ask(s, b"hello") == b"hello"
    for _ in range(2):
        assert flows_used(daemon) == 300
        kill(daemon)
        daemon = strait(lab.proxy, configure(lab, pins))
        for s in clients:
            assert ask(s, b"hello") == b"hello"
    eventually(lambda: daemon.service("game")["flows_active"] == 300)
    daemon.stop()
    records = daemon.wait_for_flows(300)
    assert {r["reason"] for r in records} == {"shutdown"}
    assert len({r["client"] for r in records}) == 300
    assert not pins.exists() or not list(pins.rglob("*"))
    for s in clients:
        s.close()


def test_lost_port_is_nobody_elses(strait, lab, pins, server):
    """The port of an adopted flow is not given to another session."""
    first = strait(lab.proxy, configure(lab, pins))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, first)
        local = first.get("/v1/flows").json["flows"][0]["local"]
        kill(first)
        strait(lab.proxy, configure(lab, pins)).wait_for_event("flows_adopted")
        with pytest.raises(OSError):
            lab.proxy.udp(source=("10.2.0.1", int(local.split(":")[1])))


def test_service_is_gone(strait, lab, pins, server):
    """Flows of a service that is not configured any more end; one whose server is gone goes on without it."""
    first = strait(lab.proxy, configure(lab, pins))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, first)
        kill(first)
        second = strait(lab.proxy, configure(lab, pins, servers="server 10.2.0.3:9000"))
        assert second.wait_for_event("flows_adopted")["ended"] == 0
        assert is_forwarded(s, second)
        flow = second.get("/v1/flows").json["flows"][0]
        assert (flow["server_address"], flow["chosen_by"]) == ("10.2.0.2:9000", "")
        kill(second)
        third = strait(lab.proxy, configure(lab, pins, listen="10.1.0.1:8001"))
        event = third.wait_for_event("flows_adopted")
        assert (event["count"], event["ended"]) == (0, 1)
        assert flows_used(third) == 0


def test_nobody_wants_them(strait, lab, pins, server):
    """Without any service that wants the kernel path, what was left is taken away."""
    first = strait(lab.proxy, configure(lab, pins))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, first)
        kill(first)
        second = strait(lab.proxy, configure(lab, pins, path="relay"))
        assert second.wait_for_event("flows_dropped")["count"] == 1
        assert not list(pins.rglob("*"))
        assert ask(s, b"in user space") == b"in user space"
        assert second.status()["kernel_path"]["state"] == "off"


def test_without_pins(strait, lab, server):
    """Without a BPF file system flows end with the daemon that is killed, and clients find the next one as they are used to."""
    first = strait(lab.proxy, configuration(lab))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, first)
        assert "BPF file system" in first.status()["kernel_path"]["why_not_pinned"]
        kill(first)
        second = strait(lab.proxy, configuration(lab))
        settle(s, second)
        assert is_forwarded(s, second)


def test_pins_elsewhere(strait, lab, server):
    """A directory that is in no BPF file system is no obstacle, and is told of."""
    directory = temporary_directory("pins")
    daemon = strait(lab.proxy, configure(lab, directory))
    path = daemon.status()["kernel_path"]
    assert path["state"] == "active"
    assert "not in a BPF file system" in path["why_not_pinned"]


def test_two_daemons(strait, lab, pins, server):
    """Whoever comes second with the same pins stays in user space, and says so; with others both have the kernel."""
    strait(lab.proxy, configure(lab, pins))
    second = strait(lab.proxy, configure(lab, pins, listen="10.1.0.1:8001"))
    path = second.status()["kernel_path"]
    assert path["state"] == "unavailable"
    assert "another strait" in path["why"]
    third = strait(lab.proxy, configure(lab, pins.with_name("other"), listen="10.1.0.1:8002"))
    with lab.client.udp(("10.1.0.1", 8002)) as s:
        settle(s, third)
        assert is_forwarded(s, third)


def test_daemon_replaced_under_load(strait, lab, pins, server):
    """Datagrams that pass while the daemon is killed and the next one takes over: none is lost, none comes twice."""
    daemon = strait(lab.proxy, configure(lab, pins))
    with lab.client.udp((lab.front[4], 8000)) as s:
        settle(s, daemon)
        received, is_over = [], False

        def ping():
            while not is_over:
                data = b"%d" % len(received)
                received.append(ask(s, data) == data)
        work = thread(ping)
        for _ in range(3):
            kill(daemon)
            daemon = strait(lab.proxy, configure(lab, pins))
            daemon.wait_for_event("flows_adopted")
        is_over = True
        work.join(10)
        assert len(received) > 100
        assert all(received)
        s.settimeout(0.2)
        with pytest.raises(TimeoutError):
            s.recv(100)
