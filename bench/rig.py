# SPDX-License-Identifier: Apache-2.0
"""
The laboratory of the integration tests (tests/integration/lab.py has its drawing), set up for benchmarks: servers in
the server namespace, the load generator compiled, enough ports for short connections.
"""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from candidates import PORT, STREAM_PORT
from lab import Lab, command, temporary_directory

LOAD = Path(__file__).resolve().parent / "load"
PROCESSES = 2  # of load generator and server each: together they keep CPUS processors busy
CPUS = 2
QUIET_PERCENT = 10  # other programs' share that is too little to matter
SYSCTLS = ["net.ipv4.ip_local_port_range=10000 65535", "net.ipv4.tcp_tw_reuse=1", "net.core.somaxconn=4096"]


class LoadFailed(Exception):
    """The load generator or iperf3 did not get through."""


class Rig:
    """
    The default congestion control is reno: any namespace may choose it, and on wires without loss it behaves as Linux's
    usual cubic. Some machines have bbr as their default, whose pacing makes streams on a veth several times slower.
    """

    def __init__(self, lab, congestion="reno"):
        self.lab = lab
        self.load = temporary_directory("load") / "load"
        command("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", self.load,
                *sorted(LOAD.glob("*.c")), "-lm")
        for place in (lab.client, lab.proxy, lab.server):
            place.run("sysctl", "-qw", *SYSCTLS, f"net.ipv4.tcp_congestion_control={congestion}")
        for _ in range(PROCESSES):
            lab.server.start(self.load, "serve", f"{lab.back[4]}:{PORT}").wait_for_output("ready")

    def run(self, address, name, processes=1, **options):
        """Runs a load command in so many processes at once, dividing connections among them. Returns their results."""
        for shared in {"connections", "active"} & set(options):
            options[shared] //= processes
        words = [self.load, name, f"{address}:{PORT}", *(f"--{k.replace('_', '-')}={v}" for k, v in options.items())]
        programs = [self.lab.client.start(*words) for _ in range(processes)]
        return [self.result(p, options.get("seconds", 0) + 30) for p in programs]

    def result(self, program, timeout):
        with self.ending(program):
            try:
                program.wait(timeout)
            except subprocess.TimeoutExpired as error:
                raise LoadFailed(f"{program.name} does not end") from error
            if program.process.returncode:
                raise LoadFailed(program.errors.strip() or program.output.strip()[-500:])
            return json.loads(program.output)

    @contextmanager
    def ending(self, program):
        """The program is gone when the context is left."""
        try:
            yield program
        finally:
            program.kill()
            self.lab.programs.remove(program)

    def stream(self, address, streams, seconds):
        """Received bits per second, as iperf3 tells; each time with a new server, which knows nothing of the last."""
        with self.ending(self.lab.server.start("iperf3", "-s", "-p", STREAM_PORT, "--forceflush")) as server:
            server.wait_for_output("listening")
            client = self.lab.client.start("iperf3", "-c", address, "-p", STREAM_PORT, "-P", streams, "-t", seconds,
                                           "-O", 1, "--json")
            found = self.result(client, seconds + 30)
        if "error" in found:
            raise LoadFailed(found["error"])
        return found["end"]["sum_received"]["bits_per_second"]

    @contextmanager
    def hold(self, address, kind, connections):
        """Connections or sessions that stay idle while the context is entered."""
        program = self.lab.client.start(self.load, f"{kind}-hold", f"{address}:{PORT}", f"--connections={connections}",
                                        stdin=subprocess.PIPE)
        with self.ending(program):
            program.wait_for_output("held", timeout=60)
            yield
            program.process.stdin.close()


def busy_percent(seconds=0.3):
    """How busy the processors are while the bench itself rests: what disturbs it."""
    def times():
        fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # all; idle and waiting for disks
    before_all, before_idle = times()
    time.sleep(seconds)
    after_all, after_idle = times()
    return 100 * (1 - (after_idle - before_idle) / max(after_all - before_all, 1))


def wait_for_quiet(deadline):
    """Waits, at most until then (time.monotonic), until other programs rest. Returns how busy they were last."""
    while (busy := busy_percent()) > QUIET_PERCENT and time.monotonic() < deadline:
        time.sleep(1)
    return busy


@contextmanager
def build(**options):
    """A Rig; its processes and namespaces are gone afterwards. It and its children use CPUS processors only."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])
    with Lab() as lab:
        yield Rig(lab, **options)
