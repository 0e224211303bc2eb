# SPDX-License-Identifier: Apache-2.0
"""Waiting: for something to become true, by asking often, for work done in another thread, and for time to pass."""

import threading
import time


class NotInTime(AssertionError):
    """What was waited for did not happen."""


def eventually(check, timeout=10.0, every=0.02, what=None):
    """Calls check() until it returns something true, and returns that; AssertionErrors on the way are forgiven."""
    deadline = time.monotonic() + timeout
    while True:
        last = None
        try:
            value = check()
            if value:
                return value
        except (AssertionError, OSError) as error:
            last = error
        if time.monotonic() > deadline:
            text = what or getattr(check, "__doc__", None) or getattr(check, "__name__", "a condition")
            raise NotInTime(f"not within {timeout} s: {text}") from last
        time.sleep(every)


def wait_and_tell_lateness(seconds):
    """
    Which part of the time a thread that only sleeps was kept waiting by a busy machine, for more than 20 ms at a time, which
    every limit makes up for. Those who send and receive were kept waiting, too.
    """
    late, end, step, spared = 0, time.monotonic() + seconds, 0.02, 0.02
    while (before := time.monotonic()) < end:
        time.sleep(step)
        late += max(0, time.monotonic() - before - step - spared)
    return late / seconds


def thread(work, *arguments):
    """Starts work in a thread; .join() raises what it raised and returns what it returned."""
    return Work(work, arguments)


class Work(threading.Thread):
    def __init__(self, work, arguments):
        super().__init__(daemon=True)
        self.work, self.arguments, self.result, self.error = work, arguments, None, None
        self.start()

    def run(self):
        try:
            self.result = self.work(*self.arguments)
        except BaseException as error:
            self.error = error

    def join(self, timeout=60):
        super().join(timeout)
        assert not self.is_alive(), f"{self.work} still runs after {timeout} s"
        if self.error:
            raise self.error
        return self.result
