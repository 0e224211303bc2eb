# SPDX-License-Identifier: Apache-2.0
"""
What a scrape of /metrics costs a large strait: 1,000 services, 10,000 servers, as many UDP sessions as the descriptors
allow held open, after a million short ones. Prints how long scrapes take and how large they are, and how often workers
were late during scrapes and in the same time without. Exit code 1 when a scrape takes longer than it may. Root.

Servers are sockets that nobody reads: the sessions of this bench expect no reply.
"""

import argparse
import json
import os
import re
import resource
import socket
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))  # the laboratory

# pylint: disable=wrong-import-position
import rig as laboratory
from daemon import Daemon
from lab import Loopback
from servers import small_server, tool
from waiting import eventually

SERVICES, SERVERS_EACH = 1000, 10
DESCRIPTORS = 20_000
SHORT_FLOWS = 1_000_000
SHORT_SOURCES = 100
SCRAPES = 20
LATE = 0.005  # seconds
LIMIT_MS = 250
ADMIN = ("127.0.0.1", 9900)
FRONT, SHORT_PORT, STEADY_PORT, BACK, STEADY_BACK = 20_000, 8000, 8001, 9000, 9100
SOL_UDP, UDP_SEGMENT = 17, 103
TRAIN = 64  # datagrams of one send
DATAGRAM = b"x" * 16


def configuration():
    """Services s0 ... s999 for held sessions, one for short flows, and one for traffic while it is measured."""
    lines = ["admin {}:{}".format(*ADMIN),
             f"service short {{\n listen udp 127.0.0.1:{SHORT_PORT}\n session requests=1 replies=0\n to p0\n}}",
             f"service steady {{\n listen udp 127.0.0.1:{STEADY_PORT}\n to steady\n}}",
             f"pool steady {{\n server 127.0.0.1:{STEADY_BACK}\n}}"]
    for i in range(SERVICES):
        lines.append(f"service s{i} {{\n listen udp 127.0.0.1:{FRONT + i}\n session new=1h idle=1h\n to p{i}\n}}")
        servers = [f" server 127.1.{i // 250}.{i % 250 + 1}:{BACK + j} name=n{j}" for j in range(SERVERS_EACH)]
        lines += [f"pool p{i} {{", *servers, "}"]
    return "\n".join(lines)


class Scrape:
    """One answer of /metrics."""

    def __init__(self, text):
        self.lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.byte_count = len(text)

    def total(self, name, label=""):
        """The sum of all series of a name, with this in their labels."""
        pattern = re.compile(re.escape(name) + r"(?:\{[^}]*" + re.escape(label) + r"[^}]*\})? (\S+)")
        return sum(float(m[1]) for m in map(pattern.fullmatch, self.lines) if m)

    def turns(self):
        """Of all workers so far: all, and those that were late."""
        name = "strait_worker_loop_lag_seconds"
        count = self.total(name + "_count")
        return count, count - self.total(name + "_bucket", f'le="{self.late_bound()}"')

    def late_bound(self):
        """The smallest bound of a bucket from which on a turn is late, as the page writes it."""
        bounds = set(re.findall(r'strait_worker_loop_lag_seconds_bucket\{[^}]*le="([0-9.e-]+)"', "\n".join(self.lines)))
        return min((b for b in bounds if float(b) >= LATE), key=float)


class Bench:
    def __init__(self, lab):
        self.lab, self.place = lab, lab.proxy
        self.sinks = [self.sink(BACK + j) for j in range(SERVERS_EACH)]
        small_server(self.place, "port", ("127.0.0.1", STEADY_BACK))
        self.daemon = Daemon(self.place, configuration(), log="file:/dev/null level=error", nofile=DESCRIPTORS,
                             is_ready="/livez")
        self.held_clients = []

    def sink(self, port):
        made = self.place.udp(source=("0.0.0.0", port))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        return made

    def flows(self, service):
        return json.loads(self.daemon.get(f"/v1/services/{service}").text)["flows_total"]

    def send_short_flows(self):
        """In trains, each datagram a flow, until strait has counted enough: a full queue drops some. From many sources."""
        sources = [self.place.udp(("127.0.0.1", SHORT_PORT), source=(f"127.0.2.{i + 1}", 0)) for i in range(SHORT_SOURCES)]
        for s in sources:
            s.setsockopt(SOL_UDP, UDP_SEGMENT, len(DATAGRAM))
        while (count := self.flows("short")) < SHORT_FLOWS:
            for _ in range(min(4, (SHORT_FLOWS - count) // (TRAIN * SHORT_SOURCES) + 1)):
                for s in sources:
                    s.send(DATAGRAM * TRAIN)
        for s in sources:
            s.close()
        return count

    def hold_sessions(self):
        """Every client socket has a session with every service."""
        descriptors = self.daemon.status()["limits"]["descriptors"]
        count = (descriptors["max"] - descriptors["used"]) // SERVICES
        for i in range(count):
            client = self.place.udp(source=(f"127.0.3.{i + 1}", 0))
            for j in range(SERVICES):
                client.sendto(DATAGRAM, ("127.0.0.1", FRONT + j))
            self.held_clients.append(client)
            wanted = (i + 1) * SERVICES
            eventually(lambda w=wanted: self.held() >= w, 30, every=0.1, what=f"{wanted} sessions are held")
        return self.held()

    def held(self):
        return self.daemon.status()["limits"]["sessions"]["used"]

    def scrape(self):
        """Milliseconds and bytes, as curl counts them."""
        said = self.place.run("curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{time_total} %{size_download}",
                              "http://{}:{}/metrics".format(*ADMIN)).stdout.split()
        return 1000 * float(said[0]), int(said[1])

    def read(self):
        return Scrape(self.daemon.get("/metrics").text)

    def measure(self):
        before = self.read()
        begun = time.monotonic()
        samples = [self.scrape() for _ in range(SCRAPES)]
        after = self.read()
        took = time.monotonic() - begun
        time.sleep(took)
        rested = self.read()
        turns = [page.turns() for page in (before, after, rested)]
        during, without = ([b - a for a, b in zip(*pair)] for pair in (turns[:2], turns[1:]))
        times = [ms for ms, _ in samples]
        return {"scrape_ms_median": statistics.median(times), "scrape_ms_max": max(times), "bytes": samples[-1][1],
                "series": len(after.lines), "seconds": took, "turns_during": during[0], "late_turns_during": during[1],
                "turns_without": without[0], "late_turns_without": without[1],
                "late_ms": 1000 * float(after.late_bound())}


def run():
    with Loopback() as lab:
        bench = Bench(lab)
        begun = time.monotonic()
        short = bench.send_short_flows()
        say(f"{short:,} short flows in {time.monotonic() - begun:.0f} s")
        held = bench.hold_sessions()
        say(f"{held:,} sessions are held")
        steady = lab.client.start(tool("steady"), "udp", "127.0.0.1", STEADY_PORT, 16, 1000)
        steady.wait_for_output("ready")
        return {"services": SERVICES, "servers": SERVICES * SERVERS_EACH, "flows_before": short, "sessions_held": held,
                **bench.measure()}


ROWS = [("services", "services", "{:,}"), ("servers", "servers", "{:,}"), ("flows_before", "flows before", "{:,}"),
        ("sessions_held", "sessions held", "{:,}"), ("series", "series", "{:,}"), ("bytes", "bytes of a scrape", "{:,}"),
        ("scrape_ms_median", f"time of a scrape, median of {SCRAPES}", "{:.0f} ms"),
        ("scrape_ms_max", "longest", "{:.0f} ms"), ("seconds", "time of all scrapes", "{:.1f} s"),
        ("turns_during", "workers' turns during scrapes", "{:,.0f}"),
        ("late_turns_during", "of these late", "{:,.0f}"),
        ("turns_without", "turns in the same time without", "{:,.0f}"),
        ("late_turns_without", "of these late", "{:,.0f}"), ("late_ms", "late is more than", "{:.0f} ms")]


def table(found):
    lines = ["| scrape of /metrics | |", "|---|---:|"]
    return "\n".join(lines + [f"| {title} | {form.format(found[key])} |" for key, title, form in ROWS])


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description="Measures scrapes of a large strait.")
    parser.add_argument("--output", type=Path, default=ROOT / "build-release/results/scrape.json")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("the bench makes a network namespace: run it as root")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < DESCRIPTORS:
        raise SystemExit(f"the bench needs {DESCRIPTORS} descriptors: ulimit -Hn says less")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:laboratory.CPUS])
    found = run()
    print(table(found))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found, indent=1) + "\n")
    if found["scrape_ms_max"] > LIMIT_MS:
        say(f"a scrape took {found['scrape_ms_max']:.0f} ms; it may take {LIMIT_MS} ms")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
