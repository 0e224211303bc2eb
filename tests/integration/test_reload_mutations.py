# SPDX-License-Identifier: Apache-2.0
"""Thousands of broken and strange configurations, one after the other on one daemon: it lives, it serves, it forgets."""

import json
import random
import signal

import pytest

import process
from daemon import is_sanitized
from servers import small_server
from traffic import exchange, is_served
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
SEED = 20240607
SMALL_MEMORY = 2 << 20
GOOD = """
limit connections=1000 sessions=1000
timeout drain=5s
service web {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    allow 127.0.0.0/8
    deny 0.0.0.0/0 ::/0
    limit connections=100 rate=10000/s
    timeout connect=2s idle=60s
    retries 2
    to web
}
service other {
    listen 127.0.0.1:8001
    listen udp 127.0.0.1:8001
    session idle=10s new=5s
    to other
}
pool web {
    balance round-robin
    check tcp every=1s timeout=1s rise=1 fall=3
    server 127.0.0.1:9001 name=a weight=2
    server 127.0.0.1:9002 name=b backup
}
pool other {
    balance least-connections
    check none
    eject failures=5 for=10s
    server 127.0.0.1:9001 name=c max-connections=50
}
"""


def flip(chooser, data):
    place = chooser.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chooser.randrange(8)]) + data[place + 1:]


def piece(chooser, data):
    """The borders of something between a byte and a few lines."""
    begin = chooser.randrange(len(data))
    return begin, min(len(data), begin + int(2 ** chooser.uniform(0, 7)))


def delete(chooser, data):
    begin, end = piece(chooser, data)
    return data[:begin] + data[end:]


def duplicate(chooser, data):
    begin, end = piece(chooser, data)
    place = chooser.choice([end, chooser.randrange(len(data))])
    return data[:place] + data[begin:end] + data[place:]


def change_digit(chooser, data):
    """The mutation that most often gives another valid configuration."""
    place = chooser.choice([i for i, byte in enumerate(data) if 0x30 <= byte <= 0x39])
    return data[:place] + b"%d" % chooser.randrange(10) + data[place + 1:]


def mutate(chooser, data):
    for _ in range(chooser.choice([1, 1, 1, 2, 5])):
        data = chooser.choice([flip, delete, duplicate, change_digit])(chooser, data) or b"\n"
    return data


class Tail:
    """Reads the daemon's events as they are written."""

    def __init__(self, daemon):
        self.file = open(daemon.program.errors_path, "rb")
        self.rest = b""
        daemon.place.lab.closers.append(self)

    def events(self):
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        return [json.loads(line) for line in lines]

    def wait_for_reload(self):
        def reload():
            return [e for e in self.events() if e["event"] in ("reloaded", "reload_failed")]
        found = eventually(reload, 20, every=0.001, what="an event of the reload")
        assert len(found) == 1
        return found[0]

    def close(self):
        self.file.close()


class Reloads:
    """Counts what the daemon makes of the configurations it is given."""

    def __init__(self, daemon):
        self.daemon, self.tail = daemon, Tail(daemon)
        self.head = daemon.whole("", **daemon.top).encode()
        self.generation = 1
        self.good_count = self.bad_count = 0

    def give(self, body):
        """Whether it was taken."""
        self.daemon.configuration_path.write_bytes(self.head + body)
        self.daemon.program.signal(signal.SIGHUP)
        event = self.tail.wait_for_reload()
        is_good = event["event"] == "reloaded"
        self.generation += is_good
        self.good_count += is_good
        self.bad_count += not is_good
        assert event["generation"] == self.generation, "only what is taken counts"
        return is_good


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_mutated_configurations(strait, loopback, figure):
    """Two thousand of them: what is refused changes nothing, what is taken can be replaced by the good one again."""
    count = 300 if is_sanitized() else 2000
    chooser = random.Random(SEED)
    good = GOOD.encode()
    for i, name in enumerate("ab"):
        small_server(loopback.server, "echo", ("127.0.0.1", 9001 + i), name)
    daemon = strait(loopback.proxy, GOOD)
    reloads = Reloads(daemon)
    held = exchange(loopback.client.connect(FRONT))

    def give_mutated(times):
        nonlocal held
        for _ in range(times):
            if reloads.give(mutate(chooser, good)):
                # It may have closed what is idle, or refuse everything; but it lives, and takes a better one.
                assert reloads.give(good)
                held.close()
                held = eventually(lambda: exchange(loopback.client.connect(FRONT)))
            exchange(held)
            assert is_served(loopback.client, FRONT)

    def settled():
        eventually(lambda: daemon.status()["retired_count"] == 0, 30, every=0.1)
        eventually(lambda: daemon.service("web")["flows_active"] == 1, 30)
        counts = []

        def has_settled():
            counts.append(process.descriptor_count(daemon.pid))
            return len(counts) >= 10 and len(set(counts[-10:])) == 1
        eventually(has_settled, 30, every=0.05)
        return counts[-1], daemon.private_bytes()

    give_mutated(count // 5)
    descriptors, memory = settled()
    give_mutated(count - count // 5)
    assert reloads.give(good)
    assert is_served(loopback.client, FRONT) and daemon.status()["generation"] == reloads.generation
    figure(f"mutated configurations: {reloads.bad_count} refused, {reloads.good_count} taken")
    assert reloads.good_count > count // 20 and reloads.bad_count > count // 2
    after_descriptors, after_memory = settled()
    assert after_descriptors == descriptors
    if not is_sanitized():
        assert after_memory < memory + SMALL_MEMORY
    held.close()
