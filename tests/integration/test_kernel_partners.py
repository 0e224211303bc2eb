# SPDX-License-Identifier: Apache-2.0
"""
Real programs over flows that the kernel carries. PGBENCH_SECONDS in the environment makes that test longer (600 for ten
minutes).
"""

import hashlib
import os
import re

import pytest

from lab import address_text, program_path
from servers import Knot, Nginx, Postgresql, Sshd, postgresql_programs, redis
from waiting import eventually

CONFIGURATION = """
service partner {{
    listen {protocol}{listen}
    path {path}
    {offload}
    to partner
}}
pool partner {{
    check none
    server {server}
}}
"""
MEBIBYTE = 1 << 20
PATHS = pytest.mark.parametrize("path,version", [("offload", 4), ("offload", 6), ("nat", 4)])


def start(strait, lab, port, path, version=4, protocol=""):
    return strait(lab.proxy, CONFIGURATION.format(
        protocol=protocol, listen=address_text(lab.front[version], port), path=path,
        offload="offload after=1k|20ms" if path == "offload" else "", server=address_text(lab.back[version], port)))


def check_path(daemon, path, count=1, **fields):
    """All records with at least some of the kernel's work in them say so, and none has failed."""
    eventually(lambda: len(daemon.flows(path=path, **fields)) >= count, 20, what=f"{count} flows were carried by the kernel")
    records = daemon.flows(**fields)
    assert {r["reason"] for r in records} <= {"client_fin", "server_fin", "idle_timeout", "shutdown"}, records
    assert daemon.status()["kernel_path"]["packets"]["failed"] == 0


@pytest.mark.slow
@pytest.mark.xdist_group("kernel")
@PATHS
def test_pgbench(strait, lab, path, version):
    """Not one transaction fails, and the books balance afterwards as seen directly."""
    Postgresql(lab.server, [lab.back[4], lab.back[6]])
    daemon = start(strait, lab, 5432, path, version)
    host = lab.front[version]

    def pgbench(*words):
        return lab.client.run(postgresql_programs() / "pgbench", "-h", host, "-U", "postgres", *words, "postgres",
                              timeout=1200).stdout

    def ask(place, asked, sql):
        return place.run(postgresql_programs() / "psql", "-h", asked, "-U", "postgres", "-AtX", "-c", sql, "postgres").stdout
    pgbench("-i", "-q", "-s", "1")
    seconds = os.environ.get("PGBENCH_SECONDS", "6")
    output = pgbench("-c", "8", "-j", "2", "-T", seconds, "-P", "5")
    count = int(re.search(r"number of transactions actually processed: (\d+)", output)[1])
    assert count > 50
    assert re.search(r"number of failed transactions: 0 ", output)
    history = "select count(*), sum(delta) from pgbench_history"
    direct = ask(lab.server, lab.back[version], history)
    assert direct.startswith(f"{count}|")
    assert ask(lab.client, host, history) == direct
    balances = "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)"
    assert ask(lab.client, host, balances) == "t\n"
    check_path(daemon, path, 8)


@pytest.mark.xdist_group("kernel")
@PATHS
def test_redis_benchmark(strait, lab, path, version):
    """With and without pipelining, and with a connection for each request, every answer comes."""
    redis(lab.server, [lab.back[4], lab.back[6]])
    daemon = start(strait, lab, 6379, path, version)
    for words in ("-n 20000 -c 50", "-n 40000 -c 20 -P 32", "-n 500 -c 10 -k 0"):
        output = lab.client.run(program_path("redis-benchmark"), "-h", lab.front[version], "-q", "-t", "set,get,incr",
                                *words.split()).stdout
        assert len(re.findall(r"(SET|GET|INCR): \d+(\.\d+)? requests per second", output)) == 3, output
        assert "rror" not in output
    count = lab.client.run(program_path("redis-cli"), "-h", lab.front[version], "get", "counter:__rand_int__").stdout
    assert count == "60500\n"
    check_path(daemon, path, 50)


@pytest.mark.xdist_group("kernel")
@PATHS
def test_scp(strait, lab, path, version):
    """A random file copied there and back is the same file."""
    sshd = Sshd(lab.server, [lab.back[4], lab.back[6]])
    daemon = start(strait, lab, 22, path, version)
    host = f"root@[{lab.front[version]}]"
    original, there, back_again = (lab.directory / name for name in ("original", "there", "back-again"))
    original.write_bytes(os.urandom(32 * MEBIBYTE))
    scp = [program_path("scp"), "-q", *sshd.options(22)]
    lab.client.run(*scp, original, f"{host}:{there}")
    lab.client.run(*scp, f"{host}:{there}", back_again)
    assert len({hashlib.sha256(f.read_bytes()).hexdigest() for f in (original, there, back_again)}) == 1
    ended = lab.client.run(program_path("ssh"), *sshd.options(22), f"root@{lab.front[version]}", "exit 7", check=False)
    assert ended.returncode == 7
    check_path(daemon, path, 2)


@PATHS
def test_http_keep_alive(strait, lab, path, version):
    """Many requests over one connection, small and large; each answer is whole."""
    Nginx(lab.server, [(lab.back[4], 80), (lab.back[6], 80)])
    daemon = start(strait, lab, 80, path, version)
    url = f"http://{f'[{lab.front[6]}]' if version == 6 else lab.front[4]}"
    words = [w for _ in range(100) for w in ("-o", "/dev/null", f"{url}/health")]
    words += [w for _ in range(5) for w in ("-o", "/dev/null", f"{url}/large")]
    output = lab.client.run(program_path("curl"), "-sS", "-w", "%{http_code} %{size_download} %{num_connects}\\n", *words).stdout
    lines = [line.split() for line in output.splitlines()]
    assert [code for code, _, _ in lines] == ["200"] * 105
    assert [size for _, size, _ in lines] == ["14"] * 100 + ["10000000"] * 5
    assert sum(int(connects) for _, _, connects in lines) == 1
    check_path(daemon, path)


@pytest.mark.parametrize("path,version", [("auto", 4), ("auto", 6), ("nat", 4)])
def test_dns(strait, lab, path, version):
    """Thousands of questions of clients that stay: every answer is right."""
    Knot(lab.server, [lab.back[4], lab.back[6]])
    daemon = start(strait, lab, 53, path, version, protocol="udp ")
    questions = lab.directory / "questions"
    questions.write_text("".join(f"host{i}.example.test A\n" for i in range(1000)))
    output = lab.client.run(program_path("dnsperf"), "-s", lab.front[version], "-d", questions, "-c", "20", "-n", "20",
                            "-q", "50").stdout
    assert re.search(r"Queries completed:\s+20000 \(100.00%\)", output), output
    assert re.search(r"Response codes:\s+NOERROR 20000 \(100.00%\)", output), output
    assert daemon.status()["kernel_path"]["packets"]["forwarded"] > 30_000
    daemon.stop()
    assert sum(r["path"] != "relay" for r in daemon.flows()) >= 15
