# SPDX-License-Identifier: Apache-2.0
"""
The packet guard: malformed packets and those of blocked sources end at the interface, are counted, and nothing else is
hurt; it is where it should be, and leaves nothing behind.
"""

import fcntl
import os
import re
import socket
import struct
import time
from collections import Counter
from pathlib import Path

import pytest

from lab import command, enter, home_namespace
from metrics import Metrics
from packets import Arrivals, Wire, dropped_by_reason, frames
from servers import small_server, tool
from traffic import ending, exchange, is_refused, receive_stream, send_stream
from waiting import eventually, thread

WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set", "-bpf,-net_admin,-sys_admin,-perfmon", "--"]
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def is_allowed():
    """May programs be loaded here? Containers often have no right to."""
    capabilities = int(re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[1], 16)
    return capabilities >> 21 & 1 or (capabilities >> 39 & 1 and capabilities >> 12 & 1)


needs_bpf = pytest.mark.skipif(not is_allowed(), reason="eBPF programs may not be loaded here")


def configuration(lab, more="", listen=None):
    where = listen or f"{lab.front[4]}:8080 [{lab.front[6]}]:8080"
    return (f"{more}\nservice web {{\n listen {where}\n listen udp {where}\n to web\n}}\n"
            f"pool web {{\n check none\n server {lab.back[4]}:9000\n}}\n")


@pytest.fixture
def start(strait, lab):
    """start(more, **options): the daemon, before an echo server."""
    small_server(lab.server, "echo", (lab.back[4], 9000))
    return lambda more="", listen=None, **options: strait(lab.proxy, configuration(lab, more, listen), **options)


@pytest.fixture
def wire(lab):
    return Wire(lab.client, "wire", lab.proxy, "wire1")


def guard(daemon):
    return daemon.status()["packet_guard"]


def dropped(daemon):
    return guard(daemon)["dropped"]


def interfaces(daemon):
    return {place["name"]: place["mode"] for place in guard(daemon)["interfaces"]}


def serves(lab, **options):
    """TCP and UDP, IPv4 and IPv6."""
    for family in (4, 6):
        exchange(lab.client.connect((lab.front[family], 8080), **options)).close()
        exchange(lab.client.udp((lab.front[family], 8080))).close()
    return True


def is_silent(connect):
    try:
        connect()
    except TimeoutError:
        return True
    return False


# what is dropped, and what is not

@needs_bpf
def test_every_class(start, lab, wire):
    """Each fixture is sent over a wire: what is malformed is dropped and counted by reason, all else arrives."""
    daemon = start()
    arrivals = Arrivals(lab.proxy, "wire1")
    all_frames = frames()
    wire.send(*all_frames.values())
    expected = dropped_by_reason(all_frames)
    assert len(expected) > 20 and len(all_frames) > 110
    eventually(lambda: dropped(daemon) == expected)
    eventually(lambda: arrivals.count() == len(all_frames) - sum(expected.values()))
    metrics = Metrics(daemon)
    assert metrics.reasons("strait_packets_dropped_total") == expected
    assert metrics("strait_packets_dropped_total", reason="blocked") == 0
    assert metrics("strait_packet_guard_interfaces") == 1
    assert serves(lab)
    assert dropped(daemon) == expected


@needs_bpf
@pytest.mark.parametrize("family", [4, 6])
def test_traffic(start, lab, family):
    """Streams, in packets that the system puts together of many, and long datagrams are left alone."""
    daemon = start()
    count = 40 << 20
    s = lab.client.connect((lab.front[family], 8080))
    sending = thread(send_stream, s, count, family)
    assert receive_stream(s) == (count, sending.join())
    datagrams = lab.client.udp((lab.front[family], 8080))
    for size in (0, 1, 1400, 9000, 60000):
        datagrams.send(bytes(size))
        assert len(datagrams.recv(1 << 16)) == size
    assert dropped(daemon) == {}


@needs_bpf
def test_scapy(start, lab, wire):
    """Packets of somebody else's making."""
    scapy = pytest.importorskip("scapy.all")
    daemon = start()
    ip = scapy.IP(src=lab.clients[4], dst=lab.front[4])
    ip6 = scapy.IPv6(src=lab.clients[6], dst=lab.front[6])
    bad = {
        "land": [scapy.IP(src=lab.front[4], dst=lab.front[4]) / scapy.TCP(dport=8080)],
        "tcp_syn_fin": [ip / scapy.TCP(dport=8080, flags="SF"), ip6 / scapy.TCP(dport=8080, flags="SFA")],
        "tcp_no_flags": [ip / scapy.TCP(dport=8080, flags="")],
        "port_zero": [ip / scapy.UDP(sport=0, dport=8080)],
        "ipv6_routing_header": [ip6 / scapy.IPv6ExtHdrRouting(addresses=["fd01::9"]) / scapy.TCP(dport=8080)],
        "source_loopback": [scapy.IP(src="127.0.0.1", dst=lab.front[4]) / scapy.UDP(dport=8080)],
        "ip_header_length": [scapy.IP(src=lab.clients[4], dst=lab.front[4], ihl=3) / scapy.TCP(dport=8080)],
        "udp_length": [ip / scapy.UDP(dport=8080, len=2000)],
    }
    good = [
        ip / scapy.TCP(dport=8080, flags="S", options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)),
                                                       ("NOP", None), ("WScale", 7)]) / b"with data",
        ip / scapy.TCP(dport=8080, flags="SEC"),
        ip / scapy.ICMP(type=3, code=4, nexthopmtu=1400) / scapy.IP(src=lab.front[4], dst=lab.clients[4]) / scapy.TCP(),
        ip6 / scapy.IPv6ExtHdrHopByHop() / scapy.IPv6ExtHdrDestOpt() / scapy.UDP(dport=8080) / b"x",
        scapy.IP(src="0.0.0.0", dst="255.255.255.255") / scapy.UDP(sport=68, dport=67) / scapy.BOOTP() /
        scapy.DHCP(options=[("message-type", "discover"), "end"]),
        *scapy.fragment(ip / scapy.UDP(dport=8080) / bytes(3000), 1000),
    ]
    arrivals = Arrivals(lab.proxy, "wire1")
    wire.send(*(bytes(scapy.Ether() / packet) for packets in bad.values() for packet in packets))
    wire.send(*(bytes(scapy.Ether() / packet) for packet in good))
    eventually(lambda: dropped(daemon) == {reason: len(packets) for reason, packets in bad.items()})
    eventually(lambda: arrivals.count() == len(good))


@needs_bpf
def test_only_listen(start, lab, wire):
    """With only-listen what is not for a listen address and port is left alone; a reload changes what that is."""
    daemon = start("packet-guard auto only-listen")
    every = frames()
    name = "tcp_syn_fin.alone"  # to 10.1.0.1:8080
    wire.send(every[name], every["land.tcp"], every["land.ping"], every["udp_length.over_ipv6"])
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 1, "land": 1, "udp_length": 1})
    assert guard(daemon)["only_listen"]
    other_port = every[name][:36] + struct.pack("!H", 22) + every[name][38:]
    wire.send(other_port)
    daemon.hang_up(configuration(lab, "packet-guard auto only-listen", listen=f"{lab.front[4]}:22"))
    wire.send(every[name], other_port)
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 2, "land": 1, "udp_length": 1})
    daemon.hang_up(configuration(lab, "packet-guard auto", listen=f"{lab.front[4]}:22"))
    wire.send(every[name], every["land.ping"])
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 3, "land": 2, "udp_length": 1})


@needs_bpf
def test_only_listen_at_all_addresses(start, lab, wire):
    """A listener of both families counts for every address."""
    daemon = start("packet-guard auto only-listen", listen=":8080")
    every = frames()
    wire.send(every["tcp_syn_fin.alone"], every["tcp_syn_fin.over_ipv6"], every["land.ping"])
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 2})
    assert set(interfaces(daemon)) == {"wire1", "wire2"}


# blocks

def block(daemon, *networks):
    for network in networks:
        assert daemon.ask("POST", "/v1/blocks", {"network": network}).status in (200, 201)


def counts(daemon):
    """What each block has kept out: flows and datagrams by workers, packets by the guard."""
    return {b["network"]: (b["refused"], b["packets_dropped"]) for b in daemon.get("/v1/blocks").json["blocks"]}


@needs_bpf
def test_blocked_sources(start, lab):
    """What blocked sources send to services ends at the interface; their flows end, others go on, and all else is heard."""
    daemon = start()
    s = exchange(lab.client.connect((lab.front[4], 8080), source=("10.1.128.5", 0)))
    block(daemon, "10.1.128.0/24", f"{lab.clients[6]}/128")
    assert ending(s) == "reset"
    assert is_silent(lambda: lab.client.connect((lab.front[4], 8080), source=("10.1.128.77", 0), timeout=0.5))
    assert is_silent(lambda: lab.client.connect((lab.front[6], 8080), timeout=0.5))
    assert is_silent(lambda: exchange(lab.client.udp((lab.front[4], 8080), source=("10.1.128.78", 0), timeout=0.5)))
    exchange(lab.client.connect((lab.front[4], 8080)))
    exchange(lab.client.connect((lab.front[4], 8080), source=("10.1.129.1", 0)))
    eventually(lambda: all(packets > 0 for _, packets in counts(daemon).values()), what="each block has dropped packets")
    kept_out = counts(daemon)
    assert [refused for refused, _ in kept_out.values()] == [0, 0], kept_out
    assert dropped(daemon) == {"blocked": sum(packets for _, packets in kept_out.values())}
    # Something else than a service, of the same machine.
    listener = lab.proxy.listen((lab.front[4], 7000))
    lab.client.connect((lab.front[4], 7000), source=("10.1.128.77", 0)).close()
    listener.close()
    assert daemon.ask("DELETE", "/v1/blocks/10.1.128.0%2F24").status == 200
    exchange(lab.client.connect((lab.front[4], 8080), source=("10.1.128.5", 0)))
    assert daemon.wait_for_event("block_removed")["packets_dropped"] == kept_out["10.1.128.0/24"][1]


@needs_bpf
def test_blocks_of_before(start, lab):
    """Those who were blocked while the guard was off are dropped by it when it is on; off, they are refused by workers."""
    daemon = start("packet-guard off")
    block(daemon, "10.1.128.0/24")
    assert is_refused(lab.client, (lab.front[4], 8080), source=("10.1.128.5", 0))
    daemon.hang_up(configuration(lab))
    assert is_silent(lambda: lab.client.connect((lab.front[4], 8080), source=("10.1.128.5", 0), timeout=0.5))
    refused, packets = counts(daemon)["10.1.128.0/24"]
    assert refused == 1 and packets > 0
    daemon.hang_up(configuration(lab, "packet-guard off"))
    assert is_refused(lab.client, (lab.front[4], 8080), source=("10.1.128.5", 0))
    assert counts(daemon) == {"10.1.128.0/24": (2, packets)}


# where it is

@needs_bpf
def test_interfaces_of_listen_addresses(start, lab):
    """It is at the interface that has the listen address, and at no other; a wildcard is at all but the loopback."""
    daemon = start()
    assert interfaces(daemon) == {"wire1": "tcx"}
    assert daemon.wait_for_event("packet_guard_attached")["interface"] == "wire1"
    daemon.hang_up(configuration(lab, listen="*:8080"))
    assert interfaces(daemon) == {"wire1": "tcx", "wire2": "tcx"}
    daemon.hang_up(configuration(lab, listen="127.0.0.1:8080"))
    assert interfaces(daemon) == {}
    assert guard(daemon)["state"] == "active"
    daemon.hang_up(configuration(lab, "packet-guard auto interfaces=wire2,other,lo", listen="127.0.0.1:8080"))
    assert interfaces(daemon) == {"wire2": "tcx"}
    # An address that only the loopback interface has may be reached by any.
    lab.proxy.ip("address", "add", "192.0.2.1/32", "dev", "lo")
    daemon.hang_up(configuration(lab, listen="192.0.2.1:8080"))
    assert interfaces(daemon) == {"wire1": "tcx", "wire2": "tcx"}


@needs_bpf
def test_interfaces_that_come_and_go(start, lab, wire):
    """Interfaces, and addresses of listeners, that come later are guarded; those that go are forgotten."""
    daemon = start(listen="*:8080")
    lab.proxy.ip("link", "add", "later", "type", "veth", "peer", "name", "peer")
    eventually(lambda: set(interfaces(daemon)) == {"wire1", "wire2", "later", "peer"})
    for device in ("later", "peer"):
        lab.proxy.ip("link", "set", device, "up")
    Wire(lab.proxy, "peer", lab.proxy, "later").send(frames()["land.tcp"])
    eventually(lambda: dropped(daemon) == {"land": 1})
    lab.proxy.ip("link", "set", "later", "name", "renamed")
    eventually(lambda: set(interfaces(daemon)) == {"wire1", "wire2", "renamed", "peer"})
    lab.proxy.ip("link", "delete", "renamed")
    eventually(lambda: set(interfaces(daemon)) == {"wire1", "wire2"})
    for device in ("later", "renamed", "peer"):
        daemon.wait_for_event("packet_guard_detached", interface=device)
    daemon.hang_up(configuration(lab, listen=f"{lab.front[4]}:8080"))
    assert set(interfaces(daemon)) == {"wire1"}
    lab.proxy.ip("address", "add", f"{lab.front[4]}/32", "dev", "wire2")
    eventually(lambda: set(interfaces(daemon)) == {"wire1", "wire2"})
    wire.send(frames()["land.tcp"])
    eventually(lambda: dropped(daemon) == {"land": 2})


@needs_bpf
def test_ports_of_a_bridge(start, lab, wire):
    """What comes in by a bridge is judged once, at the bridge."""
    daemon = start(listen="*:8080")
    lab.proxy.ip("link", "add", "bridge", "address", "02:00:00:00:00:01", "type", "bridge", "forward_delay", 0)
    # What bridges ask of netfilter here, where there is such a thing, is whether there is a way back.
    lab.proxy.run("sysctl", "-q", "net.bridge.bridge-nf-call-iptables=0", check=False)
    lab.proxy.ip("link", "set", "wire1", "master", "bridge")
    lab.proxy.ip("link", "set", "bridge", "up")
    eventually(lambda: set(interfaces(daemon)) == {"bridge", "wire2"})
    wire.dest = bytes.fromhex("020000000001")
    wire.send(frames()["tcp_syn_fin.alone"])
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 1})


def open_tun(place, name):
    """A device without a header of the link layer, and the descriptor by which packets come in."""
    enter(place.handle)
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    finally:
        enter(home_namespace)
    place.ip("link", "set", name, "up")
    return fd


@needs_bpf
@pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="there is no /dev/net/tun")
def test_device_without_link_layer(start, lab):
    """Packets of a tun device begin with the IP header, and are judged all the same."""
    daemon = start(listen="*:8080")
    fd = open_tun(lab.proxy, "tun7")
    try:
        eventually(lambda: "tun7" in interfaces(daemon))
        sent = {name: frame for name, frame in frames().items() if frame[12:14] in (b"\x08\x00", b"\x86\xdd")}
        # The version tells the device what it is; and it refuses what is less than a header.
        sent = {name: frame[14:] for name, frame in sent.items() if not name.startswith(("ip_version", "ip_truncated"))}
        for packet in sent.values():
            os.write(fd, packet)
        eventually(lambda: dropped(daemon) == dropped_by_reason(sent))
    finally:
        os.close(fd)
    eventually(lambda: "tun7" not in interfaces(daemon))


# on and off

@needs_bpf
def test_reload(start, lab, wire):
    """It is switched by a reload; what was counted stays."""
    daemon = start("packet-guard off")
    bad = frames()["tcp_syn_fin.alone"]
    arrivals = Arrivals(lab.proxy, "wire1")
    wire.send(bad)
    eventually(lambda: arrivals.count() == 1)
    assert guard(daemon) == {"state": "off", "why": None, "only_listen": False, "interfaces": [], "dropped": {}}
    daemon.hang_up(configuration(lab))
    wire.send(bad)
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 1})
    daemon.hang_up(configuration(lab, "workers 2\n", listen=f"{lab.front[4]}:8081"), workers=None)
    wire.send(bad)
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 2})
    daemon.hang_up(configuration(lab, "packet-guard off"))
    wire.send(bad)
    eventually(lambda: arrivals.count() == 2)
    assert (guard(daemon)["state"], guard(daemon)["interfaces"]) == ("off", [])
    assert dropped(daemon) == {"tcp_syn_fin": 2}
    assert Metrics(daemon)("strait_packet_guard_interfaces") == 0
    daemon.hang_up(configuration(lab))
    wire.send(bad)
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 3})


def test_without_privileges(start, lab, wire):
    """Without capabilities everything else works, and status says what is weaker and what is missing."""
    daemon = start(through=WITHOUT_PRIVILEGES)
    wire.send(*frames().values())
    assert serves(lab)
    said = guard(daemon)
    assert (said["state"], said["interfaces"], said["dropped"]) == ("unavailable", [], {})
    assert said["why"] == "the eBPF program: CAP_BPF and CAP_NET_ADMIN are needed"
    assert daemon.wait_for_event("packet_guard_unavailable")["cause"] == said["why"]
    shown = daemon.command("status")
    assert shown.returncode == 0 and "packet guard unavailable: " + said["why"] in shown.stdout
    assert "malformed packets are left to the kernel's own checks" in shown.stdout
    assert Metrics(daemon)("strait_packet_guard_interfaces") == 0
    daemon.hang_up(configuration(lab, "packet-guard off"))
    assert guard(daemon)["state"] == "off"
    assert "packet guard" not in daemon.command("status").stdout


@needs_bpf
def test_with_few_privileges(start, lab, wire):
    """CAP_BPF and CAP_NET_ADMIN are enough."""
    few = ["setpriv", "--bounding-set", "-all,+bpf,+net_admin,+net_bind_service", "--"]
    daemon = start(through=few)
    assert interfaces(daemon) == {"wire1": "tcx"}
    wire.send(frames()["tcp_option_length.0"])
    eventually(lambda: dropped(daemon) == {"tcp_option_length": 1})
    assert "packet guard at wire1; dropped: tcp_option_length 1" in daemon.command("status").stdout


# coming and going

def filters(lab):
    return command("tc", "-n", lab.proxy.namespace, "filter", "show", "dev", "wire1", "ingress").stdout


def filter_count(lab):
    return filters(lab).count("handle 0x7374")


def has_clsact(lab):
    return "clsact" in command("tc", "-n", lab.proxy.namespace, "qdisc", "show", "dev", "wire1").stdout


@needs_bpf
def test_killed(start, lab, wire):
    """A strait that was killed leaves nothing attached, and the next one starts as if nothing had been."""
    bad = frames()["tcp_syn_fin.alone"]
    first = start()
    wire.send(bad)
    eventually(lambda: dropped(first) == {"tcp_syn_fin": 1})
    first.is_expected_to_end = first.was_waited_for = True
    first.program.kill()
    arrivals = Arrivals(lab.proxy, "wire1")
    wire.send(bad)
    eventually(lambda: arrivals.count() == 1)
    second = start()
    wire.send(bad)
    eventually(lambda: dropped(second) == {"tcp_syn_fin": 1})
    assert second.stop() == 0
    wire.send(bad)
    eventually(lambda: arrivals.count() == 2)


@needs_bpf
def test_two_daemons(start, lab, wire):
    """Two on one machine: each is attached, a packet is dropped by one, and the end of one is none of the other."""
    bad = frames()["tcp_syn_fin.alone"]
    first = start()
    second = start(listen=f"{lab.front[4]}:8081")
    wire.send(bad, bad)
    eventually(lambda: Counter(dropped(first)) + Counter(dropped(second)) == {"tcp_syn_fin": 2})
    first.stop()
    before = dropped(second).get("tcp_syn_fin", 0)
    wire.send(bad)
    eventually(lambda: dropped(second) == {"tcp_syn_fin": before + 1})


@needs_bpf
def test_before_linux_6_6(start, lab, wire):
    """Where there are no links a filter is used, and gone with its queueing discipline when strait has stopped."""
    daemon = start(through=[tool("without_bpf_links")])
    assert interfaces(daemon) == {"wire1": "tc"}
    all_frames = frames()
    wire.send(*all_frames.values())
    eventually(lambda: dropped(daemon) == dropped_by_reason(all_frames))
    assert serves(lab)
    assert "strait_guard" in filters(lab)
    daemon.hang_up(configuration(lab, "packet-guard off"))
    assert filters(lab) == "" and not has_clsact(lab)
    daemon.hang_up(configuration(lab))
    assert "strait_guard" in filters(lab)
    daemon.stop()
    assert filters(lab) == "" and not has_clsact(lab)


@needs_bpf
def test_filter_that_was_left_behind(start, lab, wire):
    """What a killed strait leaves is taken away by the next one, while that of a living one stays."""
    bad = frames()["tcp_syn_fin.alone"]
    through = [tool("without_bpf_links")]
    living = start(through=through)
    killed = start(listen=f"{lab.front[4]}:8081", through=through)
    assert filter_count(lab) == 2
    killed.is_expected_to_end = killed.was_waited_for = True
    killed.program.kill()
    assert filter_count(lab) == 2
    following = start(listen=f"{lab.front[4]}:8082", through=through)
    assert filter_count(lab) == 2
    wire.send(bad)
    eventually(lambda: Counter(dropped(living)) + Counter(dropped(following)) == {"tcp_syn_fin": 1})
    following.stop()
    assert filter_count(lab) == 1 and has_clsact(lab)
    living.is_expected_to_end = living.was_waited_for = True
    living.program.kill()
    assert filter_count(lab) == 1
    start(through=through).stop()
    assert filters(lab) == "" and not has_clsact(lab)


@needs_bpf
def test_filters_of_others(start, lab, wire):
    """Somebody else's filter is left alone, and so is the queueing discipline that holds it."""
    command("tc", "-n", lab.proxy.namespace, "qdisc", "add", "dev", "wire1", "clsact")
    daemon = start(through=[tool("without_bpf_links")])
    command("tc", "-n", lab.proxy.namespace, "filter", "add", "dev", "wire1", "ingress", "bpf", "bytecode", "1,6 0 0 0")
    wire.send(frames()["tcp_syn_fin.alone"])
    eventually(lambda: dropped(daemon) == {"tcp_syn_fin": 1})
    daemon.stop()
    assert "bytecode" in filters(lab) and filter_count(lab) == 0


@needs_bpf
def test_start_is_quick(start, figure):
    """How long loading and attaching take, told by the records of the start."""
    daemon = start()
    def moment(name):
        return time.mktime(time.strptime(daemon.wait_for_event(name)["ts"][:19], "%Y-%m-%dT%H:%M:%S")) + \
            float("0." + daemon.wait_for_event(name)["ts"][20:23])
    figure(f"packet guard: loaded and attached in {1000 * (moment('packet_guard_attached') - moment('started')):.0f} ms")
    assert daemon.wait_for_event("packet_guard_attached")["mode"] == "tcx"
