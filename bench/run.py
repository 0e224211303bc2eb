# SPDX-License-Identifier: Apache-2.0
"""
Compares strait with its rivals: run.py [WORKLOAD...]. Root, Linux, Debian's packages of the rivals. STRAIT names the
program, relative to the top of the repository.

Rounds are interleaved: each candidate is started, measured and ended in turn, and then all of them again. Figures of
different runs or machines are not comparable; ratios within a run are.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))  # the laboratory

# pylint: disable=wrong-import-position
import candidates
import report
import rig as laboratory
import workloads


class Bench:
    def __init__(self, rig, rounds=1, seconds=1, patience=0):
        self.rig, self.rounds, self.seconds, self.patience = rig, rounds, seconds, patience
        self.candidates = []
        self.samples = {}  # workload name -> candidate name -> list of samples
        self.problems = []
        self.busy_percents = []  # what others did on the machine around each sample
        for make in candidates.ALL:
            candidate = make(rig.lab)
            reason = candidate.missing()
            if reason:
                say(f"{reason}: left out")
            else:
                self.candidates.append(candidate)

    def measure(self, workload):
        if workload.needs and workload.needs not in self.samples:
            self.measure(*workloads.find([workload.needs]))
        taking_part = [c for c in self.candidates if c.does(workload)]
        rounds = min(self.rounds, workload.rounds_max)
        self.samples[workload.name] = {c.name: [] for c in taking_part}
        for i in range(rounds):
            say(f"{workload.name}: round {i + 1} of {rounds}")
            shift = i % len(taking_part)
            for candidate in taking_part[shift:] + taking_part[:shift]:
                self.measure_once(workload, candidate)

    def measure_once(self, workload, candidate):
        """A sample is taken again when other programs were busy before or after it, as long as patience lasts."""
        deadline = time.monotonic() + self.patience
        try:
            while True:
                before = laboratory.wait_for_quiet(deadline)
                with candidate:
                    sample = workload.measure(self, candidate)
                busy = max(before, laboratory.busy_percent())
                if busy <= laboratory.QUIET_PERCENT or time.monotonic() > deadline:
                    break
            self.busy_percents.append(busy)
            self.samples[workload.name][candidate.name].append({**sample, "busy_percent": round(busy)})
        except workloads.FAILURES as error:
            self.problems.append(f"{workload.name} through {candidate.name}: {error}")
            say(self.problems[-1])

    def slowest_rate(self, name):
        """Of the proxies in user space, in that workload."""
        of_proxies = [self.samples[name].get(c.name) for c in self.candidates if c.is_proxy]
        return min(statistics.median(s["value"] for s in samples) for samples in of_proxies if samples)


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Compares strait with its rivals.")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=" ".join(w.name for w in workloads.ALL))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--patience", type=int, default=0, metavar="SECONDS",
                        help="wait so long for other programs to rest, and repeat what they disturbed")
    parser.add_argument("--congestion", default="reno", help="TCP congestion control in the namespaces")
    parser.add_argument("--output", type=Path, default=ROOT / "build-release/results/bench.json")
    parser.add_argument("--publish", action="store_true", help="also write docs/performance.md's table and picture")
    return parser.parse_args()


def end_cleanly(*_):
    raise SystemExit("interrupted")


def main():
    arguments = parse_arguments()
    chosen = workloads.find(arguments.workloads)
    if os.geteuid() != 0:
        raise SystemExit("the bench makes network namespaces: run it as root")
    signal.signal(signal.SIGTERM, end_cleanly)
    with laboratory.build(congestion=arguments.congestion) as rig:
        bench = Bench(rig, arguments.rounds, arguments.seconds, arguments.patience)
        for workload in chosen:
            bench.measure(workload)
    summary = {**report.summarize(bench, chosen), "congestion": arguments.congestion}
    print(report.text(summary))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(summary, indent=1) + "\n")
    if arguments.publish:
        report.publish(summary, ROOT / "docs")
    return 1 if bench.problems else 0


if __name__ == "__main__":
    sys.exit(main())
