# SPDX-License-Identifier: Apache-2.0
"""
How the cost of a request, a datagram and a new connection grows with the number of flows, servers and workers:
scale.py [PART...]. `direct` is measured beside strait where the ends and the kernel have to carry as many flows, too:
what it costs more with more flows is theirs, and the rest is strait's. Root; run.py has the method.
"""

import argparse
import json
import statistics
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))  # the laboratory

# pylint: disable=wrong-import-position
import candidates
import report
import rig as laboratory
import scale_picture
import workloads
from rig import CPUS

SMALL = {"request": 64, "response": 64}
FRONT, PORT = "10.1.0.1", candidates.PORT
SERVERS_NETWORK = "10.2.128.0/17"


@dataclass
class Part:
    """One question: how a cost changes along one axis, for each of some kinds."""
    name: str
    title: str
    unit: str
    axis: str
    sizes: list
    kinds: list
    configure: object  # (kind, size) -> configuration of strait
    load: object  # (kind, size) -> command, options of the load generator
    has_direct: bool = False
    costs: dict = field(default_factory=dict)  # kind -> size -> microseconds of both CPUs


def configuration(workers=2, servers=1, balance="round-robin"):
    return "\n".join([
        f"workers {workers}", "log file:/dev/null level=error", "service echo {", f" listen {FRONT}:{PORT}",
        f" listen udp {FRONT}:{PORT}", " timeout idle=10m", " session new=10m idle=10m", " to echo", "}",
        "pool echo {", " check none", f" balance {balance}",
        *(f" server {server_address(i, servers)}:{PORT} name=n{i}" for i in range(servers)), "}"]) + "\n"


def server_address(i, count):
    return "10.2.0.2" if count == 1 else f"10.2.{128 + i // 250}.{i % 250 + 1}"


PARTS = [
    Part("tcp_flows", "TCP: a request, with so many connections that all ask", "request", "connections",
         [10, 100, 1000, 9000], ["strait", "direct"], lambda kind, size: configuration(),
         lambda kind, size: ("tcp-rr", {"connections": size, **SMALL}), has_direct=True),
    Part("udp_flows", "UDP: a round trip, with so many sessions of which 1,000 at a time wait for an answer",
         "round trip", "sessions", [10, 100, 1000, 5000, 15000], ["strait", "direct"],
         lambda kind, size: configuration(),
         lambda kind, size: ("udp-rr", {"connections": size, "active": min(size, 1000), "request": 64}), has_direct=True),
    Part("servers", "A new connection, its request and its end, with so many servers in the pool", "connection", "servers",
         [1, 10, 100, 1000, 10000], ["round-robin", "least-connections", "random", "source-hash", "maglev"],
         lambda kind, size: configuration(servers=size, balance=kind),
         lambda kind, size: ("tcp-crr", {"connections": 50, **SMALL})),
    Part("workers", "50 clients, with so many workers", "request, connection or round trip", "workers", [1, 2],
         ["tcp-rr", "tcp-crr", "udp-rr"], lambda kind, size: configuration(workers=size),
         lambda kind, size: (kind, {"connections": 50, "request": 64} if kind == "udp-rr" else
                             {"connections": 50, **SMALL})),
]


class Configured(candidates.Strait):
    """strait with a configuration of its own."""

    def __init__(self, lab, text):
        super().__init__(lab)
        self.path = lab.directory / "scale.conf"
        self.path.write_text(text)

    def words(self):
        return [*super().words()[:2], "-c", str(self.path)]


def candidate_for(lab, part, kind, size):
    return candidates.Direct(lab) if kind == "direct" else Configured(lab, part.configure(kind, size))


def prepare(rig):
    """Thousands of addresses in the server namespace, and servers that answer on all of them."""
    lab = rig.lab
    lab.server.ip("route", "add", "local", SERVERS_NETWORK, "dev", "lo")
    lab.proxy.ip("route", "add", SERVERS_NETWORK, "via", "10.2.0.2")
    for _ in range(laboratory.PROCESSES):
        lab.server.start(rig.load, "serve", f"0.0.0.0:{PORT}").wait_for_output("ready")


def measure(rig, part, rounds, seconds):
    samples = {}
    for i in range(rounds):
        print(f"{part.name}: round {i + 1} of {rounds}", file=sys.stderr, flush=True)
        for size in part.sizes:
            for kind in part.kinds:
                command, options = part.load(kind, size)
                with candidate_for(rig.lab, part, kind, size) as candidate:
                    results = rig.run(candidate.address, command, laboratory.PROCESSES, seconds=seconds, **options)
                rate = workloads.total(results)["value"]
                samples.setdefault((kind, size), []).append(CPUS * 1e6 / rate)
    for (kind, size), costs in samples.items():
        part.costs.setdefault(kind, {})[size] = statistics.median(costs)


def table(part):
    """Rows of Markdown: the cost for each size and kind; where direct routing was measured, also what strait adds."""
    kinds = [*part.kinds, "added"] if part.has_direct else part.kinds
    lines = [f"{part.title}: microseconds of {CPUS} CPUs for each {part.unit}", "",
             "| " + " | ".join([part.axis, *kinds]) + " |", "|---:" * (len(kinds) + 1) + "|"]
    for size in part.sizes:
        costs = [part.costs[kind][size] for kind in part.kinds]
        costs += [costs[0] - costs[1]] if part.has_direct else []
        lines.append(f"| {size:,} | " + " | ".join(f"{cost:.1f}" for cost in costs) + " |")
    return "\n".join(lines)


def publish(parts, facts, docs):
    report.replace_section(docs / "performance.md", "scale", "\n\n".join([table(p) for p in parts] + [facts]))
    (docs / "scaling.svg").write_text(scale_picture.draw(parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(p.name for p in PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--output", type=Path, default=ROOT / "build-release/results/scale.json")
    parser.add_argument("--publish", action="store_true", help="also write docs/performance.md's tables and the picture")
    arguments = parser.parse_args()
    chosen = [p for p in PARTS if not arguments.parts or p.name in arguments.parts]
    if len(chosen) < len(arguments.parts):
        raise SystemExit(f"there are: {' '.join(p.name for p in PARTS)}")
    with laboratory.build() as rig:
        prepare(rig)
        for part in chosen:
            measure(rig, part, arguments.rounds, arguments.seconds)
            print(table(part), end="\n\n", flush=True)
    facts = f"Measured {date.today()}: {arguments.rounds} rounds of {arguments.seconds} s, medians."
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps({p.name: p.costs for p in chosen}, indent=1) + "\n")
    if arguments.publish:
        publish(chosen, facts, ROOT / "docs")


if __name__ == "__main__":
    main()
