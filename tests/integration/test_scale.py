# SPDX-License-Identifier: Apache-2.0
"""Ten thousand servers in a thousand services: how long a start and a reload take, and whether checks are spread."""

import collections
import threading
import time

import pytest

from daemon import is_sanitized
from servers import small_server
from traffic import is_served
from waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("heavy")]

SERVICES, SERVERS = 1000, 10
FRONT = ("127.0.0.1", 20000)


def configuration(weight=1, changed=None, check="tcp every=5s timeout=2s", services=SERVICES):
    """The servers of service i have addresses of their own, all of them on one port. `changed`: one service alone."""
    lines = []
    for i in range(services):
        own_weight = weight if changed in (None, i) else 1
        lines.append(f"service s{i} {{\n listen 127.0.0.1:{FRONT[1] + i}\n to p{i}\n}}\npool p{i} {{\n check {check}")
        lines += [f" server 127.1.{i // 250}.{i % 250 + 1}:{9000 + j} name=n{j} weight={own_weight}"
                  for j in range(SERVERS)]
        lines.append("}")
    return "\n".join(lines)


def test_time_of_start_and_reload(strait, loopback, figure):
    """Printed, and asserted with room for slow machines: 2 s and 500 ms are the aims."""
    services = SERVICES // 5 if is_sanitized() else SERVICES
    begun = time.monotonic()
    daemon = strait(loopback.proxy, configuration(check="none", services=services), is_ready="/livez")
    figure(f"start with {services} services and {services * SERVERS} servers: {time.monotonic() - begun:.2f} s")
    assert time.monotonic() - begun < 10
    for what, text in {"of nothing": configuration(check="none", services=services),
                       "of one service": configuration(7, 5, "none", services),
                       "of every server": configuration(3, None, "none", services)}.items():
        daemon.configure(text)
        begun = time.monotonic()
        answer = daemon.ask("POST", "/v1/reload")
        took = time.monotonic() - begun
        assert answer.status == 200
        figure(f"reload with {services * SERVERS} servers, change {what}: {1000 * took:.0f} ms")
        assert took < 5
    small_server(loopback.server, "echo", ("127.1.0.1", 9000))
    eventually(lambda: is_served(loopback.client, FRONT), 20)


def test_checks_are_spread(strait, loopback):
    """2,000 servers checked every 5 s: no tenth of a second has many times its share of the checks."""
    counts = collections.Counter()
    listeners = [loopback.server.listen(("0.0.0.0", 9000 + j), backlog=1024) for j in range(SERVERS)]
    is_over = threading.Event()

    def count(listener):
        listener.settimeout(0.2)
        while not is_over.is_set():
            try:
                listener.accept()[0].close()
                counts[int(time.monotonic() * 10)] += 1
            except TimeoutError:
                pass

    threads = [threading.Thread(target=count, args=(listener,), daemon=True) for listener in listeners]
    for thread in threads:
        thread.start()
    strait(loopback.proxy, configuration(services=200), is_ready="/livez")
    time.sleep(6)
    counts.clear()
    time.sleep(10)
    is_over.set()
    for thread in threads:
        thread.join()
    checks = sorted(counts.values())
    assert sum(checks) > 3000, "the servers are checked"
    share = sum(checks) / 100
    assert len(checks) > 60, f"checks come in {len(checks)} of 100 tenths of a second"
    assert checks[len(checks) * 9 // 10] < 4 * share, checks[-20:]
