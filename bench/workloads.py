# SPDX-License-Identifier: Apache-2.0
"""
The workloads. Each measures one candidate once and returns a sample: a dict with a "value" in the workload's unit and
whatever else is of interest. Values of rates are better when higher, all others when lower.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import rig as laboratory
from rig import PROCESSES
from waiting import NotInTime

HELD_BEFORE, HELD = 500, 5000
SMALL = {"request": 64, "response": 64}
NETWORK_SLABS = ("TCP", "TCPv6", "UDP", "UDPv6", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "eventpoll_pwq",
                 "nf_conntrack", "tcp_bind_bucket", "tcp_bind2_bucket")


@dataclass
class Workload:
    name: str
    title: str
    unit: str
    measure: Callable  # (bench, candidate) -> sample
    is_udp: bool = False
    kind: str = "rate"  # or "latency", "memory"
    digits: int = 0  # shown after the point
    per_unit: str = ""  # what the added CPU microseconds are for
    units: float = 1  # of that in one of the value
    needs: str = ""  # the workload whose rates have to be known before
    rounds_max: int = 1000


def total(results):
    """Several processes of the load generator that ran at once, as one sample."""
    errors = sum(r["errors"] for r in results)
    return {"value": sum(r["rate"] for r in results), "errors": errors,
            "p99_us": max(r["latency_us"]["p99"] for r in results)}


def rates(command, connections, processes=PROCESSES, **options):
    """Closed loop: the rate is what a candidate can do."""
    def measure(bench, candidate):
        return total(bench.rig.run(candidate.address, command, processes, connections=connections,
                                   seconds=bench.seconds, **options))
    return measure


def trains(bench, candidate):
    """The client sends as fast as it can; the rate is what arrives."""
    result, = bench.rig.run(candidate.address, "udp-train", seconds=bench.seconds)
    return {"value": result["rate"], "lost_percent": 100 * result["errors"] / (result["count"] + result["errors"])}


def streams(count):
    def measure(bench, candidate):
        return {"value": bench.rig.stream(candidate.address, count, bench.seconds) / 1e9}
    return measure


def latency(command, closed_loop):
    """Open loop, at half of what the slowest proxy can do in the closed loop of that name."""
    def measure(bench, candidate):
        rate = round(bench.slowest_rate(closed_loop) / 2)
        result, = bench.rig.run(candidate.address, command, connections=50, rate=rate, seconds=bench.seconds,
                                request=64)
        return {"value": result["latency_us"]["p99"], "errors": result["errors"], "offered_rate": rate,
                "p50_us": result["latency_us"]["p50"], "p99.9_us": result["latency_us"]["p99.9"]}
    return measure


def idle_memory(kind):
    """User memory per idle connection or session, and the kernel's for all three namespaces together."""
    def measure(bench, candidate):
        with bench.rig.hold(candidate.address, kind, HELD_BEFORE):
            user, kernel = settled_memory(candidate)
            with bench.rig.hold(candidate.address, kind, HELD):
                user_after, kernel_after = settled_memory(candidate)
        return {"value": (user_after - user) / HELD, "kernel_bytes": (kernel_after - kernel) / HELD}
    return measure


def settled_memory(candidate):
    time.sleep(0.5)
    return candidate.user_bytes(), network_slab_bytes()


def network_slab_bytes():
    """Of the whole machine: objects in use in the slab caches that connections are made of."""
    total_bytes = 0
    for line in Path("/proc/slabinfo").read_text().splitlines()[2:]:
        name, active, _, size = line.split()[:4]
        if name in NETWORK_SLABS:
            total_bytes += int(active) * int(size)
    return total_bytes


ALL = [
    Workload("tcp_stream_1", "one TCP stream (iperf3)", "Gbit/s", streams(1), digits=2, per_unit="MB", units=125),
    Workload("tcp_stream_16", "16 TCP streams (iperf3)", "Gbit/s", streams(16), digits=2, per_unit="MB", units=125),
    Workload("tcp_rr", "50 keep-alive clients, 64-byte requests and answers", "requests/s",
             rates("tcp-rr", 50, **SMALL), per_unit="request"),
    Workload("tcp_crr", "new connections: connect, 64-byte request and answer, close; 50 at a time", "connections/s",
             rates("tcp-crr", 50, **SMALL), per_unit="connection"),
    Workload("udp_rr_50", "50 UDP sessions, 64-byte round trips", "round trips/s",
             rates("udp-rr", 50, request=64), is_udp=True, per_unit="round trip"),
    Workload("udp_rr_1000", "1000 UDP sessions, 64-byte round trips", "round trips/s",
             rates("udp-rr", 1000, request=64), is_udp=True, per_unit="round trip"),
    Workload("udp_train", "one-way UDP of one client: trains of 40 x 1200 bytes, what arrives", "datagrams/s", trains,
             is_udp=True, per_unit="datagram"),
    Workload("tcp_latency", "TCP requests at half load, open loop, p99", "us", latency("tcp-open", "tcp_rr"),
             kind="latency", digits=1, needs="tcp_rr"),
    Workload("udp_latency", "UDP round trips at half load, open loop, p99", "us", latency("udp-open", "udp_rr_50"),
             is_udp=True, kind="latency", digits=1, needs="udp_rr_50"),
    Workload("memory_tcp", f"{HELD} idle TCP connections, user memory of each", "bytes", idle_memory("tcp"),
             kind="memory", rounds_max=1),
    Workload("memory_udp", f"{HELD} idle UDP sessions, user memory of each", "bytes", idle_memory("udp"), is_udp=True,
             kind="memory", rounds_max=1),
]


def find(words):
    """Workloads whose name is one of the words or begins with it; all when there are no words."""
    found = [w for w in ALL if not words or any(w.name == x or w.name.startswith(x + "_") for x in words)]
    unknown = [x for x in words if not any(w.name == x or w.name.startswith(x + "_") for w in ALL)]
    if unknown:
        raise SystemExit(f"no such workload: {' '.join(unknown)}; there are: {' '.join(w.name for w in ALL)}")
    return found


FAILURES = (laboratory.LoadFailed, NotInTime, RuntimeError, AssertionError)
