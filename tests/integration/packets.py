# SPDX-License-Identifier: Apache-2.0
"""
Raw frames on the wires of a lab: those of the packet guard's fixtures, which are the corpus of its fuzz target, with what
has to become of each in their names; segments that nobody has sent; and a count of what arrives behind the guard.
"""

import json
import re
import socket
import struct
from collections import Counter
from pathlib import Path

from lab import SEARCH_PATH, command, enter, home_namespace

CORPUS = Path(__file__).resolve().parents[2] / "fuzz/corpus/packet_guard"
SOURCE = bytes.fromhex("020000000099")  # by which frames of these tests are known
# What the test's own side, or the receiving one, drops before any program sees it.
NEVER_SEEN = {"passed.tag_of_nothing", "ip_truncated.ipv4_nothing"}


def frames():
    """Frames by name: "land.tcp", "passed.syn"."""
    return {path.name: path.read_bytes() for path in sorted(CORPUS.iterdir()) if path.name not in NEVER_SEEN}


def reason_of(name):
    return name.split(".", 1)[0]


def dropped_by_reason(names):
    return Counter(reason for reason in map(reason_of, names) if reason != "passed")


def mac_of(place, device):
    text = place.ip("-j", "link", "show", "dev", device).stdout
    return bytes.fromhex(json.loads(text)[0]["address"].replace(":", ""))


def internet_sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp_frame(source, dest, flags, seq, ack=0):
    """A segment over IPv4 without options and payload, for Wire; source and dest are pairs of address and port."""
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(dest[0])
    tcp = struct.pack("!HHIIBBHHH", source[1], dest[1], seq, ack, 5 << 4, flags, 1000, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", internet_sum(addresses + struct.pack("!HH", 6, len(tcp)) + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
    ip = ip[:10] + struct.pack("!H", internet_sum(ip + addresses))
    return bytes(12) + b"\x08\x00" + ip + addresses + tcp


class Wire:
    """Sends frames over a wire, from the device of one place to that of the other."""

    def __init__(self, place, device, other, other_device):
        self.dest = mac_of(other, other_device)
        enter(place.handle)
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.socket.bind((device, 0))
        finally:
            enter(home_namespace)
        place.lab.closers.append(self.socket)

    def send(self, *frames_to_send):
        for frame in frames_to_send:
            self.socket.send(self.dest + SOURCE + frame[12:])


class Arrivals:
    """Counts frames of Wire that come to a device and are not dropped by programs there."""

    def __init__(self, place, device):
        self.place = place
        place.filter(f"table netdev arrivals {{ chain ingress {{ type filter hook ingress device {device} priority 0;\n"
                     f"ether saddr {SOURCE.hex(':')} counter\n }}\n }}\n")

    def count(self):
        listing = command("ip", "netns", "exec", self.place.namespace, "nft", "list", "table", "netdev", "arrivals",
                          env={"PATH": SEARCH_PATH}).stdout
        return int(re.search(r"counter packets (\d+)", listing)[1])
