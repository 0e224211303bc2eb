# SPDX-License-Identifier: Apache-2.0
"""
Servers behind strait: real ones from the system's packages, each with data and configuration of its own in the lab's
directory, and small ones for what no real server does on purpose. All run in the place they are given.
"""

import functools
import os
import signal
import socket
from pathlib import Path

from lab import address_text, command, family_of, program_path, send_at_once, temporary_directory, user_ids
from waiting import eventually, thread

TOOLS = Path(__file__).resolve().parent / "tools"


@functools.cache
def tool(name):
    """Compiles tools/NAME.c, once per test process."""
    directory = temporary_directory("tools")
    command(program_path("gcc"), "-O2", "-Wall", "-Wextra", "-o", directory / name, TOOLS / f"{name}.c")
    return directory / name


def small_server(place, mode, address, name="server"):
    """tools/server.c: echo, name, discard, mute, port, peer or picky, on TCP and UDP, as a process of its own."""
    where = [f"unix:{address}", "0"] if family_of(address) == socket.AF_UNIX else address
    server = place.start(tool("server"), mode, *where, name, name=name)
    server.wait_for_output("ready")
    server.address = address
    server.start_again = lambda: small_server(place, mode, address, name)
    return server


def name_servers(place, count, host, port=9001):
    """Name servers called a, b, c, ... on ports that follow each other."""
    return {name: small_server(place, "name", (host, port + i), name) for i, name in enumerate("abcdefgh"[:count])}


def server_lines(servers, **suffixes):
    """`server` directives for name_servers; suffixes by name: a="weight=3"."""
    return "\n".join(f"server {address_text(*s.address)} name={n} {suffixes.get(n, '')}" for n, s in servers.items())


class Scripted:
    """
    A TCP server of one thread per connection that does what `script(connection)` says, in the test's own process, for
    endings that have to be exact. Errors of the script are kept and raised by close().
    """

    def __init__(self, place, address, script, timeout=20):
        self.address, self.script, self.timeout = address, script, timeout
        self.listener = place.listen(address)
        self.listener.settimeout(None)
        self.works = []
        self.acceptor = thread(self.accept)
        place.lab.closers.append(self)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(self.timeout)
            send_at_once(connection)
            self.works.append(thread(self.serve, connection))

    def serve(self, connection):
        with connection:
            return self.script(connection)

    def results(self, count=1):
        """What the scripts returned, after that many connections came and have ended."""
        eventually(lambda: len(self.works) >= count, what=f"{count} connections reach the server")
        return [w.join(self.timeout + 10) for w in self.works]

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


@functools.cache
def postgresql_template():
    """A fresh cluster to copy: initdb takes seconds, so it runs once per test process."""
    directory = temporary_directory("postgresql")
    os.chown(directory, *user_ids("postgres"))
    command(program_path("setpriv"), "--reuid=postgres", "--regid=postgres", "--init-groups", "--",
            postgresql_programs() / "initdb", "-D", directory / "data", "-A", "trust", "-U", "postgres", "--no-sync",
            "--no-instructions", cwd=directory)
    access = directory / "data" / "pg_hba.conf"
    access.write_text("host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\nlocal all all trust\n")
    return directory / "data"


class Postgresql:
    """A PostgreSQL cluster with trust authentication."""

    def __init__(self, place, hosts, port=5432):
        directory = place.lab.directory / "postgresql"
        directory.mkdir()
        os.chown(directory, *user_ids("postgres"))
        self.port = port
        command("cp", "-a", postgresql_template(), directory / "data")
        settings = {"listen_addresses": ",".join(hosts), "port": port, "unix_socket_directories": directory,
                    "fsync": "off", "shared_buffers": "16MB", "max_connections": 60}
        words = [w for key, value in settings.items() for w in ("-c", f"{key}={value}")]
        self.program = place.start(postgresql_programs() / "postgres", "-D", directory / "data", *words, user="postgres",
                                   cwd=directory)
        self.program.wait_for_output("ready to accept connections", 30)


def postgresql_programs():
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert versions, "the PostgreSQL server is not installed: see the list of test packages"
    return versions[-1].parent


def redis(place, hosts, port=6379):
    server = place.start(program_path("redis-server"), "--port", port, "--bind", *hosts, "--save", "", "--appendonly",
                         "no", "--protected-mode", "no", "--dir", place.lab.directory)
    server.wait_for_output("Ready to accept connections")
    return server


class Sshd:
    """sshd with host key, user key and configuration of its own; logs root in by key only."""

    def __init__(self, place, hosts, port=22):
        self.directory = place.lab.directory / "sshd"
        self.directory.mkdir(mode=0o700)
        self.port = port
        self.key = self.directory / "user"
        for key in (self.key, self.directory / "host"):
            command(program_path("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key)
        (self.directory / "authorized").write_text(self.key.with_suffix(".pub").read_text())
        (self.directory / "config").write_text(self.configuration(hosts))
        Path("/run/sshd").mkdir(exist_ok=True)
        self.program = place.start(program_path("sshd"), "-D", "-e", "-f", self.directory / "config")
        self.program.wait_for_output("Server listening")

    def configuration(self, hosts):
        listens = "".join(f"ListenAddress {address_text(h, self.port)}\n" for h in hosts)
        return listens + (f"HostKey {self.directory}/host\nAuthorizedKeysFile {self.directory}/authorized\n"
                          "PermitRootLogin prohibit-password\nStrictModes no\nUsePAM no\nPidFile none\n"
                          "MaxStartups 100\nUseDNS no\nSubsystem sftp internal-sftp\n")

    def options(self, port):
        """For ssh and scp."""
        return ["-F", "none", "-i", self.key, "-o", f"Port={port}", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o",
                "LogLevel=ERROR"]


KNOT_CONFIGURATION = """
server:
    rundir: "{directory}"
    listen: [ {listens} ]
    user: knot:knot
log:
  - target: stderr
    any: info
database:
    storage: "{directory}"
template:
  - id: default
    storage: "{directory}"
    file: "%s.zone"
zone:
  - domain: example.test
"""

ZONE_HEAD = """$ORIGIN example.test.
$TTL 300
@ SOA ns admin 1 3600 600 86400 300
@ NS ns
ns A 192.0.2.1
www A 192.0.2.80
www AAAA 2001:db8::80
"""


class Knot:
    """A DNS server, authoritative for example.test, with hosts 0..999 and names with large answers, or other records."""

    def __init__(self, place, hosts, port=53, records=None):
        self.place, self.host, self.port, self.serial = place, hosts[0], port, 1
        self.directory = place.lab.directory / f"knot-{next(place.lab.numbers)}"
        self.directory.mkdir()
        os.chown(self.directory, *user_ids("knot"))
        listens = ", ".join(f'"{h}@{port}"' for h in hosts)
        (self.directory / "knot.conf").write_text(KNOT_CONFIGURATION.format(directory=self.directory, listens=listens))
        self.write(self.zone() if records is None else ZONE_HEAD + records)
        self.start()

    def start(self):
        self.program = self.place.start(program_path("knotd"), "-c", self.directory / "knot.conf")
        eventually(lambda: "192.0.2.80" in self.ask("www.example.test", "A"), 20, what="knotd answers")

    def write(self, zone):
        zone = zone.replace("admin 1 3600", f"admin {self.serial} 3600")
        (self.directory / "example.test.zone").write_text(zone)

    def change(self, records):
        """Serves other records; they are there when this returns."""
        self.serial += 1
        self.write(ZONE_HEAD + records)
        self.program.signal(signal.SIGHUP)
        eventually(lambda: f"admin.example.test. {self.serial} " in self.ask("example.test", "SOA"), 20,
                   what="knotd has the new zone")

    @staticmethod
    def zone():
        hosts = "".join(f"host{i} A 198.18.{i // 250}.{i % 250 + 1}\n" for i in range(1000))
        large = "".join(f'large TXT "{i:03d}{"x" * 200}"\n' for i in range(12))
        huge = "".join(f'huge TXT "{i:03d}{"y" * 250}"\n' for i in range(150))
        return ZONE_HEAD + hosts + large + huge

    def ask(self, name, kind):
        return self.place.run("dig", f"@{self.host}", "-p", self.port, name, kind, "+short", "+time=1", "+tries=1",
                              check=False).stdout


NGINX_CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/pid;
error_log stderr;
events {{ }}
http {{
    access_log {directory}/access.log combined;
    client_body_temp_path {directory};
    server {{
        {listens}
        root {directory};
        location = /included {{ ssi on; ssi_types *; }}
        location = /busy {{ return 503 "healthy but busy"; }}
        location = /moved {{ return 302 /; }}
        location = /named {{ if ($host = "www.example.test") {{ return 200 "healthy"; }} return 404; }}
    }}
}}
"""


class Nginx:
    """An HTTP server: /health and /large are files, /included comes in chunks, /busy is 503, /moved is 302."""

    def __init__(self, place, addresses):
        self.directory = place.lab.directory / "nginx"
        self.directory.mkdir()
        listens = "".join(f"listen {'unix:' + a if isinstance(a, str) else address_text(*a)};" for a in addresses)
        (self.directory / "nginx.conf").write_text(NGINX_CONFIGURATION.format(directory=self.directory, listens=listens))
        (self.directory / "health").write_text("I am healthy.\n")
        (self.directory / "large").write_text("x" * 10_000_000)
        (self.directory / "included").write_text('I am <!--# echo var="nothing" default="heal" -->thy.\n')
        self.program = place.start(program_path("nginx"), "-p", self.directory, "-e", "stderr", "-c",
                                   self.directory / "nginx.conf")
        eventually(lambda: self.answers(place, addresses[0]), what="nginx answers")

    @staticmethod
    def answers(place, address):
        with place.connect(address):
            return True

    def log(self):
        return (self.directory / "access.log").read_text().splitlines()


def iperf3(place, host, port=5201):
    server = place.start(program_path("iperf3"), "-s", "-B", host, "-p", port, "--forceflush")
    server.wait_for_output("Server listening")
    return server
