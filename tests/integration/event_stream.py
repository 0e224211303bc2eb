# SPDX-License-Identifier: Apache-2.0
"""A client of GET /v1/events: server-sent events, read as the WHATWG HTML specification says, section 9.2."""

import json
import socket
import threading
import time

import http.client

from waiting import eventually


class Message:
    def __init__(self, kind, id, data):
        self.at = time.monotonic()
        self.kind, self.id = kind, int(id) if id else None
        self.document = json.loads(data)


class EventStream:
    """Reads in a thread of its own; `messages` grows. Over a connected socket, which it closes."""

    def __init__(self, connected, last_id=None, headers=None, host="localhost"):
        self.socket = connected
        self.messages = []
        self.retry = self.error = None
        self.is_over = self.has_end = False
        lines = [f"Host: {host}", "Accept: text/event-stream", *(f"{k}: {v}" for k, v in (headers or {}).items())]
        if last_id is not None:
            lines.append(f"Last-Event-ID: {last_id}")
        connected.settimeout(60)
        connected.sendall("\r\n".join(["GET /v1/events HTTP/1.1", *lines, "\r\n"]).encode())
        self.response = http.client.HTTPResponse(connected)
        self.response.begin()
        self.status = self.response.status
        self.type = self.response.getheader("Content-Type")
        if self.status == 200:
            threading.Thread(target=self.read, daemon=True).start()
        else:
            self.problem = json.loads(self.response.read())

    def read(self):
        try:
            self.read_lines()
            self.has_end = True
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.error = error
        self.is_over = True

    def read_lines(self):
        fields = {}
        while line := self.response.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "retry":
                self.retry = int(value)
            elif name:
                fields[name] = value
            elif "data" in fields:
                self.messages.append(Message(fields.get("event"), fields.get("id"), fields["data"]))
                fields = {}

    def of(self, kind):
        return [m for m in self.messages if m.kind == kind]

    @property
    def ticks(self):
        return [m.document for m in self.of("tick")]

    @property
    def ids(self):
        return [m.id for m in self.of("change")]

    def changes(self, event, **fields):
        found = [m.document for m in self.of("change") if m.document["event"] == event]
        return [d for d in found if all(d.get(k) == v for k, v in fields.items())]

    def wait_for_change(self, event, timeout=10, **fields):
        return eventually(lambda: self.changes(event, **fields), timeout, what=f"change {event} {fields}")[0]

    def wait_for_tick(self, check=lambda tick: True, timeout=10, after=0):
        def find():
            return [t for t in self.ticks[after:] if check(t)]
        return eventually(find, timeout, what="a tick")[0]

    def wait_for_end(self, timeout=10):
        eventually(lambda: self.is_over, timeout, what="the stream ends")

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        eventually(lambda: self.is_over or self.status != 200)
        self.response.close()
        self.socket.close()


def watch(daemon, **options):
    """Over the daemon's unix socket."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(daemon.admin_socket))
    return EventStream(s, **options)
