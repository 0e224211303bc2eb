# SPDX-License-Identifier: Apache-2.0
"""
What is compared: strait, its rivals, and `direct`. Each is a context manager that carries traffic from the client
namespace to the server namespace while it is entered, and one at a time is. `address` is where clients go.
"""

import os
import shutil
import socket
import struct
import time
from pathlib import Path

import process
from lab import SEARCH_PATH, command, is_alive, temporary_directory
from waiting import eventually

ROOT = Path(__file__).resolve().parents[1]
RIVALS = Path(__file__).resolve().parent / "rivals"
FLOOR = Path(__file__).resolve().parent / "floor"
PORT, STREAM_PORT = 7000, 5201
TIME_WAIT = "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1"


class Candidate:
    name = None
    has_udp = True
    is_proxy = True  # in user space

    def __init__(self, lab):
        self.lab = lab
        self.address = lab.front[4]

    def missing(self):
        """Why this candidate cannot take part, or None."""

    def does(self, workload):
        """Can it take part in this workload?"""
        return self.has_udp or not workload.is_udp

    def __enter__(self):
        try:
            self.start()
            eventually(self.answers, 10, what=f"a request is answered through {self.name}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def answers(self):
        """Makes one small request (message.h) through the whole chain."""
        with self.lab.client.connect((self.address, PORT), timeout=1) as connected:
            connected.sendall(struct.pack("=II", 8, 8))
            return len(connected.recv(8, socket.MSG_WAITALL)) == 8

    def user_bytes(self):
        """Private memory of all its processes."""
        return 0


class Program(Candidate):
    """A proxy in user space. It and its workers end with the `unshare` that starts it, however that ends."""

    def words(self):
        raise NotImplementedError

    def start(self):
        words = ["unshare", "--fork", "--pid", "--kill-child", "--", *self.words()]
        self.program = self.lab.proxy.start(*words, name=self.name)

    def stop(self):
        was_running = self.program.is_running()
        pids = descendants(self.program.pid) if was_running else []
        self.program.kill()
        self.lab.programs.remove(self.program)
        eventually(lambda: not any(is_alive(pid) for pid in pids), what=f"{self.name} is gone")
        if not was_running:
            raise RuntimeError(f"{self.name} ended by itself: {self.program.errors[-2000:]}")

    def missing(self):
        return None if shutil.which(self.words()[0], path=SEARCH_PATH) else f"{self.name} is not installed"

    def user_bytes(self):
        return sum(process.private_bytes(pid) for pid in descendants(self.program.pid))


class Strait(Program):
    name = "strait"
    configuration = "strait.conf"

    def words(self):
        return [str(ROOT / os.environ.get("STRAIT", "build/strait")), "run", "-c", str(RIVALS / self.configuration)]

    def missing(self):
        """Without strait there is nothing to compare."""
        if not Path(self.words()[0]).exists():
            raise SystemExit(f"{self.words()[0]} does not exist: build strait, or set STRAIT")


class InKernel(Strait):
    """strait whose flows come from ports that the system does not give to sockets."""
    is_proxy = False
    loading_seconds = 1.5
    ranges = {True: "32768 60999", False: "10000 65535"}

    def start(self):
        self.lab.proxy.run("sysctl", "-qw", f"net.ipv4.ip_local_port_range={self.ranges[True]}")
        super().start()
        # Until the program is loaded flows begin in user space.
        time.sleep(self.loading_seconds)

    def stop(self):
        self.lab.proxy.run("sysctl", "-qw", f"net.ipv4.ip_local_port_range={self.ranges[False]}")
        super().stop()


class Offload(InKernel):
    """strait with established flows in the kernel."""
    name = "offload"
    configuration = "strait_offload.conf"


class BeginInKernel(InKernel):
    """strait with flows that begin in the kernel."""
    name = "nat"
    configuration = "strait_nat.conf"


class Haproxy(Program):
    name = "haproxy"
    has_udp = False

    def words(self):
        return ["haproxy", "-db", "-q", "-f", str(RIVALS / "haproxy.cfg")]


class Nginx(Program):
    name = "nginx"

    def words(self):
        return ["nginx", "-p", str(self.lab.directory), "-e", "/dev/null", "-c", str(RIVALS / "nginx.conf")]

    def missing(self):
        is_there = Path("/usr/lib/nginx/modules/ngx_stream_module.so").exists()
        return super().missing() or (None if is_there else "nginx's stream module is not installed")


class Kernel(Candidate):
    is_proxy = False

    def forward(self, value):
        self.lab.proxy.run("sysctl", "-qw", f"net.ipv4.ip_forward={value}")


class Nat(Kernel):
    """Destination NAT and masquerade by nftables."""
    name = "nftables"

    def missing(self):
        return None if shutil.which("nft", path=SEARCH_PATH) else "nftables is not installed"

    def start(self):
        self.lab.proxy.filter((RIVALS / "nat.nft").read_text())
        self.lab.proxy.run("sysctl", "-qw", TIME_WAIT)
        self.forward(1)

    def stop(self):
        self.forward(0)
        self.lab.proxy.run("nft", "flush", "ruleset")


class Direct(Kernel):
    """Plain routing: what the machine can do at all."""
    name = "direct"

    def __init__(self, lab):
        super().__init__(lab)
        self.address = lab.back[4]

    def route(self, verb):
        self.lab.client.ip("route", verb, "10.2.0.0/24", "via", self.lab.front[4])
        self.lab.server.ip("route", verb, "10.1.0.0/24", "via", self.lab.local[4])

    def start(self):
        self.route("replace")
        self.forward(1)

    def stop(self):
        self.forward(0)
        self.route("delete")


class Floor(Program):
    """A relay for UDP that does nothing else (floor/udp_relay.c): what is left to save."""
    name = "floor"
    is_proxy = False

    def __init__(self, lab):
        super().__init__(lab)
        self.path = temporary_directory("floor") / "udp_relay"
        command("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", self.path,
                FLOOR / "udp_relay.c", "-luring")

    def words(self):
        return [str(self.path), self.lab.front[4], self.lab.back[4], str(PORT)]

    def missing(self):
        """It was made."""

    def answers(self):
        return self.program.output.count("ready") == 2

    def does(self, workload):
        return workload.name.startswith("udp_rr")


ALL = [Strait, Offload, BeginInKernel, Haproxy, Nginx, Nat, Direct, Floor]


def descendants(pid):
    """The process and all that come from it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found
