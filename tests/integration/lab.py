# SPDX-License-Identifier: Apache-2.0
"""
The laboratory: network namespaces that only the program under test joins.

    client namespace             proxy namespace                   server namespace
    +-----------------+   veth   +-----------------------+  veth   +----------------------+
    | 10.1.0.2        |----------| 10.1.0.1    10.2.0.1  |---------| 10.2.0.2 ... .9      |
    | fd01::2         |          | fd01::1     fd02::1   |         | fd02::2 ... ::9      |
    | 10.1.128.0/17   |          | 10.1.0.3              |         |                      |
    |  (all of them)  |          | fd01::3   strait      |         |  the real servers    |
    +-----------------+          +-----------------------+         +----------------------+

No namespace forwards, and neither end has a route to the other: whatever arrives went through strait. The client
may use any address of 10.1.128.0/17 as its own.

A Loopback lab has the same parts in one namespace, for tests that need no wire: client, proxy and server are the same
place, and every address is 127.0.0.1 or ::1.

Namespaces are named strait-<pid>-<number>-<place>. They go away with the lab, at exit, or, after a crash, when the
next test process starts.
"""

import atexit
import ctypes
import errno
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import process
from waiting import eventually

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
LABS = itertools.count(1)
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])

TRANSPARENT_RULES = """
table inet strait {
    chain divert {
        type filter hook prerouting priority mangle; policy accept;
        meta l4proto { tcp, udp } socket transparent 1 meta mark set 1
    }
}
"""

libc = ctypes.CDLL(None, use_errno=True)
home_namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
open_labs = set()


def command(*words, **options):
    """Runs a command of the test itself, which has to succeed."""
    result = subprocess.run([str(w) for w in words], check=False, text=True, capture_output=True, **options)
    assert result.returncode == 0, f"{words}: {result.stderr}"
    return result


def temporary_directory(name):
    """A directory that other users may enter; it is gone when the test process has ended."""
    path = Path(tempfile.mkdtemp(prefix=f"strait-{os.getpid()}-{name}-"))
    path.chmod(0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def program_path(name):
    """Where a program of the system is; its absence is a failure, because the tests' packages are a fixed list."""
    found = shutil.which(name, path=SEARCH_PATH)
    assert found, f"{name} is not installed: see the list of test packages"
    return found


def user_ids(user):
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def address_text(host, port):
    """As configurations and records write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_parts(text):
    """The other way round, as sockets have it: host and port."""
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def family_of(address):
    """The socket family of a host, a (host, port) pair, or the path of a unix socket."""
    if isinstance(address, (str, Path)) and str(address).startswith("/"):
        return socket.AF_UNIX
    host = address if isinstance(address, str) else address[0]
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Program:
    """A running process of a lab. Its output goes to files; it is only ever signalled by its own pid."""

    def __init__(self, place, words, name=None, nofile=None, user=None, env=None, stdin=None, stdout=None, stderr=None,
                 cwd=None):
        self.place = place
        self.name = name or Path(str(words[0])).name
        number = next(place.lab.numbers)
        self.output_path = place.lab.directory / f"{number}-{self.name}.out"
        self.errors_path = place.lab.directory / f"{number}-{self.name}.err"
        with open(self.output_path, "wb") as out, open(self.errors_path, "wb") as err:
            self.process = subprocess.Popen(
                place.prefix(nofile=nofile, user=user) + [str(w) for w in words],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=out if stdout is None else stdout, stderr=err if stderr is None else stderr,
                env={**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C", **(env or {})}, cwd=cwd)
        self.pid = self.process.pid
        place.lab.programs.append(self)

    @property
    def output(self):
        return self.output_path.read_text(errors="replace")

    @property
    def errors(self):
        return self.errors_path.read_text(errors="replace")

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def stop_and_hold(self):
        """SIGSTOP: the kernel still completes handshakes for it, but it answers nothing."""
        self.signal(signal.SIGSTOP)
        eventually(lambda: process.is_held(self.pid), what=f"{self.name} is held")

    def resume(self):
        self.signal(signal.SIGCONT)

    @contextmanager
    def held(self):
        """Whatever happens in the block happens while it is held, so that it finds all of it at once."""
        self.stop_and_hold()
        try:
            yield
        finally:
            self.resume()

    def wait(self, timeout=10):
        """The exit code; negative for a signal."""
        return self.process.wait(timeout)

    def kill(self):
        """SIGKILL, and gone when this returns."""
        if self.is_running():
            self.process.kill()
        self.process.wait(10)

    def wait_for_output(self, text, timeout=10):
        def said():
            was_running = self.is_running()
            said_so_far = self.output + self.errors
            if text not in said_so_far and not was_running:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {said_so_far}")
            return text in said_so_far
        eventually(said, timeout, what=f"{self.name} says {text!r}")

    def close(self):
        self.kill()


class Place:
    """One network namespace: sockets of the test's own threads can be opened in it, and programs run in it."""

    def __init__(self, lab, name):
        self.lab = lab
        self.namespace = f"strait-{os.getpid()}-{lab.number}-{name}"
        command("ip", "netns", "add", self.namespace)
        self.handle = os.open(NAMESPACES / self.namespace, os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        return command("ip", "-n", self.namespace, *words)

    def prefix(self, nofile=None, user=None):
        """The words that put a command into this namespace and end it together with the test."""
        words = ["ip", "netns", "exec", self.namespace]
        if user:
            uid, gid = user_ids(user)
            words += ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--init-groups", "--"]
        words += ["setpriv", "--pdeathsig", "KILL", "--"]
        if nofile:
            words += ["prlimit", f"--nofile={nofile}:{nofile}", "--"]
        return words

    def start(self, *words, **options):
        return Program(self, words, **options)

    def run(self, *words, timeout=60, check=True, user=None, env=None, **options):
        """Runs a command to its end; with check, a bad exit code fails the test and shows what it said."""
        result = subprocess.run(self.prefix(user=user) + [str(w) for w in words], text=True, capture_output=True,
                                timeout=timeout, env={**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C", **(env or {})},
                                **options)
        assert not check or result.returncode == 0, \
            f"{words[0]} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
        return result

    def filter(self, rules):
        """Adds nftables rules: `rules` is the text of a table."""
        command("ip", "netns", "exec", self.namespace, "nft", "-f", "-", input=rules)

    def lose(self, percent):
        """Drops this share of everything that arrives over a wire, at random."""
        self.filter(f"table inet loss {{ chain input {{ type filter hook input priority -300;\n"
                    f"iifname != \"lo\" numgen random mod 100 < {percent} drop\n }}\n }}\n")

    def lose_sent(self, percent):
        """Drops this share of everything that it sends over its wire, and the sender does not notice: it goes elsewhere."""
        self.ip("link", "add", "sink", "type", "veth", "peer", "name", "sunk")
        self.ip("link", "set", "sink", "up")
        self.ip("link", "set", "sunk", "up")
        self.filter(f"table netdev loss {{ chain egress {{ type filter hook egress device wire priority 0;\n"
                    f"numgen random mod 100 < {percent} fwd to sink\n }}\n }}\n")

    def vanish(self):
        """From now on nothing that arrives over a wire is answered, as if the machine had lost its power."""
        self.filter("table inet vanished { chain input { type filter hook input priority -300;\n"
                    "iifname != \"lo\" drop\n }\n chain output { type filter hook output priority -300;\n"
                    "oifname != \"lo\" drop\n }\n }\n")

    def drop_port(self, port, protocol="tcp"):
        """A black hole: packets to the port vanish."""
        self.filter(f"table inet hole{port} {{ chain input {{ type filter hook input priority -300;\n"
                    f"{protocol} dport {port} drop\n }}\n }}\n")

    def restore_port(self, port):
        self.filter(f"delete table inet hole{port}")

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        """A socket of this process in this namespace. Only the calling thread visits it, for a moment."""
        enter(self.handle)
        try:
            return socket.socket(family, kind, protocol)
        finally:
            enter(home_namespace)

    def connect(self, address, source=None, timeout=10, receive_bytes=None):
        """A connected TCP (or unix) socket."""
        s = self.socket(family_of(address))
        try:
            s.settimeout(timeout)
            if receive_bytes:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            if source:
                s.bind(source if isinstance(source, (tuple, str)) else str(source))
            try:
                s.connect(address if isinstance(address, tuple) else str(address))
            except ConnectionResetError:
                return ResetAtOnce(fileno=s.detach())
            send_at_once(s)
        except BaseException:
            s.close()
            raise
        return s

    def listen(self, address, backlog=512):
        """A listening TCP (or unix) socket."""
        s = self.socket(family_of(address))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(address if isinstance(address, tuple) else str(address))
        s.listen(backlog)
        s.settimeout(10)
        return s

    def udp(self, address=None, source=None, timeout=5):
        """A UDP socket: connected to an address, or bound to a source, or both."""
        s = self.socket(family_of(address or source), socket.SOCK_DGRAM)
        s.settimeout(timeout)
        if source:
            s.bind(source)
        if address:
            s.connect(address)
        return s

    def close(self):
        os.close(self.handle)
        delete_namespace(self.namespace)


class ResetAtOnce(socket.socket):
    """
    A connection that was taken and reset before connect() returned, which then
    had the error that the next call would have had otherwise: the next call
    has it. So a test need not know which of both was faster.
    """

    told = False

    def tell(self):
        if not self.told:
            self.told = True
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    def recv(self, *arguments):
        self.tell()
        return super().recv(*arguments)

    def send(self, *arguments):
        self.tell()
        return super().send(*arguments)

    def sendall(self, *arguments):
        self.tell()
        return super().sendall(*arguments)


def send_at_once(s):
    """Small packets of the test itself do not wait for acknowledgements."""
    if s.family != socket.AF_UNIX:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def enter(handle):
    if libc.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Lab:
    """Three namespaces in a row; see the drawing above."""

    front = {4: "10.1.0.1", 6: "fd01::1"}         # where clients reach strait
    front_other = {4: "10.1.0.3", 6: "fd01::3"}   # a second address of the same interface
    local = {4: "10.2.0.1", 6: "fd02::1"}         # where strait's connections to servers come from
    back = {4: "10.2.0.2", 6: "fd02::2"}          # the first address of the servers
    clients = {4: "10.1.0.2", 6: "fd01::2"}

    def __init__(self):
        self.number = next(LABS)
        self.numbers = itertools.count(1)
        self.programs = []
        self.places = []
        self.closers = []
        self.directory = temporary_directory(self.number)
        open_labs.add(self)
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    def place(self, name):
        place = Place(self, name)
        self.places.append(place)
        return place

    def build(self):
        self.client, self.proxy, self.server = (self.place(n) for n in ("client", "proxy", "server"))
        self.wire(self.client, self.proxy, 1, [2], [1, 3])
        self.wire(self.server, self.proxy, 2, range(2, 10), [1])
        self.client.ip("route", "add", "local", "10.1.128.0/17", "dev", "lo")
        self.proxy.ip("route", "add", "10.1.128.0/17", "via", "10.1.0.2")

    @staticmethod
    def wire(end, proxy, network, end_hosts, proxy_hosts):
        """A veth pair between an end and the proxy, with addresses that are usable at once."""
        end.ip("link", "add", "wire", "type", "veth", "peer", "name", f"wire{network}", "netns", proxy.namespace)
        for place, device, hosts in ((end, "wire", end_hosts), (proxy, f"wire{network}", proxy_hosts)):
            for host in hosts:
                place.ip("address", "add", f"10.{network}.0.{host}/24", "dev", device)
                place.ip("address", "add", f"fd0{network}::{host}/64", "dev", device, "nodad")
            place.ip("link", "set", device, "up")

    def narrow_path(self, version, router=None):
        """A fourth place behind the servers', or the clients', over a path of 1,300 bytes; returns it and its address."""
        near, far = {4: ("10.9.0.1", "10.9.0.2"), 6: ("fd09::1", "fd09::2")}[version]
        end, prefix = self.place("far"), {4: 24, 6: 64}[version]
        router = router or self.server
        router.ip("link", "add", "far", "mtu", 1300, "type", "veth", "peer", "name", "wire", "mtu", 1300, "netns",
                  end.namespace)
        for place, device, host in ((router, "far", near), (end, "wire", far)):
            place.ip("address", "add", f"{host}/{prefix}", "dev", device, *(["nodad"] if version == 6 else []))
            place.ip("link", "set", device, "up")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        way = {self.server: self.back, self.client: self.clients}[router]
        self.proxy.ip(f"-{version}", "route", "add", f"{far}/{128 if version == 6 else 32}", "via", way[version])
        end.ip(f"-{version}", "route", "add", "default", "via", near)
        return end, far

    def route_clients_back(self):
        """
        What docs/source.md asks for where strait is transparent: servers send what is for clients to strait, and strait's
        machine hands to the sockets that are there for it what is not for the machine itself.
        """
        self.server.ip("route", "add", "default", "via", self.local[4])
        self.server.ip("-6", "route", "add", "default", "via", self.local[6])
        for family in ("-4", "-6"):
            self.proxy.ip(family, "rule", "add", "fwmark", "1", "lookup", "100")
            self.proxy.ip(family, "route", "add", "local", "default", "dev", "lo", "table", "100")
        self.proxy.filter(TRANSPARENT_RULES)

    def close(self):
        """Ends every process and removes every namespace, whatever went wrong before; idempotent."""
        open_labs.discard(self)
        problems = []
        for thing in [*reversed(self.closers), *reversed(self.programs), *self.places]:
            try:
                thing.close()
            except Exception as error:  # the rest has to be removed all the same
                problems.append(error)
        self.closers, self.programs, self.places = [], [], []
        shutil.rmtree(self.directory, ignore_errors=True)
        if problems:
            raise problems[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Loopback(Lab):
    """One namespace that is client, proxy and server at once."""

    front = {4: "127.0.0.1", 6: "::1"}
    front_other = {4: "127.0.0.3", 6: "::1"}
    local = {4: "127.0.0.1", 6: "::1"}
    back = {4: "127.0.0.1", 6: "::1"}
    clients = {4: "127.0.0.1", 6: "::1"}

    def build(self):
        self.client = self.proxy = self.server = self.place("all")


def delete_namespace(name):
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def close_open_labs():
    for lab in list(open_labs):
        try:
            lab.close()
        except Exception as error:  # at exit there is nobody left to tell
            print(f"strait test lab: {error}")


def is_alive(pid):
    return Path(f"/proc/{pid}").exists()


def remove_stale_labs():
    """Removes what test processes that no longer exist left behind: namespaces, processes in them, directories."""
    for path in NAMESPACES.glob("strait-*"):
        match = re.fullmatch(r"strait-(\d+)-\d+-\w+", path.name)
        if match and not is_alive(match[1]):
            pids = subprocess.run(["ip", "netns", "pids", path.name], capture_output=True, text=True, check=False)
            for pid in pids.stdout.split():
                kill_quietly(int(pid))
            delete_namespace(path.name)
    for path in Path(tempfile.gettempdir()).glob("strait-*"):
        match = re.match(r"strait-(\d+)-", path.name)
        if match and not is_alive(match[1]):
            shutil.rmtree(path, ignore_errors=True)


def kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


atexit.register(close_open_labs)
