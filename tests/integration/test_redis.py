# SPDX-License-Identifier: Apache-2.0
"""Redis behind strait: redis-benchmark, large values, and messages that the server sends on its own."""

import re

import pytest

from lab import address_text, program_path
from servers import redis
from traffic import receive_exactly

CONFIGURATION = """
service cache {{
    listen {listen}
    to cache
}}
pool cache {{
    check tcp send="PING\\r\\n" expect="+PONG" every=500ms
    server {server}
}}
"""


def start(strait, lab, front, back):
    redis(lab.server, [lab.back[4], lab.back[6]])
    return strait(lab.proxy, CONFIGURATION.format(listen=address_text(lab.front[front], 6379),
                                                  server=address_text(lab.back[back], 6379)))


def cli(place, host, *words, **options):
    return place.run(program_path("redis-cli"), "-h", host, *words, **options).stdout


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("front,back", [(4, 4), (6, 6), (4, 6)])
def test_benchmark(strait, lab, front, back):
    """redis-benchmark, with and without pipelining and with keep-alive off, gets every answer."""
    daemon = start(strait, lab, front, back)
    host = lab.front[front]
    for words in ("-n 20000 -c 50", "-n 40000 -c 20 -P 32", "-n 500 -c 10 -k 0"):
        output = lab.client.run(program_path("redis-benchmark"), "-h", host, "-q", "-t", "set,get,incr",
                                *words.split()).stdout
        assert len(re.findall(r"(SET|GET|INCR): \d+(\.\d+)? requests per second", output)) == 3, output
        assert "rror" not in output
    assert daemon.service("cache")["flows_total"] >= 50
    count = cli(lab.client, host, "get", "counter:__rand_int__")
    assert count == cli(lab.server, lab.back[back], "get", "counter:__rand_int__") == "60500\n"


def test_large_values(strait, lab):
    """A value of 16 MB that goes through strait is the same one as seen directly."""
    start(strait, lab, 4, 4)
    value = ("strait " * 2_400_000)[:16_000_000]
    assert cli(lab.client, lab.front[4], "-x", "set", "large", input=value) == "OK\n"
    assert cli(lab.server, lab.back[4], "get", "large") == value + "\n"
    assert cli(lab.client, lab.front[4], "get", "large") == value + "\n"


def test_subscription(strait, lab):
    """A subscriber gets what others publish, though it sends nothing itself."""
    start(strait, lab, 4, 4)
    with lab.client.connect((lab.front[4], 6379)) as s:
        s.sendall(b"SUBSCRIBE news\r\n")
        receive_exactly(s, len(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"))
        for i in range(20):
            assert cli(lab.server, lab.back[4], "publish", "news", f"item {i:02d}") == "1\n"
            expected = f"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$7\r\nitem {i:02d}\r\n".encode()
            assert receive_exactly(s, len(expected)) == expected
