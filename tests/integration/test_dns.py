# SPDX-License-Identifier: Apache-2.0
"""DNS behind strait, over UDP and TCP: dig's answers equal the direct ones, and dnsperf loses nothing."""

import re

import pytest

from lab import address_text, program_path
from servers import Knot

CONFIGURATION = """
service dns {{
    listen {listen}
    listen udp {listen}
    session idle=5s replies=1
    to resolvers
}}
pool resolvers {{
    balance source-hash
    check udp send="{question}" every=1s
    server {server}
}}
"""
SOA_QUESTION = (r"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                r"\x07example\x04test\x00\x00\x06\x00\x01")
QUESTIONS = [["www.example.test", "A"], ["www.example.test", "AAAA"], ["host7.example.test", "A"],
             ["nothing.example.test", "A"], ["example.test", "SOA"], ["example.org", "A"],
             ["large.example.test", "TXT", "+bufsize=4096"], ["large.example.test", "TXT", "+bufsize=512"],
             ["huge.example.test", "TXT"], ["huge.example.test", "TXT", "+bufsize=65000"]]


def start(strait, lab, front, back):
    Knot(lab.server, [lab.back[4], lab.back[6]])
    return strait(lab.proxy, configuration(lab.front[front], address_text(lab.back[back], 53)))


def configuration(front, server):
    return CONFIGURATION.format(listen=address_text(front, 53), server=server, question=SOA_QUESTION)


def dig(place, host, *question):
    """The answer without what differs from run to run: id, time, server, and the order of records."""
    options = ["+norecurse", "+nocookie", "+time=3", "+tries=2"]
    output = place.run(program_path("dig"), f"@{host}", *question, *options).stdout
    kept = [l for l in output.splitlines() if not re.match(r";; (Query time|SERVER|WHEN)|; <<>>|; \(1 server", l)]
    return sorted(re.sub(r"id: \d+", "id", line) for line in kept)


@pytest.mark.parametrize("front,back", [(4, 4), (6, 6), (4, 6)])
@pytest.mark.parametrize("protocol", ["+notcp", "+tcp"])
def test_answers_equal_the_direct_ones(strait, lab, front, back, protocol):
    """Existing and missing names, small, large and truncated answers are those that the server gives directly."""
    start(strait, lab, front, back)
    for question in QUESTIONS:
        assert dig(lab.client, lab.front[front], protocol, *question) == \
            dig(lab.server, lab.back[back], protocol, *question), question


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("mode", ["udp", "tcp"])
@pytest.mark.parametrize("version", [4, 6])
def test_dnsperf(strait, lab, version, mode):
    """dnsperf with many clients: every question is answered, none is lost."""
    daemon = start(strait, lab, version, version)
    questions = lab.directory / "questions"
    questions.write_text("".join(f"host{i}.example.test A\n" for i in range(1000)))
    output = lab.client.run(program_path("dnsperf"), "-s", lab.front[version], "-d", questions, "-m", mode, "-n", "10",
                            "-c", "20", "-Q", "4000", "-t", "3").stdout
    sent = int(re.search(r"Queries sent: +(\d+)", output)[1])
    completed = int(re.search(r"Queries completed: +(\d+)", output)[1])
    assert sent == 10_000
    assert completed == sent, output
    assert "NOERROR 10000 (100.00%)" in output
    assert daemon.service("dns")["flows_total"] >= 20


def test_sessions_end_with_the_reply(strait, lab):
    """With `replies=1` no session is left after the answers."""
    daemon = start(strait, lab, 4, 4)
    for i in range(20):
        dig(lab.client, lab.front[4], "+notcp", f"host{i}.example.test", "A")
    daemon.wait_for_flows(20, protocol="udp", reason="replies_done")
    daemon.wait_for_active("dns", 0)


def test_dead_dns_server_is_found(strait, lab):
    """The UDP check finds that the DNS server is gone."""
    knot = Knot(lab.server, [lab.back[4]])
    text = configuration(lab.front[4], f"{lab.back[4]}:53 name=knot")
    daemon = strait(lab.proxy, text.replace("every=1s", "every=300ms timeout=500ms fall=2"))
    assert daemon.server("resolvers", "knot")["state"] == "up"
    knot.program.kill()
    daemon.wait_for_event("server_down", server="knot")
