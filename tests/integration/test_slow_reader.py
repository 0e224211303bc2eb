# SPDX-License-Identifier: Apache-2.0
"""A client that reads slowly is served at its pace: what it does not take stays with the server, not in memory."""

import time

import pytest

import process
from servers import Scripted
from traffic import send_endlessly
from waiting import thread

READERS = 8
SECONDS = 60
CONFIGURATION = """
service slow {
    listen 127.0.0.1:8000
    to slow
}
pool slow {
    server 127.0.0.1:9000
}
"""


def read_slowly(s, seconds):
    """Reads 1 KB/s."""
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline:
        count += len(s.recv(1024))
        time.sleep(1)
    return count


@pytest.mark.slow
def test_memory_stays_bounded(strait, loopback, figure, own_memory):
    """Clients that read 1 KB/s for a minute from servers that send as fast as they can: memory does not grow."""
    server = Scripted(loopback.server, ("127.0.0.1", 9000), send_endlessly)
    daemon = strait(loopback.proxy, CONFIGURATION)
    clients = [loopback.client.connect(("127.0.0.1", 8000), receive_bytes=4096) for _ in range(READERS)]
    works = [thread(read_slowly, s, 5) for s in clients]
    for work in works:
        work.join()
    before = daemon.private_bytes()
    works = [thread(read_slowly, s, SECONDS - 5) for s in clients]
    peak = before
    while any(w.is_alive() for w in works):
        peak = max(peak, daemon.private_bytes())
        time.sleep(1)
    for work in works:
        assert work.join() > 10_000, "the slow readers were served"
    figure(f"{READERS} slow readers: private memory {before} after 5 s, {peak} at most within {SECONDS} s")
    assert peak - before < 256 * 1024
    assert process.cpu_share(daemon.pid) < 0.3, "waiting for slow readers must not cost CPU"
    for s in clients:
        s.close()
    server.results(READERS)


def test_tail_is_bounded(strait, loopback, figure, own_memory):
    """Clients that do not read at all hold a bounded amount of memory each, however much the servers would send."""
    server = Scripted(loopback.server, ("127.0.0.1", 9000), send_endlessly)
    daemon = strait(loopback.proxy, CONFIGURATION)
    before = daemon.private_bytes()
    clients = [loopback.client.connect(("127.0.0.1", 8000), receive_bytes=4096) for _ in range(20)]
    time.sleep(3)
    growth = daemon.private_bytes() - before
    figure(f"client that does not read: {growth // 20} bytes of user memory")
    assert growth < 20 * 256 * 1024
    for s in clients:
        s.close()
    server.results(20)
    daemon.wait_for_active("slow", 0)
