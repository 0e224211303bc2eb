# SPDX-License-Identifier: Apache-2.0
"""
Streams go through pipes in the kernel, and what holds for bytes that are copied holds for them: order, ends, resets,
slow readers, bounded memory. A pipe stays with a connection only while its reader is slower than its writer.
"""

import hashlib
import socket
import time

import pytest

import process
from lab import address_text
from metrics import Metrics
from servers import Scripted, small_server
from traffic import (both_ways, ending, exchange, receive_all, receive_exactly, receive_stream, reset, send_endlessly,
                     send_stream)
from waiting import eventually, thread

MEBIBYTE = 1 << 20
LISTEN, SERVER = ("127.0.0.1", 8000), ("127.0.0.1", 9000)
PIPES_MAX = 32  # of a worker
CONFIGURATION = """
{more}
service stream {{
    listen {listen}
    to stream
}}
pool stream {{
    server {server}
}}
"""


def configuration(listen=address_text(*LISTEN), server=address_text(*SERVER), more=""):
    return CONFIGURATION.format(listen=listen, server=server, more=more)


def unsent_bytes(daemon):
    return Metrics(daemon)("strait_memory_bytes", kind="unsent")


def wait_for_pipes(daemon, count):
    """Until there are so many pipes; returns how many."""
    eventually(lambda: process.pipe_count(daemon.pid) >= count, 20, what=f"{count} pipes")
    return process.pipe_count(daemon.pid)


def resting(place, count):
    """Clients that do not read."""
    return [place.client.connect(LISTEN, receive_bytes=4096) for _ in range(count)]


def test_reader_that_rests(strait, loopback):
    """A reader that rests in the middle of a stream gets every byte in order, and then the end."""
    count = 48 * MEBIBYTE
    daemon = strait(loopback.proxy, configuration())
    server = Scripted(loopback.server, SERVER, lambda c: (send_stream(c, count, 5), ending(c)), timeout=60)
    with loopback.client.connect(LISTEN, timeout=60) as s:
        wait_for_pipes(daemon, 1)
        digest = hashlib.sha256()
        for _ in range(5):
            eventually(lambda: unsent_bytes(daemon) > 0, what="something is kept")
            digest.update(receive_exactly(s, 7 * MEBIBYTE))
        digest.update(receive_all(s))
    assert server.results() == [(digest.hexdigest(), "fin")]
    flow = daemon.wait_for_flows(1)[0]
    assert (flow["bytes_out"], flow["reason"]) == (count, "server_fin")
    assert unsent_bytes(daemon) == 0


def test_end_behind_a_stream(strait, loopback):
    """A client that finishes while its last bytes are still kept: the server gets them, and may answer for long."""
    count = 16 * MEBIBYTE

    def script(connection):
        eventually(lambda: unsent_bytes(daemon) > 0, what="something is kept")
        time.sleep(0.5)
        result = receive_stream(connection)
        connection.sendall(b"thanks")
        return result
    daemon = strait(loopback.proxy, configuration())
    server = Scripted(loopback.server, SERVER, script, timeout=60)
    with loopback.client.connect(LISTEN, timeout=60) as s:
        sent = send_stream(s, count, 3)
        assert receive_all(s) == b"thanks"
    assert server.results() == [(count, sent)]


def test_streams_and_small_requests_in_turn(strait, loopback):
    """One connection that streams, asks small questions and streams again: nothing is delayed or mixed up."""
    small_server(loopback.server, "echo", SERVER)
    strait(loopback.proxy, configuration(), workers=1)
    with loopback.client.connect(LISTEN, timeout=20) as s:
        for i in range(20):
            data = hashlib.sha256(bytes([i])).digest() * 40_000
            sending = thread(s.sendall, data)
            assert receive_exactly(s, len(data)) == data
            sending.join()
            for _ in range(10):
                exchange(s, b"small")


def test_unix_sockets(strait, loopback):
    """The same between unix sockets."""
    front, back = loopback.directory / "front", loopback.directory / "back"
    listener = loopback.server.listen(back)
    strait(loopback.proxy, configuration(f"unix:{front}", f"unix:{back}"))
    with loopback.client.connect(front) as client, listener.accept()[0] as server:
        both_ways(client, server, 16 * MEBIBYTE)


def test_reader_resets(strait, loopback):
    """A reader that resets while a pipe is full for it: the writer is told, and nothing stays."""
    daemon = strait(loopback.proxy, configuration())
    server = Scripted(loopback.server, SERVER, send_endlessly)
    with loopback.client.connect(LISTEN, receive_bytes=4096) as s:
        eventually(lambda: unsent_bytes(daemon) > 0, what="something is kept")
        reset(s)
    assert server.results()[0] > 0
    check_nothing_stays(daemon, "client_rst")


def test_writer_resets(strait, loopback):
    """The same of a writer."""
    daemon = strait(loopback.proxy, configuration())
    Scripted(loopback.server, SERVER, lambda c: (stuff(c, daemon), reset(c)))
    with loopback.client.connect(LISTEN, receive_bytes=4096) as s:
        daemon.wait_for_flows(1)
        assert ending(s) == "reset"
    check_nothing_stays(daemon, "server_rst")


def check_nothing_stays(daemon, reason):
    assert daemon.wait_for_flows(1)[0]["reason"] == reason
    assert unsent_bytes(daemon) == 0
    assert process.pipe_count(daemon.pid) <= 2 * 2, "what was kept is closed"


def stuff(connection, daemon):
    """Sends until nothing is taken any more and something is kept."""
    connection.setblocking(False)
    def is_full():
        try:
            while True:
                connection.send(bytes(1 << 16))
        except BlockingIOError:
            return unsent_bytes(daemon) > 0
    eventually(is_full, 10, every=0.2)


PART = bytes(range(256)) * 4096


def send_with_urgent_byte(s, parts):
    s.sendall(PART * parts)
    s.send(b"!", socket.MSG_OOB)
    s.sendall(PART * parts)


def test_urgent_byte(strait, loopback):
    """An urgent byte in the middle of what waits for a reader, over which no pipe can step, stops nothing."""
    def script(connection):
        time.sleep(0.5)
        data = receive_exactly(connection, 8 * len(PART))
        connection.sendall(b"all")
        return data
    strait(loopback.proxy, configuration())
    server = Scripted(loopback.server, SERVER, script, timeout=10)
    with loopback.client.connect(LISTEN, timeout=15) as s:
        sending = thread(send_with_urgent_byte, s, 4)
        assert receive_exactly(s, 3) == b"all"
        sending.join()
    assert server.results() == [PART * 8], "the urgent byte itself is left out, as it is without pipes"


def test_urgent_byte_in_the_past(strait, loopback):
    """When all is there before the first reading, which stops at the urgent byte, the rest is read without an event."""
    daemon = strait(loopback.proxy, configuration())
    server = Scripted(loopback.server, SERVER, lambda c: (receive_exactly(c, 9), c.sendall(b"all")), timeout=10)
    with loopback.client.connect(LISTEN) as s:
        with daemon.program.held():
            s.sendall(b"before")
            s.send(b"!", socket.MSG_OOB)
            s.sendall(b"end")
        assert receive_exactly(s, 3) == b"all"
    server.results()


def test_urgent_byte_and_the_end(strait, loopback):
    """The end right behind an urgent byte and what follows it: all arrives first, though a pipe sees an end before."""
    daemon = strait(loopback.proxy, configuration())
    server = Scripted(loopback.server, SERVER, receive_all, timeout=20)
    for i in range(25):
        with loopback.client.connect(LISTEN) as s:
            send_with_urgent_byte(s, 2)
            s.shutdown(socket.SHUT_WR)
            assert server.results(i + 1)[i] == PART * 4
    assert {flow["reason"] for flow in daemon.wait_for_flows(25)} == {"client_fin"}


def test_pipes_are_bounded(strait, loopback):
    """However many clients do not read, there are so many pipes; the others' bytes are copied, and all are served."""
    daemon = strait(loopback.proxy, configuration(), workers=1)
    Scripted(loopback.server, SERVER, send_endlessly)
    clients = resting(loopback, 60)
    most = wait_for_pipes(daemon, 2 * PIPES_MAX)
    assert most == 2 * PIPES_MAX
    with loopback.client.connect(LISTEN) as s:
        receive_exactly(s, 8 * MEBIBYTE)
    for s in clients:
        s.settimeout(20)
        receive_exactly(s, 3 * MEBIBYTE)
    assert process.pipe_count(daemon.pid) <= most
    for s in clients:
        s.close()
    daemon.wait_for_active("stream", 0)
    assert unsent_bytes(daemon) == 0


def test_little_memory(strait, loopback):
    """Pipes hold no more than `limit memory=` leaves for bytes that are not taken."""
    daemon = strait(loopback.proxy, configuration(more="limit memory=16m"), workers=1)
    Scripted(loopback.server, SERVER, send_endlessly)
    clients = resting(loopback, 20)
    eventually(lambda: unsent_bytes(daemon) > 2 * MEBIBYTE, what="much is kept")
    time.sleep(0.5)
    assert unsent_bytes(daemon) <= 8 * MEBIBYTE, "half of it"
    for s in clients:
        s.settimeout(20)
        receive_exactly(s, 3 * MEBIBYTE)
        s.close()


def test_few_descriptors(strait, loopback):
    """Pipes take a small share of the descriptors, and those that nobody uses are given to new connections."""
    small = "service small { listen 127.0.0.1:8001; to small; }\npool small { server 127.0.0.1:9001; }"
    daemon = strait(loopback.proxy, configuration(more=small), workers=1, nofile=400)
    Scripted(loopback.server, SERVER, lambda c: send_stream(c, 8 * MEBIBYTE, 1))
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    room = int(Metrics(daemon)("strait_limit", resource="descriptors"))
    streams = resting(loopback, 20)
    eventually(lambda: unsent_bytes(daemon) > 10 * 65536, what="pipes and tails are in use")
    assert 2 < process.pipe_count(daemon.pid) <= 2 + room // 64
    for s in streams:
        assert len(receive_all(s)) == 8 * MEBIBYTE
        s.close()
    assert process.pipe_count(daemon.pid) > 2, "pipes are kept for the next stream"
    daemon.wait_for_active("stream", 0)
    clients = [exchange(loopback.client.connect(("127.0.0.1", 8001))) for _ in range(room // 2)]
    for s in clients:
        s.close()
