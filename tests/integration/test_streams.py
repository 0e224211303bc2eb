# SPDX-License-Identifier: Apache-2.0
"""Long TCP streams arrive complete, in order and unchanged, in both directions at once."""

import pytest

from lab import address_text
from servers import Scripted, small_server
from traffic import both_ways, exchange, receive_exactly
from waiting import thread

MEBIBYTE = 1 << 20
CONFIGURATION = """
service stream {{
    listen {listen}
    to stream
}}
pool stream {{
    server {server}
}}
"""


def stream(strait, lab, front, back, count):
    """One connection through strait, from an address of `front` to one of `back`, full in both directions."""
    listen, address = (lab.front[front], 8000), (lab.back[back], 9000)
    listener = lab.server.listen(address)
    daemon = strait(lab.proxy, CONFIGURATION.format(listen=address_text(*listen), server=address_text(*address)))
    with lab.client.connect(listen) as client, listener.accept()[0] as server:
        both_ways(client, server, count)
    record = daemon.wait_for_flows(1, service="stream")[0]
    assert (record["bytes_in"], record["bytes_out"]) == (count, count)
    assert record["reason"] in ("client_fin", "server_fin")


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("front,back", [(4, 4), (6, 6), (4, 6), (6, 4)])
def test_64_mebibytes_both_ways(strait, lab, front, back):
    """64 MiB both ways at once, SHA-256 equal, for every pairing of IPv4 and IPv6; the record counts every byte."""
    stream(strait, lab, front, back, 64 * MEBIBYTE)


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("version", [4, 6])
def test_64_mebibytes_with_loss(strait, lab, version):
    """The same while one packet in a hundred is lost on both ends."""
    lab.client.lose(1)
    lab.server.lose(1)
    stream(strait, lab, version, version, 64 * MEBIBYTE)


@pytest.mark.xdist_group("heavy")
def test_many_streams_at_once(strait, loopback):
    """Thirty streams that share the workers do not mix."""
    listener = loopback.server.listen(("127.0.0.1", 9000))
    strait(loopback.proxy, CONFIGURATION.format(listen="127.0.0.1:8000", server="127.0.0.1:9000"))
    pairs = []
    for _ in range(30):
        client = loopback.client.connect(("127.0.0.1", 8000))
        pairs.append((client, listener.accept()[0]))
    works = [thread(both_ways, client, server, 2 * MEBIBYTE) for client, server in pairs]
    for work in works:
        work.join(90)
    for pair in pairs:
        for s in pair:
            s.close()


def test_busy_stream_leaves_room_for_others(strait, loopback):
    """A connection that always has data does not starve another on the same worker."""
    server = small_server(loopback.server, "echo", ("127.0.0.1", 9000))
    strait(loopback.proxy, CONFIGURATION.format(listen="127.0.0.1:8000", server="127.0.0.1:9000"), workers=1)
    busy = loopback.client.connect(("127.0.0.1", 8000))
    pump = thread(pump_until_closed, busy)
    reader = thread(read_until_closed, busy)
    with loopback.client.connect(("127.0.0.1", 8000), timeout=10) as s:
        for _ in range(50):
            exchange(s, b"small request")
    busy.shutdown(2)
    pump.join(), reader.join()
    busy.close()
    assert server.is_running()


def pump_until_closed(s):
    try:
        while True:
            s.sendall(bytes(65536))
    except OSError:
        pass


def read_until_closed(s):
    try:
        while s.recv(65536):
            pass
    except OSError:
        pass


def test_one_byte_at_a_time(strait, loopback):
    """Bytes sent one by one arrive in order, and none waits for the next."""
    def script(connection):
        for i in range(256):
            assert receive_exactly(connection, 1) == bytes([i])
            connection.sendall(bytes([255 - i]))
    server = Scripted(loopback.server, ("127.0.0.1", 9000), script)
    strait(loopback.proxy, CONFIGURATION.format(listen="127.0.0.1:8000", server="127.0.0.1:9000"))
    with loopback.client.connect(("127.0.0.1", 8000)) as s:
        for i in range(256):
            s.sendall(bytes([i]))
            assert receive_exactly(s, 1) == bytes([255 - i])
    server.results()
