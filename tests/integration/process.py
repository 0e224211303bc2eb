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
    Memory that the process has written and shares with nobody: Private_Dirty of smaps_rollup. Private_Clean is left
    out: it is libraries' code, which counts as private as long as no other process happens to run the same library.
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")


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
