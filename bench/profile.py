# SPDX-License-Identifier: Apache-2.0
"""
Where the time of a workload goes: profile.py WORKLOAD [CANDIDATE]. Prints system calls for each unit of work (strace)
and the functions of the candidate that take most time (perf), from two runs. Both slow it down: no rates here.
"""

import signal
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "integration"))

# pylint: disable=wrong-import-position
import candidates
import rig as laboratory
import workloads
from run import Bench

SECONDS = 3
TOP_CALLS, TOP_FUNCTIONS = 12, 25


@contextmanager
def watching(rig, words):
    """Runs a tool that watches until it is interrupted."""
    program = rig.lab.proxy.start(*words)
    with rig.ending(program):
        yield program
        program.signal(signal.SIGINT)
        program.wait(60)


def pids_of(candidate):
    return [str(pid) for pid in candidates.descendants(candidate.program.pid)[1:]]


def system_calls(bench, workload, candidate):
    pids = [word for pid in pids_of(candidate) for word in ("-p", pid)]
    with watching(bench.rig, ["strace", "-f", "-c", "-S", "calls", *pids]) as strace:
        strace.wait_for_output("attached")
        sample = workload.measure(bench, candidate)
    # the load generator's warm-up is watched too
    units = sample["value"] * workload.units * (SECONDS + 0.5)
    print(f"system calls of {candidate.name} for each of {units:.0f} in {workload.name}")
    rows = [line.split() for line in strace.errors.splitlines()]
    for fields in [r for r in rows if len(r) >= 5 and r[3].isdigit()][:TOP_CALLS]:
        print(f"  {int(fields[3]) / units:10.4f}  {fields[-1]}")


def hot_functions(bench, workload, candidate):
    data = bench.rig.lab.directory / "perf.data"
    with watching(bench.rig, ["perf", "record", "-q", "-F", "1999", "-o", data, "-p", ",".join(pids_of(candidate))]):
        workload.measure(bench, candidate)
    result = bench.rig.lab.proxy.run("perf", "report", "-i", data, "--stdio", "--no-children", "--percent-limit", "0.7",
                                     "--sort", "dso,symbol")
    lines = [line for line in result.stdout.splitlines() if line.strip() and not line.startswith("#")]
    print(f"where {candidate.name} spends its time in {workload.name}")
    print("\n".join(line.rstrip(" -") for line in lines[:TOP_FUNCTIONS]))


def main():
    workload, = [w for w in workloads.ALL if w.name == sys.argv[1]]
    name = sys.argv[2] if len(sys.argv) > 2 else "strait"
    with laboratory.build() as rig:
        bench = Bench(rig, seconds=SECONDS)
        candidate, = [c for c in bench.candidates if c.name == name and c.is_proxy]
        for watch in (system_calls, hot_functions):
            with candidate:
                watch(bench, workload, candidate)


if __name__ == "__main__":
    main()
