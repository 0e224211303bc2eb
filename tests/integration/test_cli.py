# SPDX-License-Identifier: Apache-2.0
"""The command line: what each command says, where, and with which exit code."""

import json
import os
import re
import shutil
import signal
import socket
import time

import pytest

import daemon as daemon_module
from daemon import strait_path
from lab import program_path
from servers import name_servers, small_server
from traffic import ask, exchange, is_served, who
from waiting import eventually

GOOD = """
admin 127.0.0.1:9900
service web {
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    to web
}
pool web {
    check tcp
    server 127.0.0.1:9001
}
"""
BAD = GOOD.replace("check tcp", "balance  least-con").replace("listen udp", "lissen udp")
NO_CHECK = GOOD.replace("    check tcp\n", "")


@pytest.fixture
def strait_command(loopback):
    """Runs a strait command in the lab: strait_command("check", "-c", FILE)."""
    return lambda *words, **options: daemon_module.strait(loopback.proxy, *words, **options)


@pytest.fixture
def file(loopback):
    """Writes a configuration file."""
    def write(text, name="strait.conf"):
        path = loopback.directory / name
        path.write_text(text)
        return path
    return write


# check

def test_check_good(strait_command, file):
    """A good file: exit code 0, no error, no warning."""
    result = strait_command("check", "-c", file(GOOD))
    assert result.returncode == 0
    assert "error" not in result.stderr + result.stdout
    assert "warning" not in result.stderr + result.stdout


def test_check_bad(strait_command, file):
    """A bad file: exit code 78; every error with place, line, caret, guess and what is accepted, in one run."""
    path = file(BAD)
    result = strait_command("check", "-c", path)
    assert result.returncode == 78
    text = result.stderr + result.stdout
    line = 1 + BAD[:BAD.index("least-con")].count("\n")
    assert f"{path}:{line}:14: error: unknown balancing algorithm \"least-con\"" in text
    assert re.search(rf"^ +{line} \|     balance  least-con$", text, re.MULTILINE)
    assert re.search(r"^ +\| +\^~+ did you mean \"least-connections\"\?", text, re.MULTILINE)
    assert "accepted: round-robin least-connections source-hash random" in text
    assert 'did you mean "listen"' in text
    assert "2 errors" in text


def test_check_bad_json(strait_command, file):
    """-o json gives the same errors to machines, on stdout, with line, column, message and hint."""
    result = strait_command("check", "-c", file(BAD), "-o", "json")
    assert result.returncode == 78
    errors = json.loads(result.stdout)["errors"]
    assert len(errors) == 2
    wrong = next(e for e in errors if "least-con" in e["message"])
    assert (wrong["line"], wrong["column"]) == (1 + BAD[:BAD.index("least-con")].count("\n"), 14)
    assert "least-connections" in wrong["hint"]


def test_check_good_json(strait_command, file):
    """-o json of a good file has no errors."""
    result = strait_command("check", "-c", file(GOOD), "-o", "json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["errors"] == []


def test_check_strict(strait_command, file):
    """A warning (a pool without a check) passes, but not with --strict."""
    path = file(NO_CHECK)
    result = strait_command("check", "-c", path)
    assert result.returncode == 0
    assert "warning" in result.stderr + result.stdout
    assert strait_command("check", "-c", path, "--strict").returncode == 78


def test_check_print_text(strait_command, file):
    """--print=text writes the configuration in one fixed form to stdout, which is checked and printed as it is."""
    result = strait_command("check", "-c", file(GOOD + "limit connections=1k\n"), "--print=text")
    assert result.returncode == 0
    assert result.stdout.splitlines()[:6] == ["admin   127.0.0.1:9900", "limit   connections=1000", "",
                                             "service web {", "    listen  127.0.0.1:8000",
                                             "    listen  udp 127.0.0.1:8000"]
    again = strait_command("check", "-c", file(result.stdout, "again.conf"), "--print", "text")
    assert (again.returncode, again.stdout, again.stderr) == (0, result.stdout, "")


def test_check_print_json(strait_command, file):
    """--print=json writes the same as JSON; what is said about the file goes to stderr."""
    result = strait_command("check", "-c", file(NO_CHECK), "--print=json")
    assert result.returncode == 0
    assert json.loads(result.stdout) == {
        "admin": [{"address": "127.0.0.1:9900"}],
        "service": {"web": {"listen": [{"address": "127.0.0.1:8000"}, {"protocol": "udp", "address": "127.0.0.1:8000"}],
                            "to": "web"}},
        "pool": {"web": {"server": [{"address": "127.0.0.1:9001"}]}}}
    assert "has no check" in result.stderr


def test_check_print_nothing(strait_command, file):
    """Nothing is printed of a file that may not be used, nor where the findings go to stdout."""
    for text, words, code in ((BAD, (), 78), (NO_CHECK, ("--strict",), 78), (GOOD, ("-o", "json"), 2)):
        result = strait_command("check", "-c", file(text), "--print=text", *words)
        assert (result.returncode, result.stdout) == (code, "")
        assert result.stderr != ""


def test_check_missing_file(strait_command):
    """A file that does not exist: exit code 78, and its name is said."""
    result = strait_command("check", "-c", "does-not-exist.conf")
    assert result.returncode == 78
    assert "does-not-exist.conf" in result.stderr + result.stdout


def test_check_include(strait_command, file):
    """An error in an included file is reported with that file's name and line."""
    file("pool web {\n server nonsense\n}\n", "pools.inc")
    main = file("include *.inc\nservice web {\n listen :8000\n to web\n}\n")
    result = strait_command("check", "-c", main)
    assert result.returncode == 78
    assert re.search(r"pools\.inc:2:\d+: error", result.stderr + result.stdout)


def test_check_opens_no_socket(loopback, file):
    """`strait check` opens no socket, whatever the file says."""
    trace = loopback.directory / "trace"
    loopback.proxy.run(program_path("strace"), "-f", "-e", "trace=socket,bind,connect,listen", "-o", trace,
                       strait_path(), "check", "-c", file(GOOD), env={"ASAN_OPTIONS": "detect_leaks=0"})
    text = trace.read_text()
    assert "exited with 0" in text
    assert not re.search(r"\b(socket|bind|connect|listen)\(", text), text


def test_check_needs_no_privilege(loopback, file):
    """An ordinary user may check a file that asks for a port below 1024."""
    path = file(GOOD.replace(":8000", ":80"))
    program = shutil.copy(strait_path(), loopback.directory)  # the tree may be where others cannot enter
    result = loopback.proxy.run(program, "check", "-c", path, user="nobody", check=False)
    assert result.returncode == 0, result.stderr


def test_check_does_not_disturb_the_daemon(strait, loopback, strait_command, file):
    """Checking the very file of a running daemon leaves that alone."""
    name_servers(loopback.server, 1, "127.0.0.1")
    running = strait(loopback.proxy, GOOD.replace("admin 127.0.0.1:9900", ""))
    with loopback.client.connect(("127.0.0.1", 8000)) as s:
        assert strait_command("check", "-c", running.configuration_path).returncode == 0
        assert ask(s)[0] == "a"
    assert all(is_served(loopback.client, ("127.0.0.1", 8000)) for _ in range(10))


def test_variables(strait_command, file):
    """${NAME} and ${NAME:-default} are expanded; an undefined one without default is an error."""
    path = file(GOOD.replace("127.0.0.1:9001", "${BACKEND}:${PORT:-9001}"))
    assert strait_command("check", "-c", path, env={"BACKEND": "127.0.0.1"}).returncode == 0
    result = strait_command("check", "-c", path)
    assert result.returncode == 78
    assert "BACKEND" in result.stderr + result.stdout


# explain, version, usage

def test_explain(strait_command):
    """`strait explain` lists the directives, on stdout."""
    result = strait_command("explain")
    assert result.returncode == 0
    for word in ("service", "pool", "listen", "balance", "check", "session", "timeout"):
        assert word in result.stdout


def test_explain_one(strait_command):
    """`strait explain balance` tells what is accepted and what the default is."""
    result = strait_command("explain", "balance")
    assert result.returncode == 0
    for word in ("round-robin", "least-connections", "source-hash", "random", "maglev", "first"):
        assert word in result.stdout


def test_explain_unknown(strait_command):
    """An unknown directive is an error of usage with a suggestion."""
    result = strait_command("explain", "balence")
    assert result.returncode == 2
    assert "balance" in result.stderr


def test_version(strait_command):
    """`strait version` says name and version on stdout."""
    result = strait_command("version")
    assert result.returncode == 0
    assert re.search(r"strait \d+\.\d+", result.stdout)
    assert result.stderr == ""


@pytest.mark.parametrize("word,meant", [("chekc", "check"), ("stats", "status"), ("rum", "run"),
                                        ("verison", "version"), ("explian", "explain")])
def test_unknown_command(strait_command, word, meant):
    """An unknown command is an error of usage, on stderr, with a suggestion."""
    result = strait_command(word)
    assert result.returncode == 2
    assert result.stdout == ""
    assert meant in result.stderr


@pytest.mark.parametrize("words", [[], ["run", "--bogus"], ["check", "-c"], ["check", "a", "b"], ["status", "-o", "xml"],
                                   ["tcp"], ["tcp", ":8080"], ["udp", ":8080"]])
def test_usage(strait_command, words):
    """Missing and unknown arguments are errors of usage: exit code 2, and stderr says what is right."""
    result = strait_command(*words)
    assert result.returncode == 2
    assert "strait" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("words", [["--help"], ["help"], ["-h"]])
def test_help(strait_command, words):
    """Help that was asked for goes to stdout, with exit code 0, and names every command."""
    result = strait_command(*words)
    assert result.returncode == 0
    for command in ("run", "check", "explain", "tcp", "udp", "demo", "status", "version"):
        assert command in result.stdout


def test_no_colour_in_pipes(strait_command, file):
    """What is not written to a terminal has no colours."""
    for words in (["check", "-c", file(BAD)], ["explain"], ["help"]):
        result = strait_command(*words)
        assert "\x1b" not in result.stdout + result.stderr


# status

@pytest.fixture
def running(strait, loopback):
    name_servers(loopback.server, 1, "127.0.0.1")
    return strait(loopback.proxy, GOOD.replace("admin 127.0.0.1:9900", ""))


def test_status(running, strait_command):
    """`strait status` shows services, pools and servers to people."""
    result = strait_command("status", "-c", running.configuration_path)
    assert result.returncode == 0, result.stderr
    assert "web" in result.stdout and "127.0.0.1:9001" in result.stdout and "up" in result.stdout


def test_status_json(running, strait_command):
    """-o json gives what /v1/status gives."""
    result = strait_command("status", "-c", running.configuration_path, "-o", "json")
    assert result.returncode == 0, result.stderr
    shown, asked = json.loads(result.stdout), running.status()
    assert shown["version"] == asked["version"]
    assert [s["name"] for s in shown["services"]] == [s["name"] for s in asked["services"]]


def test_status_by_address(running, strait_command):
    """--admin names the daemon to ask."""
    result = strait_command("status", "--admin", f"unix:{running.admin_socket}", "-o", "json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["version"]


def test_status_over_tcp(strait, loopback, strait_command):
    """The daemon may also be asked over TCP."""
    name_servers(loopback.server, 1, "127.0.0.1")
    strait(loopback.proxy, GOOD.replace("admin 127.0.0.1:9900", ""), admin="127.0.0.1:9900")
    result = eventually(lambda: said(strait_command("status", "--admin", "127.0.0.1:9900", "-o", "json")))
    assert json.loads(result.stdout)["version"]


def said(result):
    return result if result.returncode == 0 else None


def test_status_without_daemon(strait_command, file):
    """No daemon: exit code 3, stderr says where none was found, stdout is empty."""
    result = strait_command("status", "-c", file(GOOD))
    assert result.returncode == 3
    assert "127.0.0.1:9900" in result.stderr
    assert result.stdout == ""


def test_status_degraded(strait, loopback, strait_command):
    """With a server down status says so, and the exit code tells scripts."""
    daemon = strait(loopback.proxy, GOOD.replace("admin 127.0.0.1:9900", "").replace(
        "check tcp", "check tcp every=200ms timeout=200ms fall=1"), is_ready="/livez")
    daemon.wait_for_event("server_down")
    result = strait_command("status", "-c", daemon.configuration_path)
    assert result.returncode == 1
    assert "down" in result.stdout


# without a file

def in_foreground(loopback, *words, **options):
    return loopback.proxy.start(strait_path(), *words, name="strait", **options)


def ended_by_term(program):
    """The exit code after TERM; the second one does not wait for sessions."""
    program.signal(signal.SIGTERM)
    time.sleep(0.3)
    if program.is_running():
        program.signal(signal.SIGTERM)
    return program.wait(10)


def test_tcp(loopback):
    """`strait tcp LISTEN SERVER...` balances without a file."""
    name_servers(loopback.server, 2, "127.0.0.1")
    program = in_foreground(loopback, "tcp", ":8080", "127.0.0.1:9001", "127.0.0.1:9002")
    eventually(lambda: is_served(loopback.client, ("127.0.0.1", 8080)))
    assert {who(loopback.client, ("127.0.0.1", 8080)) for _ in range(10)} == {"a", "b"}
    assert is_served(loopback.client, ("::1", 8080))
    assert ended_by_term(program) == 0


def test_udp(loopback):
    """`strait udp LISTEN SERVER...` does so for UDP."""
    name_servers(loopback.server, 2, "127.0.0.1")
    program = in_foreground(loopback, "udp", "127.0.0.1:8080", "127.0.0.1:9001", "127.0.0.1:9002")
    names = set()

    def both():
        with loopback.client.udp(("127.0.0.1", 8080), timeout=0.5) as s:
            names.add(ask(s)[0])
        return names == {"a", "b"}
    eventually(both)
    assert ended_by_term(program) == 0


@pytest.mark.parametrize("words", [["tcp", "8080x", "127.0.0.1:1"], ["tcp", ":8080", "nonsense"],
                                   ["udp", ":99999", "127.0.0.1:1"]])
def test_wrong_addresses(strait_command, words):
    """A wrong address is refused with the reason, not run."""
    result = strait_command(*words, timeout=5)
    assert result.returncode in (2, 78)
    assert next(w for w in words[1:] if w not in (":8080", "127.0.0.1:1")) in result.stderr


def test_demo(loopback):
    """`strait demo` serves something at once and prints what to try: the addresses it names answer."""
    program = in_foreground(loopback, "demo")
    addresses = eventually(lambda: demo_addresses(program))
    assert addresses, program.output + program.errors
    answered = [a for a in addresses if eventually_answers(loopback, a)]
    assert answered, f"none of {addresses} answers: {program.output}"
    body = loopback.client.run("curl", "-s", "http://127.0.0.1:9900/").stdout
    assert ("http://127.0.0.1:9900/ " in program.output and "the dashboard" in program.output) == ("<!doctype html>" in body)
    assert ended_by_term(program) == 0


def demo_addresses(program):
    """Addresses in what demo prints, in the forms HOST:PORT and HOST PORT."""
    text = program.output + program.errors
    found = re.findall(r"(127\.0\.0\.1|localhost|\[::1\])[: ](\d{2,5})", text)
    return [("127.0.0.1", int(port)) for _, port in found]


def eventually_answers(loopback, address):
    try:
        with loopback.client.connect(address, timeout=2) as s:
            s.settimeout(2)
            s.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            return bool(s.recv(100))
    except OSError:
        return False


def test_run_with_default_arguments(strait_command):
    """`strait run` without -c reads the default file, and says its name when it is missing."""
    if os.path.exists("/etc/strait/strait.conf"):
        pytest.skip("this machine has a /etc/strait/strait.conf, so its absence cannot be tested")
    result = strait_command("run", timeout=10)
    assert result.returncode == 78
    assert "/etc/strait/strait.conf" in result.stderr


def test_output_to_a_closed_pipe(loopback):
    """`strait explain | head -1` ends quietly."""
    result = loopback.proxy.run("sh", "-c", f"{strait_path()} explain | head -1", check=True)
    assert result.stdout.count("\n") == 1
    assert "rror" not in result.stderr


def test_run_serves_and_echoes(strait, loopback):
    """The simplest file: listen, to, server."""
    small_server(loopback.server, "echo", ("127.0.0.1", 9001))
    strait(loopback.proxy, "service s {\n listen 127.0.0.1:8000\n to p\n}\npool p {\n server 127.0.0.1:9001\n}\n")
    exchange(loopback.client.connect(("127.0.0.1", 8000), timeout=5)).close()
    with socket.socket() as outside:
        outside.settimeout(0.2)
        assert outside.connect_ex(("127.0.0.1", 8000)) != 0, "the namespace keeps it in"
