# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol with programs that strait's authors have not written: before strait, behind it, and as what is checked."""

import pytest

from lab import address_text, program_path
from proxy_headers import receive_header
from servers import Scripted, small_server
from traffic import exchange, is_served, receive_all
from waiting import eventually

HOSTS = {4: "127.0.0.1", 6: "::1"}
ENTRY, FRONT, SERVER, NEXT = 7000, 8000, 9000, 9005
CONFIGURATION = """
service web {{
    listen tcp 127.0.0.1:8000 [::1]:8000
    listen udp 127.0.0.1:8000 [::1]:8000
    {service}
    to web
}}
pool web {{
    {pool}
    server {server}
}}
"""


def configuration(version, service="", pool="check none"):
    return CONFIGURATION.format(service=service, pool=pool, server=address_text(HOSTS[version], SERVER))


@pytest.fixture(params=[4, 6])
def version(request):
    return request.param


# TCP

HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
{listens}
"""
NGINX = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events {{ }}
{blocks}
"""


def start_haproxy(place, bind, server, version, words=""):
    """bind, server: port and options of each."""
    path = place.lab.directory / "haproxy.cfg"
    host = HOSTS[version]
    path.write_text(HAPROXY.format(listens=f"listen front\n    bind {address_text(host, bind[0])} {bind[1]}\n    {words}\n"
                                           f"    server next {address_text(host, server[0])} {server[1]}\n"))
    place.start(program_path("haproxy"), "-db", "-f", path)


def start_nginx(place, blocks):
    path = place.lab.directory / "nginx.conf"
    path.write_text(NGINX.format(directory=place.lab.directory, blocks=blocks))
    place.start(program_path("nginx"), "-c", path)


def assert_client_is_told(loopback, daemon, version):
    entry = (HOSTS[version], ENTRY)
    eventually(lambda: is_served(loopback.client, entry), what="the whole way is there")
    with loopback.client.connect(entry) as s:
        exchange(s)
        own = address_text(*s.getsockname()[:2])
    daemon.wait_for_flows(1, client=own)


@pytest.mark.parametrize("word", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
def test_haproxy_before_strait(strait, loopback, version, word):
    small_server(loopback.server, "echo", (HOSTS[version], SERVER))
    daemon = strait(loopback.proxy, configuration(version, "accept-proxy 127.0.0.1 ::1"))
    start_haproxy(loopback.proxy, (ENTRY, ""), (FRONT, word), version, "unique-id-format %rt" if "unique" in word else "")
    assert_client_is_told(loopback, daemon, version)


def test_nginx_before_strait(strait, loopback, version):
    small_server(loopback.server, "echo", (HOSTS[version], SERVER))
    daemon = strait(loopback.proxy, configuration(version, "accept-proxy 127.0.0.1 ::1"))
    start_nginx(loopback.proxy, f"stream {{ server {{ listen {address_text(HOSTS[version], ENTRY)}; proxy_protocol on; "
                                f"proxy_pass {address_text(HOSTS[version], FRONT)}; }} }}")
    assert_client_is_told(loopback, daemon, version)


def header_then_echo(connection):
    header = receive_header(connection)
    while data := connection.recv(65536):
        connection.sendall(data)
    return header


def assert_server_is_told(loopback, server, version):
    """A receiver of headers stands behind strait, and writes one of version 1 of its own that says the same."""
    front = (HOSTS[version], FRONT)
    eventually(lambda: is_served(loopback.client, front), what="the whole way is there")
    with loopback.client.connect(front) as s:
        exchange(s)
        own = s.getsockname()
    line = f"TCP{version} {HOSTS[version]} {HOSTS[version]} {own[1]} {FRONT}"
    eventually(lambda: line in server.results(len(server.works)), what=line)


@pytest.mark.parametrize("word", ["v1", "v2", "v2 unique-id"])
def test_haproxy_behind_strait(strait, loopback, version, word):
    server = Scripted(loopback.server, (HOSTS[version], NEXT), header_then_echo)
    strait(loopback.proxy, configuration(version, pool=f"send-proxy {word}").replace("listen udp", "# listen udp"))
    start_haproxy(loopback.server, (SERVER, "accept-proxy"), (NEXT, "send-proxy"), version)
    assert_server_is_told(loopback, server, version)


@pytest.mark.parametrize("word", ["v1", "v2", "v2 unique-id"])
def test_nginx_behind_strait(strait, loopback, version, word):
    """nginx as what it is most: a web server, that tells who has asked it, and whom."""
    strait(loopback.proxy, configuration(version, pool=f"send-proxy {word}").replace("listen udp", "# listen udp"))
    start_nginx(loopback.server, f"http {{ access_log off; server {{ listen {address_text(HOSTS[version], SERVER)} "
                                 "proxy_protocol; return 200 \"$proxy_protocol_addr $proxy_protocol_port "
                                 "$proxy_protocol_server_addr $proxy_protocol_server_port\"; } }")
    front = (HOSTS[version], FRONT)

    def ask():
        with loopback.client.connect(front) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return receive_all(s).split(b"\r\n\r\n")[-1].decode(), s.getsockname()[1]
    eventually(lambda: ask()[0] != "", what="nginx is there")
    told, port = ask()
    assert told == f"{HOSTS[version]} {port} {HOSTS[version]} {FRONT}"


# checks

def start_web_server(loopback, program):
    """A web server that answers nobody who does not begin with a header."""
    if program == "nginx":
        start_nginx(loopback.server, "http { access_log off; server { listen 127.0.0.1:9000 proxy_protocol; "
                                     "return 200 \"well\"; } }")
    else:
        start_haproxy(loopback.server, (SERVER, "accept-proxy"), (NEXT, ""), 4,
                      "mode http\n    http-request return status 200 content-type text/plain string well")


@pytest.mark.parametrize("program", ["haproxy", "nginx"])
@pytest.mark.parametrize("check", ["http expect=well", 'tcp send="GET / HTTP/1.0\\r\\n\\r\\n" expect=well'])
@pytest.mark.parametrize("word,state", [("v1", "up"), ("v2", "up"), ("", "down")])
def test_checks(strait, loopback, program, check, word, state):
    """Checks of servers that require the header are good, and without it they are not."""
    start_web_server(loopback, program)
    pool = f"check {check} every=200ms timeout=1s rise=1 fall=3\n" + (f"send-proxy {word}" if word else "")
    daemon = strait(loopback.proxy, configuration(4, pool=pool).replace("listen udp", "# listen udp"), is_ready="/livez")
    if state == "down":
        daemon.wait_for_state("web", "127.0.0.1:9000", "down")
        return
    eventually(lambda: (daemon.server("web", "127.0.0.1:9000")["last_check"] or {}).get("good"), 15, what="a good check")
    assert daemon.server("web", "127.0.0.1:9000")["state"] == "up"


# UDP

KNOT = """
server:
    rundir: "{directory}"
    listen: [ "127.0.0.1@9000", "::1@9000" ]
    proxy-allowlist: [ "127.0.0.0/8", "::1" ]
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
  - domain: whoami.test
    module: mod-whoami
"""
DNSDIST = """
setLocal("{listen}")
setACL({{"0.0.0.0/0", "::/0"}})
newServer({{address="{server}", useProxyProtocol={sends}, healthCheckMode="up"}})
{rules}
"""


@pytest.fixture
def knot(loopback):
    """A name server that takes headers, and answers whoami.test with the address of who asks."""
    directory = loopback.directory / "knot"
    directory.mkdir(mode=0o700)
    (directory / "knot.conf").write_text(KNOT.format(directory=directory))
    (directory / "whoami.test.zone").write_text("$ORIGIN whoami.test.\n$TTL 1\n@ SOA ns.test. a.test. 1 60 60 60 60\n@ NS ns.test.\n")
    loopback.server.start(program_path("knotd"), "-c", directory / "knot.conf").wait_for_output("server started")


def ask_who(loopback, version, port, *words):
    kind = {4: "A", 6: "AAAA"}[version]
    return loopback.client.run("kdig", f"@{HOSTS[version]}", "-p", port, "whoami.test", kind, "+short", "+time=2",
                               "+retry=2", *words).stdout.strip()


def test_knot_behind_strait(strait, loopback, version, knot):
    """Knot DNS hears from a client that it has never had a datagram of."""
    strait(loopback.proxy, configuration(version, pool="send-proxy v2\ncheck dns name=whoami.test type=SOA"))
    with_header = "+proxy=192.0.2.77#1234-198.51.100.2#53"
    assert ask_who(loopback, version, FRONT) == HOSTS[version]
    assert ask_who(loopback, 4, SERVER, with_header) == "192.0.2.77", "Knot takes headers"


@pytest.mark.parametrize("word", ["v2", "v2 first", "v2 unique-id"])
def test_kdig_before_strait(strait, loopback, version, knot, word):
    """kdig, also of Knot DNS, says whose question it asks; strait takes the header and tells Knot the same."""
    client = {4: "192.0.2.77", 6: "2001:db8::77"}[version]
    asked = {4: "198.51.100.2", 6: "2001:db8::2"}[version]
    daemon = strait(loopback.proxy, configuration(version, "accept-proxy 127.0.0.1 ::1\nsession replies=1",
                                                  f"send-proxy {word}"))
    assert ask_who(loopback, version, FRONT, f"+proxy={client}#1234-{asked}#53") == client
    assert daemon.wait_for_flows(1)[0]["client"] == address_text(client, 1234)


def start_dnsdist(place, listen, server, sends, rules=""):
    path = place.lab.directory / f"dnsdist-{listen}.conf"
    path.write_text(DNSDIST.format(listen=f"127.0.0.1:{listen}", server=f"127.0.0.1:{server}", sends=sends, rules=rules))
    place.start(program_path("dnsdist"), "-C", path, "--supervised", "--disable-syslog").wait_for_output("Listening on")


def test_dnsdist_before_strait(strait, loopback, knot):
    """dnsdist sends a header with each question, from few sockets for all clients."""
    daemon = strait(loopback.proxy, configuration(4, "accept-proxy 127.0.0.1\nsession replies=1", "send-proxy v2"))
    start_dnsdist(loopback.proxy, ENTRY, FRONT, "true")
    for host in ("127.0.0.11", "127.0.0.12", "127.0.0.11"):
        assert ask_who(loopback, 4, ENTRY, f"-b{host}") == host

    def told():
        return sorted(r["client"].split(":")[0] for r in daemon.flows(reason="replies_done"))
    eventually(lambda: [host for host in told() if host != "127.0.0.1"] == ["127.0.0.11", "127.0.0.11", "127.0.0.12"])


def test_dnsdist_behind_strait(strait, loopback):
    """dnsdist refuses questions without a header, also those of checks, and answers with who the header names."""
    rules = """setProxyProtocolACL({"127.0.0.1/32"})
addAction(AllRule(), LuaAction(function(question) return DNSAction.Spoof, question.remoteaddr:toString() end))"""
    start_dnsdist(loopback.server, SERVER, NEXT, "false", rules)
    daemon = strait(loopback.proxy, configuration(4, pool="send-proxy v2\ncheck dns name=whoami.test type=A every=200ms "
                                                            "timeout=1s rise=1 fall=3"), is_ready="/livez")
    eventually(lambda: (daemon.server("web", "127.0.0.1:9000")["last_check"] or {}).get("good"), 15, what="a good check")
    assert ask_who(loopback, 4, FRONT, "-b127.0.0.13") == "127.0.0.13"
    assert loopback.client.run("kdig", "@127.0.0.1", "-p", SERVER, "whoami.test", "A", "+short", "+time=1", "+retry=0",
                               check=False).stdout.count("127.0.0.1\n") == 0
