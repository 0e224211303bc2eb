# SPDX-License-Identifier: Apache-2.0
"""A terminal with a program on it: what the screen shows is read with pyte, and keys are typed. In the lab's places."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading

import pyte

from lab import program_path
from waiting import eventually


class Terminal:
    """
    Runs the words in a place, as the leader of a session whose controlling terminal this is. TERM is linux if not given:
    the one that pyte understands best.
    """

    def __init__(self, place, *words, columns=80, lines=24, env=None, stdin=None):
        self.raw = bytearray()
        self.lock = threading.Lock()
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.ours, self.theirs = pty.openpty()
        self.set_size(columns, lines)
        self.settings = termios.tcgetattr(self.theirs)
        environment = {"TERM": "linux", "LC_ALL": "C.UTF-8", "NO_COLOR": "", **(env or {})}
        self.program = place.start(program_path("setsid"), "--ctty", *words, name="terminal", env=environment,
                                   stdin=self.theirs if stdin is None else stdin, stdout=self.theirs)
        place.lab.closers.append(self)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                piece = os.read(self.ours, 65536)
            except OSError:
                return
            with self.lock:
                self.raw += piece
                self.stream.feed(piece)

    # looking

    def rows(self):
        with self.lock:
            return [row.rstrip() for row in self.screen.display]

    def text(self):
        return "\n".join(self.rows())

    def wait_for(self, pattern, timeout=15):
        """Until the screen shows what the regular expression says; returns the match."""
        try:
            return eventually(lambda: re.search(pattern, self.text(), re.MULTILINE), timeout, every=0.05)
        except AssertionError as error:
            raise AssertionError(f"{pattern!r} is not on the screen:\n{self.text()}\n"
                                 f"{self.program.errors[-2000:]}") from error

    # doing

    def type(self, text):
        os.write(self.ours, text.encode())

    def set_size(self, columns, lines):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        """As a window does: what is on the screen is gone or stays somewhere, and the program is told."""
        with self.lock:
            self.screen.resize(lines, columns)
        self.set_size(columns, lines)

    # ending

    def wait(self, timeout=15):
        return self.program.wait(timeout)

    def is_restored(self):
        """Settings as they were, the cursor to be seen again."""
        return termios.tcgetattr(self.theirs) == self.settings and not self.screen.cursor.hidden

    def close(self):
        self.program.kill()
        os.close(self.theirs)
        self.reader.join(5)  # it reads from ours, whose number may be another's afterwards
        os.close(self.ours)
