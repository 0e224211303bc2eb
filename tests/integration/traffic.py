# SPDX-License-Identifier: Apache-2.0
"""What clients do: send, receive, finish, reset, and how a connection can end."""

import hashlib
import os
import socket
import struct

from waiting import thread

BLOCK = os.urandom(1 << 20)


def receive_exactly(s, count):
    parts, left = [], count
    while left:
        part = s.recv(min(left, 1 << 18))
        assert part, f"the connection ended {left} bytes early"
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def receive_all(s):
    """Everything until FIN."""
    parts = []
    while part := s.recv(1 << 18):
        parts.append(part)
    return b"".join(parts)


def receive_line(s):
    line = b""
    while not line.endswith(b"\n"):
        part = s.recv(1)
        assert part, f"the connection ended after {line!r}"
        line += part
    return line.decode().rstrip("\n")


def exchange(s, data=b"hello"):
    """Sends, and gets the same back; returns the socket, for chaining."""
    s.sendall(data)
    got = receive_exactly(s, len(data))
    assert got == data, f"sent {data[:80]!r}, got {got[:80]!r}"
    return s


def reset(s):
    """Closes with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def ending(s):
    """How the connection ends from the other side: "fin" or "reset"; bytes that come before are skipped."""
    try:
        while s.recv(1 << 16):
            pass
        return "fin"
    except (ConnectionResetError, BrokenPipeError):
        return "reset"


def is_refused(place, address, timeout=5, **options):
    """True if a client gets neither service nor silence: refused, reset or closed without a byte."""
    try:
        s = place.connect(address, timeout=timeout, **options)
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    with s:
        try:
            s.sendall(b"hello\n")
            return s.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True
        except TimeoutError:
            return False


def is_served(place, address, timeout=5, **options):
    """True if an echo or name server answers."""
    try:
        with place.connect(address, timeout=timeout, **options) as s:
            s.sendall(b"hello\n")
            return bool(s.recv(64))
    except OSError:
        return False


def ask(s):
    """Asks a name server over a connected socket: its name, and the port it sees the question come from."""
    s.sendall(b"who\n")
    answer = receive_line(s) if s.type == socket.SOCK_STREAM else s.recv(200).decode()
    name, port = answer.split()
    return name, int(port)


def who(place, address, source=None):
    """The name of the server that a new connection is given."""
    with place.connect(address, source=source) as s:
        return ask(s)[0]


def blocks(count, seed):
    """`count` bytes, different for each seed and at each place, in pieces of odd sizes."""
    position, size = 0, 1
    while position < count:
        size = min((size * 7919 + seed) % 131071 + 1, count - position)
        start = (position * 31 + seed * 977) % (len(BLOCK) - 131072)
        yield BLOCK[start:start + size]
        position += size


def send_stream(s, count, seed):
    """Sends that many bytes and then FIN; returns their SHA-256."""
    digest = hashlib.sha256()
    for block in blocks(count, seed):
        s.sendall(block)
        digest.update(block)
    s.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def send_endlessly(s):
    """Sends until the connection ends; returns how much it was."""
    sent = 0
    s.settimeout(None)
    try:
        while True:
            sent += s.send(bytes(65536))
    except OSError:
        return sent


def receive_stream(s):
    """Receives until FIN; returns the number of bytes and their SHA-256."""
    digest, count = hashlib.sha256(), 0
    buffer = bytearray(1 << 18)
    while size := s.recv_into(buffer):
        digest.update(memoryview(buffer)[:size])
        count += size
    return count, digest.hexdigest()


def both_ways(client, server, count, timeout=90):
    """Streams that many bytes in both directions at once, and checks that what arrives is what was sent."""
    for s in (client, server):
        s.settimeout(timeout)
    work = [thread(send_stream, client, count, 1), thread(receive_stream, server),
            thread(send_stream, server, count, 2), thread(receive_stream, client)]
    sent_up, got_up, sent_down, got_down = (w.join(timeout) for w in work)
    assert got_up == (count, sent_up), "client to server"
    assert got_down == (count, sent_down), "server to client"
