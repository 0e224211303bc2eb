# SPDX-License-Identifier: Apache-2.0
"""Where logs are sent to: a real rsyslogd, and a stand-in for the socket of systemd's journal."""

import os
import socket
import struct
import threading

from waiting import eventually

RSYSLOG_CONFIGURATION = """
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
global(workDirectory="{directory}" maxMessageSize="16k")
input(type="imuxsock" Socket="{directory}/log" CreatePath="on" IgnoreTimestamp="off" UseSpecialParser="off"
      ParseHostname="on" RateLimit.Interval="0")
input(type="imudp" address="127.0.0.1" port="5514")
input(type="imtcp" address="127.0.0.1" port="6514" supportOctetCountedFraming="on")
template(name="parts" type="string" string="%pri%|%protocol-version%|%timereported:::date-rfc3339%|%app-name%|%procid%|%msgid%|%msg%\\n")
action(type="omfile" file="{directory}/received" template="parts" ioBufferSize="1m")
"""


class Rsyslog:
    """Writes what it receives over the unix socket `log`, UDP port 5514 and TCP port 6514, in parts, a line each."""

    def __init__(self, place, directory):
        self.place, self.directory = place, directory
        directory.mkdir(exist_ok=True)
        self.socket = directory / "log"
        (directory / "rsyslog.conf").write_text(RSYSLOG_CONFIGURATION.format(directory=directory))
        self.start()

    def start(self):
        self.socket.unlink(missing_ok=True)
        self.program = self.place.start("/usr/sbin/rsyslogd", "-n", "-iNONE", "-f", self.directory / "rsyslog.conf")
        eventually(self.takes_tcp, what="rsyslogd listens")
        eventually(self.socket.exists, what="rsyslogd has its socket")

    def takes_tcp(self):
        try:
            self.place.connect(("127.0.0.1", 6514)).close()
        except OSError:
            return False
        return True

    def stop(self):
        self.program.kill()

    def received(self):
        """Parts of each message: pri, version, time, app, pid, msgid, text."""
        path = self.directory / "received"
        text = path.read_text() if path.exists() else ""
        return [line.split("|", 6) for line in text.split("\n")[:-1]]  # the last may not be whole yet

    def texts(self, msgid):
        return [parts[6].lstrip() for parts in self.received() if parts[5] == msgid]


def read_journal_fields(datagram):
    """Fields of the native protocol: NAME=value and a newline, or NAME, a newline, 8 bytes of length, value, newline."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length, = struct.unpack("<Q", rest[:8])
            value, rest = rest[8:8 + length], rest[8 + length + 1:]
        assert name.decode().replace("_", "A").isalnum() and name.upper() == name, name
        fields.setdefault(name.decode(), []).append(value)
        datagram = rest
    return fields


class Journal:
    """Takes datagrams at a path; entries are their fields."""

    def __init__(self, path):
        self.path, self.entries = path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while datagram := self.socket.recv(1 << 18):
            self.entries.append(read_journal_fields(datagram))

    def of(self, event):
        return [e for e in self.entries if e["STRAIT_EVENT"] == [event.encode()]]

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"", str(self.path))
        self.thread.join(10)
        self.socket.close()
        os.unlink(self.path)
