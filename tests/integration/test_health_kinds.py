# SPDX-License-Identifier: Apache-2.0
"""Checks over HTTP and DNS and by programs, with real servers and with small ones that do what no real one would."""

import textwrap
import time
from pathlib import Path

import pytest

import daemon as daemon_module
from lab import address_text
from servers import Knot, Nginx, Scripted, name_servers, server_lines
from traffic import ending
from waiting import eventually, thread

FAST = "every=200ms timeout=1s rise=1 fall=1"
CONFIGURATION = """
service web {{
    listen 127.0.0.1:8000
    to web
}}
pool web {{
    check {check}
    {servers}
}}
"""
SERVER = "server 127.0.0.1:9001 name=a"


def configuration(check, servers=SERVER):
    return CONFIGURATION.format(check=check, servers=servers)


def start(strait, place, check, servers=SERVER, **options):
    options.setdefault("is_ready", "/livez")
    return strait(place, configuration(check, servers), **options)


def last_check(daemon, server="a"):
    return daemon.server("web", server)["last_check"] or {}


def wait_until_good(daemon, server="a"):
    eventually(lambda: last_check(daemon, server).get("good"), 15, what=f"a check of {server} is good")


def wait_until_down(daemon, cause, server="a", **options):
    """Waits for the event, and compares why."""
    assert daemon.wait_for_event("server_down", server=server, **options)["cause"] == cause


def stays_up(daemon, server="a", seconds=1.0):
    wait_until_good(daemon, server)
    time.sleep(seconds)
    assert daemon.events("server_down", server=server) == []
    return True


# HTTP

HTTP_PORT = ("127.0.0.1", 9001)


@pytest.mark.parametrize("check", [
    "path=/health", "path=/health expect=healthy", "path=/included expect=healthy", "path=/health method=HEAD",
    "path=/moved", "path=/moved status=302", "path=/missing status=404", "path=/busy status=200,500-503 expect=busy",
    "path=/large", "path=/named host=www.example.test expect=healthy", "path=/health?a=b%20c",
])
def test_http_good(strait, loopback, check):
    """What nginx answers is good: files, chunks, large ones, redirections, and other codes that were asked for."""
    nginx = Nginx(loopback.server, [HTTP_PORT])
    daemon = start(strait, loopback.proxy, f"http {check} {FAST}")
    assert stays_up(daemon)
    assert all(f'"strait/{version(loopback)}"' in line for line in nginx.log())


def version(lab):
    return daemon_module.strait(lab.proxy, "version").stdout.split()[1]


@pytest.mark.parametrize("check,cause", [
    ("path=/missing", "status 404"), ("path=/busy expect=healthy", "status 503"), ("path=/moved status=200", "status 302"),
    ("path=/health expect=sick", "the body does not hold the expected text"),
    ("path=/included expect=default", "the body does not hold the expected text"),
    ("path=/large expect=healthy", "the body does not hold the expected text"),
    ("path=/named expect=healthy", "status 404"),
])
def test_http_bad(strait, loopback, check, cause):
    """What nginx answers is not what was asked for: the event says why."""
    Nginx(loopback.server, [HTTP_PORT])
    daemon = start(strait, loopback.proxy, f"http {check} {FAST}")
    wait_until_down(daemon, cause)


def test_http_server_comes_and_goes(strait, loopback):
    """A page that vanishes takes its server out, a dead server is found, and both come back."""
    nginx = Nginx(loopback.server, [HTTP_PORT])
    daemon = start(strait, loopback.proxy, f"http path=/health expect=healthy {FAST}")
    wait_until_good(daemon)
    page = nginx.directory / "health"
    page.rename(nginx.directory / "hidden")
    wait_until_down(daemon, "status 404")
    (nginx.directory / "hidden").rename(page)
    daemon.wait_for_state("web", "a", "up")
    nginx.program.kill()
    eventually(lambda: daemon.events("server_down", cause="connection refused"))


def test_http_over_a_unix_socket(strait, loopback):
    """A unix socket is asked as well."""
    path = str(loopback.directory / "nginx.sock")
    Nginx(loopback.server, [path])
    daemon = start(strait, loopback.proxy, f"http path=/health expect=healthy {FAST}", f"server unix:{path} name=a")
    assert stays_up(daemon)


@pytest.mark.parametrize("version", [4, 6])
def test_http_over_a_wire(strait, lab, version):
    """Both families work over a wire, on the port that is written."""
    Nginx(lab.server, [(lab.back[version], 81)])
    servers = f"server {address_text(lab.back[version], 80)} name=a"
    daemon = start(strait, lab.proxy, f"http path=/health port=81 {FAST}", servers)
    assert stays_up(daemon)


def answer_slowly(connection):
    """A good answer byte by byte, whose text is split by the head of a chunk, behind an answer that is not final."""
    connection.recv(4096)
    answer = (b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\n"
              b"Transfer-Encoding: chunked\r\n\r\n3;note=\"x\"\r\nhea\r\n4\r\nlthy\r\n0\r\n\r\n")
    for byte in answer:
        connection.sendall(bytes([byte]))
        time.sleep(0.001)
    return ending(connection)


def test_http_byte_by_byte(strait, loopback):
    """An answer that trickles in is read like any other, and the connection is ended properly."""
    server = Scripted(loopback.server, HTTP_PORT, answer_slowly)
    daemon = start(strait, loopback.proxy, "http expect=healthy every=1s timeout=10s")
    wait_until_good(daemon)
    daemon.stop()
    assert daemon.events("server_down") == []
    server.close()


def never_end(connection):
    """An answer that goes on and on."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    try:
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)
    except OSError:
        return True


def test_http_time_is_limited(strait, loopback):
    """A slow body does not hold the check longer than its time-out."""
    Scripted(loopback.server, HTTP_PORT, never_end)
    daemon = start(strait, loopback.proxy, "http expect=healthy every=2s timeout=2s rise=1 fall=1")
    wait_until_down(daemon, "no complete answer within 2s")


def test_http_of_something_else(strait, loopback):
    """A server that speaks another protocol is not well."""
    def greet(connection):
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        ending(connection)
    Scripted(loopback.server, HTTP_PORT, greet)
    daemon = start(strait, loopback.proxy, f"http {FAST}")
    wait_until_down(daemon, "malformed answer: the answer is not HTTP/1")


# DNS

KNOT = "server 127.0.0.1:5300 name=a"


@pytest.mark.parametrize("check", [
    "name=example.test type=SOA", "name=www.example.test. type=AAAA", "name=example.test",
    "rcode=noerror,refused", "name=nothing.example.test type=A rcode=nxdomain", "name=huge.example.test type=TXT",
])
def test_dns_good(strait, loopback, check):
    """What knot answers is good, also when it is cut for its size, or an rcode that was asked for."""
    Knot(loopback.server, ["127.0.0.1"], port=5300)
    daemon = start(strait, loopback.proxy, f"dns {check} {FAST}", KNOT)
    assert stays_up(daemon)


@pytest.mark.parametrize("check,cause", [
    ("", "answered REFUSED"), ("name=nothing.example.test", "answered NXDOMAIN"),
])
def test_dns_bad(strait, loopback, check, cause):
    """An authoritative server knows nothing of the root, and a missing name is an error."""
    Knot(loopback.server, ["127.0.0.1"], port=5300)
    daemon = start(strait, loopback.proxy, f"dns {check} {FAST}", KNOT)
    wait_until_down(daemon, cause)


def test_dns_server_that_is_gone(strait, loopback):
    """An ICMP error is an answer: the check does not wait for its time-out."""
    knot = Knot(loopback.server, ["127.0.0.1"], port=5300)
    daemon = start(strait, loopback.proxy, "dns name=example.test every=1s timeout=1s rise=1 fall=1", KNOT)
    wait_until_good(daemon)
    knot.program.kill()
    wait_until_down(daemon, "connection refused")
    assert last_check(daemon)["duration_us"] < 900_000


@pytest.mark.parametrize("version", [4, 6])
def test_dns_over_a_wire(strait, lab, version):
    """Both families work, and silence is a failure."""
    Knot(lab.server, [lab.back[version]])
    daemon = start(strait, lab.proxy, "dns name=example.test every=200ms timeout=300ms rise=1 fall=1",
                   f"server {address_text(lab.back[version], 53)} name=a")
    wait_until_good(daemon)
    lab.server.drop_port(53, "udp")
    wait_until_down(daemon, "no answer within 300ms")


class Liar:
    """A DNS server that answers each question with the datagrams that `answers(question)` makes of it."""

    def __init__(self, place, answers):
        self.socket = place.udp(source=("127.0.0.1", 5300), timeout=None)
        self.answers, self.is_over, self.ids = answers, False, []
        self.work = thread(self.serve)
        place.lab.closers.append(self)

    def serve(self):
        while not self.is_over:
            question, client = self.socket.recvfrom(512)
            self.ids.append(question[:2])
            for answer in self.answers(question) if question else []:
                self.socket.sendto(answer, client)

    def close(self):
        self.is_over = True
        self.socket.sendto(b"", self.socket.getsockname())
        self.work.join()
        self.socket.close()


def response(question, rcode=0, id_change=0):
    return bytes([question[0], question[1] ^ id_change, question[2] | 0x80, 0x80 | rcode]) + question[4:]


def test_dns_servfail(strait, loopback):
    """A server that cannot answer is not well; the event says what it said."""
    Liar(loopback.server, lambda question: [response(question, rcode=2)])
    daemon = start(strait, loopback.proxy, f"dns {FAST}", KNOT)
    wait_until_down(daemon, "answered SERVFAIL")


def test_dns_forged_answers(strait, loopback):
    """Answers with other ids, and questions, are passed over; the true one decides."""
    liar = Liar(loopback.server, lambda q: [response(q, 2, i) for i in range(1, 50)] + [q, b"", response(q, 0)])
    daemon = start(strait, loopback.proxy, f"dns {FAST}", KNOT)
    assert stays_up(daemon)
    eventually(lambda: len(set(liar.ids)) > 1, what="the ids differ")


def test_dns_only_forged_answers(strait, loopback):
    """A wrong id never counts, however often it comes: the check ends with its time-out."""
    Liar(loopback.server, lambda question: [response(question, 0, 1)] * 3)
    daemon = start(strait, loopback.proxy, "dns every=2s timeout=2s rise=1 fall=1", KNOT)
    wait_until_down(daemon, "no answer to the question within 2s")


# programs

def program(lab, script, name="program"):
    """Writes a program; {directory} in the script is the lab's."""
    path = lab.directory / name
    written = path.with_suffix(".new")
    written.write_text("#!/bin/sh\n" + textwrap.dedent(script).replace("{directory}", str(lab.directory)))
    written.chmod(0o755)
    written.rename(path)
    return path


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pids_in(directory, name):
    """The whole lines of a file that programs wrote their numbers to."""
    try:
        text = (directory / name).read_text()
    except OSError:
        return []
    return [int(line) for line in text[:text.rfind("\n") + 1].split()]


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_exec_status_decides(strait, loopback):
    """A program's exit status is the verdict; what it says first on standard error is told."""
    path = program(loopback, "exit 0\n")
    daemon = start(strait, loopback.proxy, f"exec program={path} {FAST}")
    assert stays_up(daemon)
    program(loopback, "echo 'disk is full' >&2\nexit 3\n")
    wait_until_down(daemon, "exit status 3: disk is full")
    program(loopback, "exit 0\n")
    daemon.wait_for_state("web", "a", "up")
    program(loopback, "kill -SEGV $$\n")
    eventually(lambda: daemon.events("server_down", cause="killed by signal 11"))
    daemon.stop()
    assert children_of_nobody(loopback) == []


def children_of_nobody(lab):
    """Programs of the lab's directory that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(lab.directory).encode() + b"/program" in path.read_bytes():
                found.append(path)
        except OSError:
            pass
    return found


def test_exec_environment(strait, loopback):
    """The environment is what the documentation says, and strait's own does not leak into it."""
    path = program(loopback, """
        tr '\\0' '\\n' < /proc/$$/environ > {directory}/$STRAIT_SERVER.new
        for fd in /proc/$$/fd/*; do readlink $fd; done >> {directory}/$STRAIT_SERVER.new
        mv {directory}/$STRAIT_SERVER.new {directory}/$STRAIT_SERVER.seen
    """)
    servers = "server 127.0.0.1:9001 name=a\nserver [::1]:9002 name=b"
    daemon = start(strait, loopback.proxy, f"exec program={path} port=99 {FAST}", servers, env={"SECRET": "x"})
    wait_until_good(daemon, "b")
    wait_until_good(daemon, "a")
    seen = {name: (loopback.directory / f"{name}.seen").read_text().splitlines() for name in "ab"}
    common = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "STRAIT_POOL=web", "STRAIT_PORT=99"]
    assert sorted(line for line in seen["a"] if "=" in line) == sorted(common + [
        "STRAIT_ADDRESS=127.0.0.1:99", "STRAIT_FAMILY=ipv4", "STRAIT_HOST=127.0.0.1", "STRAIT_SERVER=a"])
    assert sorted(line for line in seen["b"] if "=" in line) == sorted(common + [
        "STRAIT_ADDRESS=[::1]:99", "STRAIT_FAMILY=ipv6", "STRAIT_HOST=::1", "STRAIT_SERVER=b"])
    assert "/dev/null" in seen["a"]
    assert [line for line in seen["a"] if line.startswith(("socket:", "anon_inode:"))] == []


def test_exec_that_hangs(strait, loopback):
    """A program that takes too long is killed with its children, and leaves no zombie."""
    path = program(loopback, """
        trap '' TERM INT HUP
        sleep 1000 &
        echo $! >> {directory}/pids
        (sleep 1001 & echo $! >> {directory}/pids; wait) &
        echo $$ >> {directory}/pids
        wait
    """)
    daemon = start(strait, loopback.proxy, f"exec program={path} every=1s timeout=500ms rise=1 fall=1")
    wait_until_down(daemon, "the program did not end within 500ms")
    # One that had no processor is killed before it has written them all; the next one writes more.
    pids = eventually(lambda: len(found := pids_in(loopback.directory, "pids")) >= 3 and found, 30, what="pids of a program")
    eventually(lambda: not any(is_running(pid) for pid in pids), what="all of them are killed")
    program(loopback, "exit 0\n")
    daemon.wait_for_state("web", "a", "up")
    eventually(lambda: children(daemon.pid) == [], what="all are reaped")


def test_exec_children_of_a_good_program(strait, loopback):
    """What a program leaves running in its group ends with it."""
    path = program(loopback, "sleep 1000 &\necho $! >> {directory}/pids\nexit 0\n")
    daemon = start(strait, loopback.proxy, f"exec program={path} {FAST}")
    assert stays_up(daemon)
    first = pids_in(loopback.directory, "pids")[0]
    eventually(lambda: not is_running(first), what="the child is killed")


def test_exec_at_the_stop(strait, loopback):
    """Programs that run when strait stops are killed and reaped: the stop does not wait for them."""
    path = program(loopback, "trap '' TERM INT\necho $$ >> {directory}/pids\nsleep 1000\nsleep 1000\n")
    daemon = start(strait, loopback.proxy, f"exec program={path} every=1s timeout=1m")
    pid = eventually(lambda: pids_in(loopback.directory, "pids"))[0]
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < 10
    assert not is_running(pid)


def test_exec_waits_for_its_turn(strait, loopback):
    """More programs than may run at once wait, and none is failed for that; other pools are checked meanwhile."""
    path = program(loopback, "sleep 0.5\nexit 0\n")
    lines = "\n".join(f"server 127.0.0.1:9001 name=s{i}" for i in range(100))
    name_servers(loopback.server, 1, "127.0.0.1", 9002)
    more = f"}}\npool other {{\ncheck tcp {FAST}\nserver 127.0.0.1:9002 name=a\nserver 127.0.0.1:9003 name=b\n"
    other = "}\nservice other {\nlisten 127.0.0.1:8001\nto other\n"
    daemon = start(strait, loopback.proxy, f"exec program={path} every=1s timeout=10s rise=1 fall=1",
                   lines + "\n" + more + other)
    most = 0
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        most = max(most, len(children(daemon.pid)))
        servers = next(p for p in daemon.status()["pools"] if p["name"] == "web")["servers"]
        if all(s["last_check"] for s in servers):
            break
    assert all(s["last_check"] and s["last_check"]["good"] for s in servers)
    assert 32 < most <= 64
    assert daemon.events("server_down", pool="web") == []
    daemon.wait_for_event("server_down", pool="other", server="b")
    assert daemon.server("other", "a")["state"] == "up"


def test_exec_that_cannot_be_run(strait, loopback):
    """A program that is not there fails its check until it is; `strait check` warns of it, and runs nothing."""
    path = loopback.directory / "program"
    daemon = start(strait, loopback.proxy, f"exec program={path} {FAST}")
    wait_until_down(daemon, "cannot run the program: No such file or directory")
    file = loopback.directory / "checked.conf"
    file.write_text(configuration(f"exec program={path}"))
    result = daemon_module.strait(loopback.proxy, "check", "-c", file)
    assert result.returncode == 0
    assert "the program cannot be run: it is not there" in result.stdout + result.stderr
    assert daemon_module.strait(loopback.proxy, "check", "--strict", "-c", file).returncode == 78
    program(loopback, "echo x >> {directory}/was_run\nexit 0\n")
    path.chmod(0o644)
    result = daemon_module.strait(loopback.proxy, "check", "-c", file)
    assert "the program cannot be run: it is not executable" in result.stdout + result.stderr
    assert not (loopback.directory / "was_run").exists()
    path.chmod(0o755)
    daemon.wait_for_state("web", "a", "up")


# reload

def test_settings_change_while_checks_run(strait, loopback):
    """A reload changes what servers are asked, and how, from the next check on; nothing of the old is needed."""
    Nginx(loopback.server, [HTTP_PORT])
    Knot(loopback.server, ["127.0.0.1"], port=5300)
    hanging = program(loopback, "sleep 1000\n", "program-hanging")
    good = program(loopback, "exit 0\n", "program-good")
    daemon = start(strait, loopback.proxy, f"exec program={hanging} every=200ms timeout=1h")
    eventually(lambda: children(daemon.pid))
    ways = [f"exec program={good} {FAST}", f"http path=/health expect=healthy {FAST}",
            f"dns name=example.test port=5300 {FAST}", f"tcp {FAST}"]
    # The program that hangs is still the server's check; a server of another name begins anew.
    for i, way in enumerate(ways):
        event = daemon.hang_up(configuration(way, f"server 127.0.0.1:9001 name=s{i}"))
        assert event["event"] == "reloaded"
        wait_until_good(daemon, f"s{i}")
    eventually(lambda: children(daemon.pid) == [], what="the program of the removed server is killed")
    same = "server 127.0.0.1:9001 name=s3"
    for way in ways * 3:
        assert daemon.hang_up(configuration(way, same))["event"] == "reloaded"
        time.sleep(0.1)
    assert daemon.hang_up(configuration(f"http path=/missing {FAST}", same))["changes"] == 1
    wait_until_down(daemon, "status 404", "s3")
    assert daemon.hang_up(configuration(f"http path=/health {FAST}", same))["changes"] == 1
    daemon.wait_for_state("web", "s3", "up")
