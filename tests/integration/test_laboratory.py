# SPDX-License-Identifier: Apache-2.0
"""The laboratory itself: what the other tests take for granted."""

import os
import select
import socket
import subprocess
import sys

import pytest

import lab as laboratory
from servers import Knot, Postgresql, Scripted, Sshd, iperf3, postgresql_programs, redis, small_server
from traffic import both_ways, exchange
from waiting import eventually


@pytest.mark.parametrize("version", [4, 6])
def test_ends_have_no_route_to_each_other(lab, version):
    """What arrives at the other end went through strait, because nothing else leads there."""
    with pytest.raises(OSError, match="unreachable"):
        lab.client.connect((lab.back[version], 9000), timeout=1)
    with pytest.raises(OSError, match="unreachable"):
        lab.server.connect((lab.clients[version], 9000), timeout=1)


@pytest.mark.parametrize("version", [4, 6])
def test_proxy_reaches_both_ends(lab, version):
    """The wires work, with both families, as soon as the lab is built."""
    small_server(lab.server, "echo", (lab.back[version], 9000))
    small_server(lab.client, "echo", (lab.clients[version], 9000))
    for address in ((lab.back[version], 9000), (lab.clients[version], 9000)):
        exchange(lab.proxy.connect(address)).close()


def test_loss_drops_packets(lab):
    """The loss asked for happens, and TCP survives it."""
    lab.server.lose(30)
    small_server(lab.server, "echo", (lab.back[4], 9000))
    with lab.proxy.udp((lab.back[4], 9000), timeout=0.5) as s:
        for _ in range(200):
            s.send(b"x")
        assert select.select([s], [], [], 5)[0]
        count = 0
        try:
            while s.recv(10):
                count += 1
        except TimeoutError:
            pass
    assert 80 < count < 190


def test_many_client_addresses(lab):
    """The client can use any address of its range as its own."""
    small_server(lab.proxy, "echo", (lab.front[4], 9000))
    exchange(lab.client.connect((lab.front[4], 9000), source=("10.1.200.77", 0))).close()


@pytest.mark.xdist_group("heavy")
def test_streams_without_strait(lab):
    """The endpoints of the stream tests pass a stream exactly when nothing is between them."""
    listener = lab.server.listen((lab.back[4], 9000))
    with lab.proxy.connect((lab.back[4], 9000)) as client, listener.accept()[0] as server:
        both_ways(client, server, 16 << 20)


def ask_postgresql(lab, host):
    Postgresql(lab.server, [host])
    return lab.proxy.run(postgresql_programs() / "psql", "-h", host, "-U", "postgres", "-AtXc", "select 6 * 7").stdout


def ask_redis(lab, host):
    redis(lab.server, [host])
    return lab.proxy.run(laboratory.program_path("redis-cli"), "-h", host, "eval", "return 6 * 7", "0").stdout


def ask_sshd(lab, host):
    sshd = Sshd(lab.server, [host])
    return lab.proxy.run(laboratory.program_path("ssh"), *sshd.options(22), f"root@{host}", "echo $((6 * 7))").stdout


def ask_knot(lab, host):
    Knot(lab.server, [host])
    return lab.proxy.run(laboratory.program_path("dig"), f"@{host}", "host41.example.test", "A", "+short").stdout


def ask_iperf3(lab, host):
    iperf3(lab.server, host)
    lab.proxy.run(laboratory.program_path("iperf3"), "-c", host, "-t", "1")
    return "42"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("ask", [ask_postgresql, ask_redis, ask_sshd, ask_knot, ask_iperf3])
def test_real_servers_without_strait(lab, ask, version):
    """The real servers run in the laboratory and answer when asked directly."""
    assert "42" in ask(lab, lab.back[version])


def test_scripted_server_reports_its_errors(loopback):
    """An assertion in a server's script fails the test."""
    def script(connection):
        assert connection.recv(10) == b"other"
    server = Scripted(loopback.server, ("127.0.0.1", 9000), script)
    with loopback.client.connect(server.address) as s:
        s.sendall(b"x")
        s.recv(1)
    with pytest.raises(AssertionError):
        server.results()


def test_lab_leaves_nothing():
    """Namespaces, processes and files of a lab are gone after it, also when the test failed."""
    with pytest.raises(ZeroDivisionError), laboratory.Lab() as lab:
        server = small_server(lab.server, "echo", (lab.back[4], 9000))
        names = [p.namespace for p in lab.places]
        assert all((laboratory.NAMESPACES / n).exists() for n in names)
        1 / 0
    assert not server.is_running()
    assert not any((laboratory.NAMESPACES / n).exists() for n in names)
    assert not lab.directory.exists()


def test_stale_labs_are_removed():
    """What a killed test process left behind is removed by the next; what belongs to a living one is not."""
    dead = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    stale, living = f"strait-{dead}-1-client", f"strait-{os.getpid()}-0-client"
    for name in (stale, living):
        subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        laboratory.remove_stale_labs()
        assert not (laboratory.NAMESPACES / stale).exists()
        assert (laboratory.NAMESPACES / living).exists()
    finally:
        laboratory.delete_namespace(living)


def test_programs_end_with_the_test_process():
    """A test process that is killed takes its servers along."""
    code = ("import os, lab, servers, signal; l = lab.Loopback();"
            "print(servers.small_server(l.server, 'echo', ('127.0.0.1', 9000)).pid, flush=True);"
            "os.kill(os.getpid(), signal.SIGKILL)")
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           check=False, cwd=os.path.dirname(__file__))
    pid = int(child.stdout)
    eventually(lambda: not laboratory.is_alive(pid), 5, what="the server is gone")
    laboratory.remove_stale_labs()


def test_socket_belongs_to_its_namespace(lab):
    """A socket opened in a place sees that place's addresses, and the test's own namespace is left as it was."""
    before = socket.if_nameindex()
    with lab.server.socket() as s:
        s.bind((lab.back[4], 0))
    assert socket.if_nameindex() == before
