# SPDX-License-Identifier: Apache-2.0
"""Blocks: by the API, by the configuration and its lists, automatically; what they keep out, for how long, and who sees it."""

import json
import time

import pytest

from servers import small_server
from traffic import ending, exchange, is_refused, is_served, receive_exactly
from waiting import eventually

FRONT = ("127.0.0.1", 8000)
BAD = ("127.0.0.66", 0)
GOOD = ("127.0.0.7", 0)
CONFIGURATION = """
{top}
service web {{
    listen 127.0.0.1:8000
    listen udp 127.0.0.1:8000
    {more}
    to web
}}
pool web {{
    check tcp
    server 127.0.0.1:9000
}}
"""


def start(strait, lab, more="", top="", **options):
    small_server(lab.server, "echo", ("127.0.0.1", 9000))
    return strait(lab.proxy, CONFIGURATION.format(more=more, top=top), **options)


def block(daemon, network, **more):
    answer = daemon.ask("POST", "/v1/blocks", {"network": network, **more})
    assert answer.status in (200, 201), answer.text
    return answer.json


def blocks(daemon):
    return {b["network"]: b for b in daemon.get("/v1/blocks").json["blocks"]}


def is_answered(lab, source):
    """A datagram from a new socket comes back."""
    with lab.client.udp(FRONT, source=source, timeout=0.5) as s:
        try:
            s.send(b"x")
            return s.recv(10) == b"x"
        except (TimeoutError, ConnectionRefusedError):
            return False


def test_a_block_keeps_out_its_network_and_nobody_else(strait, loopback):
    """Refused with the reason, TCP and UDP alike, at once and until it is removed."""
    daemon = start(strait, loopback)
    assert is_served(loopback.client, FRONT, source=BAD)
    added = block(daemon, "127.0.0.66", cause="scans")
    assert added["network"] == "127.0.0.66/32" and added["origin"] == "api" and added["remaining_ms"] is None
    assert is_refused(loopback.client, FRONT, source=BAD)
    assert not is_answered(loopback, BAD)
    assert is_served(loopback.client, FRONT, source=GOOD) and is_answered(loopback, GOOD)
    daemon.wait_for_flows(2, reason="blocked")
    known = blocks(daemon)["127.0.0.66/32"]
    assert known["refused"] == 2 and known["cause"] == "scans"
    assert daemon.service("web")["refused"]["blocked"] == 2
    assert daemon.get("/v1/blocks?address=127.0.0.66").json["blocks"] == [known]
    assert daemon.get("/v1/blocks?address=127.0.0.67").json["blocks"] == []
    assert daemon.ask("DELETE", "/v1/blocks/127.0.0.66/32").status == 200
    assert is_served(loopback.client, FRONT, source=BAD) and is_answered(loopback, BAD)
    assert daemon.ask("DELETE", "/v1/blocks/127.0.0.66%2F32").status == 404
    assert daemon.wait_for_event("block_removed")["refused"] == 2


def test_a_block_ends_the_flows_of_its_network(strait, loopback):
    """Connections are reset and sessions end, with the reason; those of others go on."""
    daemon = start(strait, loopback)
    bad, good = (exchange(loopback.client.connect(FRONT, source=s)) for s in (BAD, GOOD))
    with loopback.client.udp(FRONT, source=BAD) as session:
        exchange(session)
        assert block(daemon, "127.0.0.64/29")["closed_count"] == 2
        assert ending(bad) == "reset"
        exchange(good)
        assert {f["protocol"] for f in daemon.wait_for_flows(2, reason="blocked")} == {"tcp", "udp"}
    good.close()
    bad.close()


def test_a_block_expires(strait, loopback):
    """After `for` the network comes in again, and an event says so."""
    daemon = start(strait, loopback)
    added = block(daemon, "127.0.0.66", **{"for": "1s"})
    assert 0 < added["remaining_ms"] <= 1000
    assert is_refused(loopback.client, FRONT, source=BAD)
    eventually(lambda: is_served(loopback.client, FRONT, source=BAD), what="the block is over")
    assert daemon.wait_for_event("block_expired")["network"] == "127.0.0.66/32"
    assert blocks(daemon) == {}


def test_a_block_is_given_another_time(strait, loopback):
    """Through the API, shorter or longer; 200 and not 201 says that it was there."""
    daemon = start(strait, loopback)
    assert daemon.ask("POST", "/v1/blocks", {"network": "127.0.0.66", "for": "1h"}).status == 201
    assert daemon.ask("POST", "/v1/blocks", {"network": "127.0.0.66", "for": "2m"}).status == 200
    assert blocks(daemon)["127.0.0.66/32"]["remaining_ms"] <= 120000
    assert daemon.get("/v1/blocks").json["count"] == 1


def test_blocks_stay_over_a_reload(strait, loopback):
    """Limits and blocks are not forgotten."""
    daemon = start(strait, loopback)
    block(daemon, "127.0.0.66")
    assert is_refused(loopback.client, FRONT, source=BAD)
    daemon.hang_up(CONFIGURATION.format(more="timeout idle=1m", top=""))
    assert blocks(daemon)["127.0.0.66/32"]["refused"] == 1
    assert is_refused(loopback.client, FRONT, source=BAD)


@pytest.mark.parametrize("document, said", [
    ({}, "network"),
    ({"network": "nonsense"}, "network"),
    ({"network": "127.0.0.1", "for": "10"}, "time"),
    ({"network": "127.0.0.1", "for": "0s"}, "time"),
    ({"network": "127.0.0.1", "why": "x"}, "cause"),
    ({"network": "127.0.0.1", "cause": 5}, "strings"),
    ({"network": "0.0.0.0/0"}, "everybody"),
    ({"network": "::/0"}, "everybody"),
])
def test_bad_blocks_are_refused(strait, loopback, document, said):
    """With a reason, and nothing is blocked."""
    daemon = start(strait, loopback)
    answer = daemon.ask("POST", "/v1/blocks", document)
    assert answer.status == 400 and said in answer.json["detail"]
    assert daemon.get("/v1/blocks").json["count"] == 0
    assert daemon.ask("DELETE", "/v1/blocks/nonsense").status == 400


def test_the_commands(strait, loopback):
    """block, blocks and unblock."""
    daemon = start(strait, loopback)
    result = daemon.command("block", "127.0.0.66", "--for", "10m", "--cause", "too many tries")
    assert result.returncode == 0 and "127.0.0.66/32 is blocked for 10m" in result.stdout, result
    shown = daemon.command("blocks").stdout
    assert "127.0.0.66/32" in shown and "too many tries" in shown and "api" in shown
    assert json.loads(daemon.command("blocks", "-o", "json").stdout)["count"] == 1
    assert "127.0.0.66/32" in daemon.command("blocks", "--address", "127.0.0.66").stdout
    traced = daemon.command("trace", "127.0.0.66:5000", "--service", "web")
    assert "blocked" in traced.stdout, traced
    assert daemon.command("unblock", "127.0.0.66").returncode == 0
    assert daemon.command("unblock", "127.0.0.66").returncode == 1
    assert daemon.command("block", "nonsense").returncode == 1


# by the configuration

def test_blocks_of_the_configuration(strait, loopback):
    """They follow it at a reload, and cannot be removed by anybody else."""
    daemon = start(strait, loopback, top="block 127.0.0.66 127.0.0.80/28")
    assert set(blocks(daemon)) == {"127.0.0.66/32", "127.0.0.80/28"}
    assert is_refused(loopback.client, FRONT, source=BAD)
    assert daemon.ask("DELETE", "/v1/blocks/127.0.0.66/32").status == 409
    assert daemon.ask("POST", "/v1/blocks", {"network": "127.0.0.66", "for": "1s"}).status == 409
    block(daemon, "127.0.0.99")
    daemon.hang_up(CONFIGURATION.format(more="", top="block 127.0.0.80/28"))
    assert set(blocks(daemon)) == {"127.0.0.80/28", "127.0.0.99/32"}
    assert is_served(loopback.client, FRONT, source=BAD)


def test_a_list_of_blocks_is_read_again_when_it_changes(strait, loopback):
    """Written in place or replaced by another file; a wrong line changes nothing and is told of."""
    listed = loopback.directory / "blocked"
    listed.write_text("# nobody yet\n127.0.0.80/28\n")
    daemon = start(strait, loopback, top=f"block @file:{listed}")
    assert is_served(loopback.client, FRONT, source=BAD)
    listed.write_text("127.0.0.66\n127.0.0.80/28\n")
    eventually(lambda: is_refused(loopback.client, FRONT, source=BAD), what="the list is read again")
    replacement = loopback.directory / "blocked.new"
    replacement.write_text("127.0.0.80/28 # the rest\n")
    replacement.rename(listed)
    eventually(lambda: is_served(loopback.client, FRONT, source=BAD), what="the new file is read")
    listed.write_text("127.0.0.66\n127.0.0.999\n")
    refused = daemon.wait_for_event("list_refused")
    assert refused["line"] == 2 and refused["file"] == str(listed)
    assert is_served(loopback.client, FRONT, source=BAD)
    listed.unlink()
    assert is_served(loopback.client, FRONT, source=BAD)
    assert set(blocks(daemon)) == {"127.0.0.80/28"}


# automatically

def wait_for_block(daemon, network):
    return eventually(lambda: blocks(daemon).get(network), what=f"{network} is blocked")


def test_who_is_refused_often_is_blocked(strait, loopback):
    """With reason and time; others are served all the while."""
    daemon = start(strait, loopback, more="deny 127.0.0.66\nblock after=5 refusals=10s for=10m")
    for _ in range(5):
        assert is_refused(loopback.client, FRONT, source=BAD)
    found = wait_for_block(daemon, "127.0.0.66/32")
    assert found["origin"] == "service" and found["service"] == "web"
    assert found["cause"] == "refused 5 times in 10s" and 590000 < found["remaining_ms"] <= 600000
    assert is_refused(loopback.client, FRONT, source=BAD)
    daemon.wait_for_flows(1, reason="blocked")
    assert is_served(loopback.client, FRONT, source=GOOD)
    assert daemon.wait_for_event("block_added")["origin"] == "service"


def test_datagrams_above_their_rate_lead_to_a_block(strait, loopback):
    """A UDP source that does not keep to its limit."""
    daemon = start(strait, loopback, more="limit per-source-packets=20/s\nblock after=50 refusals=10s for=1m")
    with loopback.client.udp(FRONT, source=BAD) as s:
        for _ in range(200):
            s.send(b"x")
    wait_for_block(daemon, "127.0.0.66/32")
    assert not is_answered(loopback, BAD)
    assert is_answered(loopback, GOOD)


def test_an_automatic_block_is_of_the_sources_prefix(strait, loopback):
    """What one source is, `source-prefix=` says."""
    daemon = start(strait, loopback,
                   more="deny 127.0.0.66\nlimit source-prefix=/28,/64\nblock after=3 refusals=10s for=10m")
    for _ in range(3):
        assert is_refused(loopback.client, FRONT, source=BAD)
    wait_for_block(daemon, "127.0.0.64/28")
    assert is_refused(loopback.client, FRONT, source=("127.0.0.70", 0))


def test_that_a_service_is_full_blocks_nobody(strait, loopback):
    """Only what a source has done itself counts."""
    daemon = start(strait, loopback, more="limit connections=1\nblock after=3 refusals=10s for=10m")
    with exchange(loopback.client.connect(FRONT, source=GOOD)):
        for _ in range(10):
            assert is_refused(loopback.client, FRONT, source=BAD)
    time.sleep(0.3)
    assert blocks(daemon) == {}


def test_on_trial_nobody_is_blocked(strait, loopback):
    """`guard dry-run` lets in what would be refused, and tells what would be blocked."""
    daemon = start(strait, loopback, more="guard dry-run\ndeny 127.0.0.66\nblock after=3 refusals=10s for=10m")
    for _ in range(4):
        assert is_served(loopback.client, FRONT, source=BAD)
    assert daemon.wait_for_event("block_spared")["network"] == "127.0.0.66/32"
    assert blocks(daemon) == {}
    assert daemon.service("web")["spared"] == {"denied_access": 4}
    spared = eventually(lambda: daemon.events("flow_spared"), what="records of those who were spared")
    assert spared[0]["client"].startswith("127.0.0.66:") and spared[0]["reason"] == "denied_access"


def test_a_header_nobody_asked_for_counts(strait, loopback):
    """Who begins with a PROXY header and is no proxy has misbehaved."""
    daemon = start(strait, loopback, more="accept-proxy 127.0.0.9\nblock after=2 refusals=10s for=10m")
    for _ in range(2):
        with loopback.client.connect(FRONT, source=BAD) as s:
            s.sendall(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n")
            assert ending(s) == "reset"
    wait_for_block(daemon, "127.0.0.66/32")


def test_the_client_behind_a_proxy_is_blocked_and_not_the_proxy(strait, loopback):
    """The address of the header counts, for blocks as for limits."""
    daemon = start(strait, loopback, more="accept-proxy 127.0.0.9")
    block(daemon, "192.0.2.1")
    for client, is_blocked in (("192.0.2.1", True), ("192.0.2.2", False)):
        with loopback.client.connect(FRONT, source=("127.0.0.9", 0)) as s:
            s.sendall(f"PROXY TCP4 {client} 127.0.0.1 1000 80\r\nhello".encode())
            if is_blocked:
                assert ending(s) == "reset"
            else:
                assert receive_exactly(s, 5) == b"hello"
    daemon.wait_for_flows(1, reason="blocked")
    assert blocks(daemon)["192.0.2.1/32"]["refused"] == 1


def test_many_blocks(strait, loopback, figure):
    """A list of 100,000 networks: loaded, told, and replaced, in little time; status and metrics count them."""
    listed = loopback.directory / "blocked"
    listed.write_text("".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(100000)))
    daemon = start(strait, loopback, top=f"block @file:{listed}")
    assert daemon.status()["blocks"]["configuration"] == 100000
    assert 'strait_blocks{origin="configuration"} 100000' in daemon.get("/metrics").text
    assert len(blocks(daemon)) == 1000
    before = time.monotonic()
    listed.write_text("127.0.0.66\n")
    eventually(lambda: is_refused(loopback.client, FRONT, source=BAD), what="the list is read again")
    figure(f"blocks: 100,000 replaced by 1 within {time.monotonic() - before:.2f} s of the file's change")
    assert set(blocks(daemon)) == {"127.0.0.66/32"}
