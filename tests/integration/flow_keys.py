# SPDX-License-Identifier: Apache-2.0
"""What a daemon's eBPF maps hold: keys of flows (bpf/flow_index.h), ways back to clients."""

import json
import re
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

HALF_OPEN = 1 << 23
BUCKET = struct.Struct("<16I")  # entries, and how many have spilled


def bpftool(*words):
    return json.loads(subprocess.run(["/usr/sbin/bpftool", "-j", *words], check=True, capture_output=True).stdout)


def maps(pid):
    """The eBPF maps that a process has open, by their names."""
    for fdinfo in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # those of connections come and go
            if found := re.search(r"^map_id:\s+(\d+)", fdinfo.read_text(), re.M):
                yield bpftool("map", "show", "id", found[1])


def entries(pid, name):
    """Keys and values of one of them, as bytes."""
    number, = (m["id"] for m in maps(pid) if m["name"] == name)
    for entry in bpftool("map", "dump", "id", str(number)):
        yield tuple(bytes(int(byte, 16) for byte in entry[part]) for part in ("key", "value"))


def keys_left(pid):
    """How many keys of established flows there are, and keys that count as spilled."""
    buckets = [BUCKET.unpack(value) for _, value in entries(pid, "strait_buckets")]
    keys = sum(entry != 0 and not entry & HALF_OPEN for bucket in buckets for entry in bucket[:-1])
    return keys, sum(bucket[-1] for bucket in buckets)


def ways_back(pid):
    """IPv4 addresses of clients, and whether each is on the link of the interface by which it has come."""
    return {".".join(map(str, key[:4])): value[3] >= 0x80 for key, value in entries(pid, "nat_clients")}
