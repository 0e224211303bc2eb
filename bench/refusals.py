# SPDX-License-Identifier: Apache-2.0
"""
What others notice while one source is refused 50,000 times a second: refusals.py [--seconds N] [--rounds N]. Root.

A client exchanges datagrams with an echo server through strait at a steady pace, and its latency is taken three times in
each round: alone; while another source sends 50,000 datagrams a second into a port where the kernel drops them, which is
what sending and receiving them costs the machine; and while strait refuses them. The second ratio is strait's own part.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))  # the laboratory
os.environ.setdefault("STRAIT", "build-release/strait")

# pylint: disable=wrong-import-position
from daemon import Daemon
from lab import Loopback
from servers import small_server, tool

GOOD, BAD = "127.0.0.7", "127.0.0.66"
FRONT, HOLE = 8000, 8001
PACE, FLOOD = 2000, 50000
CONFIGURATION = """
service web {
    listen udp 127.0.0.1:8000
    deny 127.0.0.66
    limit per-source=100 per-source-rate=100/s
    to web
}
pool web {
    server 127.0.0.1:9000
}
"""


def rush(lab, port, source, rate, seconds):
    program = lab.client.start(tool("rush"), "datagrams", "127.0.0.1", port, source, rate, seconds, name="rush",
                               stdin=subprocess.PIPE)
    program.wait_for_output("ready")
    program.process.stdin.write(b"\n")
    program.process.stdin.flush()
    return program


def latency(lab, seconds, flooded_port):
    """Median and 99th percentile of the client's answers, in microseconds, and how many datagrams the other one sent."""
    other = rush(lab, flooded_port, BAD, FLOOD, seconds + 1) if flooded_port else None
    client = rush(lab, FRONT, GOOD, PACE, seconds)
    client.wait(seconds + 20)
    found = json.loads(client.output.splitlines()[-1])
    sent = 0
    if other:
        other.wait(seconds + 20)
        sent = json.loads(other.output.splitlines()[-1])["offered"]
    return found["median_us"], found["p99_us"], sent / (seconds + 1), found["answered"] / found["offered"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    cases = {"alone": None, "flood into a hole": HOLE, "flood is refused": FRONT}
    samples = {name: [] for name in cases}
    with Loopback() as lab:
        lab.proxy.drop_port(HOLE, "udp")
        small_server(lab.server, "echo", ("127.0.0.1", 9000))
        daemon = Daemon(lab.proxy, CONFIGURATION, log="stderr level=error", workers=2)
        for _ in range(wanted.rounds):
            for name, port in cases.items():
                samples[name].append(latency(lab, wanted.seconds, port))
        refused = daemon.service("web")["refused_total"]
    print(f"{'':20} {'median us':>10} {'p99 us':>10} {'sent/s':>10} {'answered':>10}")
    p99 = {}
    for name, taken in samples.items():
        medians, p99s, sent, answered = zip(*taken)
        p99[name] = statistics.median(p99s)
        print(f"{name:20} {statistics.median(medians):10.0f} {p99[name]:10.0f} {statistics.median(sent):10.0f} "
              f"{min(answered):10.2%}")
    print(f"{refused} datagrams were refused; p99 is {p99['flood is refused'] / p99['alone']:.2f} times that alone, "
          f"{p99['flood is refused'] / p99['flood into a hole']:.2f} times that with the flood dropped by the kernel")


if __name__ == "__main__":
    main()
