# SPDX-License-Identifier: Apache-2.0
"""What the kernel tells about a process: processor time, memory, descriptors."""

import os
import time
from pathlib import Path


def cpu_seconds(pid):
    """Processor time a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_share(pid, seconds=1.5):
    """The share of one CPU that a process uses in the next seconds."""
    before, begun = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - begun)


def private_bytes(pid):
    """
    Memory that the process has written and shares with nobody: Private_Dirty of its mappings. Private_Clean is left
    out: it is libraries' code, which counts as private as long as no other process happens to run the same library. So are
    eBPF maps, which are the kernel's, also where the process has them mapped.
    """
    total, is_own = 0, True
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        first, *others = line.split()
        if not first.endswith(":"):
            is_own = not (others and "bpf-map" in others[-1])
        elif first == "Private_Dirty:" and is_own:
            total += int(others[0]) * 1024
    return total


def descriptor_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def is_held(pid):
    """Is every thread of it stopped?"""
    states = [task.read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) <= {"T", "t"}  # t: under a tracer


def pipe_count(pid):
    """How many ends of pipes the process has open."""
    def target(descriptor):
        try:
            return os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except OSError:  # closed meanwhile
            return ""
    return sum(target(descriptor).startswith("pipe:") for descriptor in os.listdir(f"/proc/{pid}/fd"))
