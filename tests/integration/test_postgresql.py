# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL behind strait: pgbench, bulk copies, cancellation, and results equal to those of a direct connection."""

import re

import pytest

from lab import address_text
from servers import Postgresql, postgresql_programs
from waiting import thread

CONFIGURATION = """
service database {{
    listen {listen}
    to database
}}
pool database {{
    check tcp every=500ms
    server {server}
}}
"""


@pytest.fixture
def database(lab):
    return Postgresql(lab.server, [lab.back[4], lab.back[6]])


def start(strait, lab, front, back):
    listen = (lab.front[front], 5432)
    server = address_text(lab.back[back], 5432)
    return strait(lab.proxy, CONFIGURATION.format(listen=address_text(*listen), server=server))


def psql(place, host, sql, database="postgres", **options):
    return place.run(postgresql_programs() / "psql", "-h", host, "-U", "postgres", "-d", database, "-AtX", "-v",
                     "ON_ERROR_STOP=1", "-c", sql, **options).stdout


def pgbench(place, host, *words):
    return place.run(postgresql_programs() / "pgbench", "-h", host, "-U", "postgres", *words, "postgres").stdout


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("front,back", [(4, 4), (6, 6), (4, 6)])
def test_pgbench(strait, lab, database, front, back):
    """pgbench runs without a failed transaction, and the books balance afterwards as seen directly."""
    daemon = start(strait, lab, front, back)
    host = lab.front[front]
    pgbench(lab.client, host, "-i", "-q", "-s", "1")
    output = pgbench(lab.client, host, "-c", "8", "-j", "2", "-T", "4", "-P", "1")
    count = int(re.search(r"number of transactions actually processed: (\d+)", output)[1])
    assert count > 50
    assert re.search(r"number of failed transactions: 0 ", output)
    direct = psql(lab.server, lab.back[back], "select count(*), sum(delta) from pgbench_history")
    assert direct == psql(lab.client, host, "select count(*), sum(delta) from pgbench_history")
    assert direct.startswith(f"{count}|")
    balances = "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)"
    assert psql(lab.client, host, balances) == "t\n"
    assert {f["reason"] for f in daemon.wait_for_flows(8)} <= {"client_fin", "server_fin"}


@pytest.mark.xdist_group("heavy")
def test_connection_for_each_transaction(strait, lab, database):
    """pgbench -C (a new connection for each transaction) has no failure."""
    start(strait, lab, 4, 4)
    pgbench(lab.client, lab.front[4], "-i", "-q", "-s", "1")
    output = pgbench(lab.client, lab.front[4], "-S", "-C", "-c", "4", "-t", "25")
    assert "actually processed: 100/100" in output


@pytest.mark.xdist_group("heavy")
def test_results_equal_the_direct_run(strait, lab, database):
    """A large result, both as a query and as COPY, is the same byte for byte."""
    start(strait, lab, 4, 4)
    sql = "select i, md5(i::text), repeat(chr(65 + i % 26), i % 500) from generate_series(1, 40000) i"
    direct = psql(lab.server, lab.back[4], sql)
    assert len(direct) > 10_000_000
    assert psql(lab.client, lab.front[4], sql) == direct
    copied = psql(lab.client, lab.front[4], f"copy ({sql}) to stdout")
    assert copied == psql(lab.server, lab.back[4], f"copy ({sql}) to stdout")


def test_cancel_and_notify(strait, lab, database):
    """Query cancellation uses a second connection and works; an idle LISTEN gets its NOTIFY."""
    daemon = start(strait, lab, 4, 4)
    result = psql(lab.client, lab.front[4], "set statement_timeout = '500ms'; select pg_sleep(20)", check=False)
    assert result == "SET\n"
    work = thread(psql, lab.client, lab.front[4], "listen news; select pg_sleep(1.5); select 1")
    psql(lab.client, lab.front[4], "select pg_sleep(0.7); notify news, 'hello'")
    assert "1\n" in work.join()
    daemon.wait_for_active("database", 0)
