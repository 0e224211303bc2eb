# SPDX-License-Identifier: Apache-2.0
"""PROXY headers as the specification has them, written and read without a line of strait's."""

import socket
import struct

from traffic import receive_exactly, receive_line

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
UNSPECIFIED = SIGNATURE + b"\x21\x00\x00\x00"
STREAM, DATAGRAM = 1, 2
ASKED = {4: ("198.51.100.2", 443), 6: ("2001:db8::2", 443)}


def v1(client="192.0.2.1", port=1234):
    return f"PROXY TCP4 {client} 198.51.100.2 {port} 443\r\n".encode()


def v2(client="192.0.2.1", port=1234, tlvs=b"", transport=STREAM):
    """A header of the client's family; it asked ASKED."""
    version, family = (6, socket.AF_INET6) if ":" in client else (4, socket.AF_INET)
    asked, asked_port = ASKED[version]
    body = b"".join(socket.inet_pton(family, a) for a in (client, asked)) + struct.pack(">HH", port, asked_port) + tlvs
    kind = (1 if version == 4 else 2) << 4 | transport
    return SIGNATURE + struct.pack(">BBH", 0x21, kind, len(body)) + body


def tlv(kind, value):
    return bytes([kind]) + struct.pack(">H", len(value)) + value


def receive_header(s):
    """Of a connection: addresses and TLVs of a header of version 2, or the line of version 1."""
    begin = receive_exactly(s, 6)
    if begin == b"PROXY ":
        return receive_line(s).rstrip("\r")
    head = begin + receive_exactly(s, 10)
    body = receive_exactly(s, struct.unpack(">H", head[14:])[0])
    return split(head + body, STREAM)[:2]


def split(data, transport=DATAGRAM):
    """Addresses, TLVs and what is behind the header; no addresses for LOCAL."""
    assert data[:12] == SIGNATURE
    command, kind, length = struct.unpack(">BBH", data[12:16])
    body, rest = data[16:16 + length], data[16 + length:]
    assert len(body) == length
    if command == 0x20:
        return None, {}, rest
    assert (command, kind & 0xf) == (0x21, transport)
    size = {1: 12, 2: 36, 3: 216}[kind >> 4]
    return addresses(kind >> 4, body[:size]), tlvs_of(body[size:]), rest


def addresses(family, body):
    if family == 3:
        return "unix"
    kind, size = (socket.AF_INET, 4) if family == 1 else (socket.AF_INET6, 16)
    ports = struct.unpack(">HH", body[2 * size:])
    return [(socket.inet_ntop(kind, body[i * size:(i + 1) * size]), ports[i]) for i in range(2)]


def tlvs_of(rest):
    found = {}
    while rest:
        kind, size = struct.unpack(">BH", rest[:3])
        found[kind] = rest[3:3 + size]
        rest = rest[3 + size:]
    return found
