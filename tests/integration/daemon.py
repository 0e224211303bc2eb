# SPDX-License-Identifier: Apache-2.0
"""The program under test: starting it, asking it, reading what it writes, ending it."""

import http.client
import json
import os
import signal
import socket
from pathlib import Path

import process
from waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
FLOW_FIELDS = {"ts", "event", "id", "service", "protocol", "client", "listen", "pool", "server", "server_address",
               "local", "path", "reason", "connect_us", "duration_ms", "bytes_in", "bytes_out", "packets_in",
               "packets_out", "retries", "tried", "chosen_by"}


def strait_path():
    """The program under test: STRAIT, relative to the top of the repository; build/strait by default."""
    path = ROOT / os.environ.get("STRAIT", "build/strait")
    assert path.exists(), f"{path} does not exist: build strait first, or set STRAIT"
    return path


def is_sanitized():
    """True for a build with a sanitizer, whose memory and speed say nothing about strait's own."""
    program = strait_path().read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def strait(place, *words, **options):
    """Runs a strait command to its end in a place; the caller judges the exit code."""
    options.setdefault("check", False)
    options.setdefault("timeout", 30)
    return place.run(strait_path(), *words, **options)


class AdminConnection(http.client.HTTPConnection):
    """HTTP over a socket that is connected already."""

    def __init__(self, connected):
        super().__init__("localhost")
        self.sock = connected

    def connect(self):
        raise ConnectionError("the admin connection was closed")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.type = response.getheader("Content-Type", "")
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)


class Daemon:
    """
    A running `strait run`. The lines for admin, log and workers are put before the configuration: an admin listener on
    a unix socket, JSON records on stderr, two workers. Each can be replaced, or left out with None. `through` are words
    that start the program.
    """

    def __init__(self, place, configuration, admin="unix", log="stderr format=json", workers=2, nofile=None, env=None,
                 stderr=None, wait=True, arguments=None, is_ready="/readyz", through=()):
        self.place = place
        self.admin_socket = place.lab.directory / f"admin-{next(place.lab.numbers)}.sock"
        self.configuration_path = self.admin_socket.with_suffix(".conf")
        self.top = {"admin": admin, "log": log, "workers": workers}
        self.configure(configuration)
        self.is_expected_to_end = self.was_waited_for = False
        words = arguments or ["run", "-c", self.configuration_path]
        self.program = place.start(*through, strait_path(), *words, name="strait", nofile=nofile, env=env, stderr=stderr)
        self.pid = self.program.pid
        place.lab.closers.append(self)
        if wait and admin == "unix":
            self.wait_until_ready(is_ready)

    def configure(self, configuration, **top):
        """Writes the file; admin, log and workers stay unless they are given anew."""
        whole = self.configuration_path.with_suffix(".new")
        whole.write_text(self.whole(configuration, **{**self.top, **top}))
        whole.rename(self.configuration_path)

    def whole(self, configuration, admin, log, workers):
        lines = []
        if admin:
            lines.append(f"admin unix:{self.admin_socket}" if admin == "unix" else f"admin {admin}")
        if log:
            lines.append(f"log {log}")
        if workers:
            lines.append(f"workers {workers}")
        return "\n".join(lines) + "\n" + configuration

    def wait_until_ready(self, path="/readyz", timeout=15):
        def is_ready():
            self.fail_if_ended()
            return self.get(path).status == 200
        eventually(is_ready, timeout, what=f"{path} of strait answers 200")

    def fail_if_ended(self):
        if not self.program.is_running():
            self.is_expected_to_end = self.was_waited_for = True
            raise RuntimeError(f"strait ended with {self.program.process.returncode}: {self.program.errors[-3000:]}")

    # asking

    def get(self, path, method="GET", headers=None, body=None):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.admin_socket))
            connection = AdminConnection(s)
            connection.request(method, path, body=body, headers=headers or {})
            return Answer(connection.getresponse())

    def ask(self, method, path, document=None):
        """A change by the API, with a JSON body if there is one."""
        body = json.dumps(document) if document is not None else None
        return self.get(path, method, {"Content-Type": "application/json"}, body)

    def command(self, *words):
        """`strait WORDS --admin ...`, finished, whatever its exit code."""
        return strait(self.place, *words, "--admin", f"unix:{self.admin_socket}")

    def status(self):
        answer = self.get("/v1/status")
        assert answer.status == 200, answer.text
        return answer.json

    def service(self, name):
        return next(s for s in self.status()["services"] if s["name"] == name)

    def server(self, pool, name):
        found = next(p for p in self.status()["pools"] if p["name"] == pool)
        return next(s for s in found["servers"] if s["name"] == name)

    def wait_for_state(self, pool, name, state, timeout=15):
        eventually(lambda: self.server(pool, name)["state"] == state, timeout, what=f"{pool}/{name} is {state}")

    def wait_for_active(self, service, count, timeout=10):
        eventually(lambda: self.service(service)["flows_active"] == count, timeout,
                   what=f"{service} has {count} active flows")

    # reading

    def lines(self):
        """Whole lines of its stderr so far."""
        text = self.program.errors
        return text[:text.rfind("\n") + 1].splitlines()

    def records(self):
        return [json.loads(line) for line in self.lines() if line.startswith("{")]

    def flows(self, **fields):
        """Records of flows, also refused ones, whose fields have these values."""
        found = self.events("flow_end")
        return [r for r in found if all(r.get(k) == v for k, v in fields.items())]

    def events(self, event, **fields):
        found = [r for r in self.records() if r.get("event") == event]
        return [r for r in found if all(r.get(k) == v for k, v in fields.items())]

    def wait_for_flows(self, count=1, timeout=10, **fields):
        def enough():
            found = self.flows(**fields)
            return found if len(found) >= count else None
        try:
            return eventually(enough, timeout, every=0.05)
        except AssertionError as error:
            raise AssertionError(f"not {count} flow records with {fields}, but {self.flows()[-5:]}") from error

    def wait_for_event(self, event, timeout=15, **fields):
        return eventually(lambda: self.events(event, **fields), timeout, what=f"event {event} {fields}")[0]

    def private_bytes(self):
        return process.private_bytes(self.pid)

    # changing

    def hang_up(self, configuration=None, **top):
        """
        A reload by signal, of a new configuration if there is one; returns its event, whether it went well or not. The event
        of a reload before, also of one by API, must be in the log already.
        """
        if configuration is not None:
            self.configure(configuration, **top)
        count = len(self.reloads())
        self.program.signal(signal.SIGHUP)
        return eventually(lambda: self.reloads()[count:], what="an event of the reload")[0]

    def reloads(self):
        return [r for r in self.records() if r.get("event") in ("reloaded", "reload_failed")]

    # ending

    def terminate(self):
        self.is_expected_to_end = True
        self.program.signal(signal.SIGTERM)

    def wait(self, timeout=10):
        """The exit code of a daemon that was told to end."""
        self.is_expected_to_end = self.was_waited_for = True
        return self.program.wait(timeout)

    def stop(self, timeout=10):
        """TERM until it is gone: the second one ends it at once."""
        self.terminate()
        def is_gone():
            if self.program.is_running():
                self.program.signal(signal.SIGTERM)
            return not self.program.is_running()
        eventually(is_gone, timeout, every=0.1, what="strait ends after two TERM")
        return self.program.process.returncode

    def close(self):
        """Ends it with the lab, and fails the test if it had crashed or does not end."""
        ended_early = not self.program.is_running() and not self.is_expected_to_end
        code = self.program.process.returncode
        try:
            if self.program.is_running():
                code = self.stop()
        finally:
            self.program.kill()
        complaint = "\n".join(line for line in self.program.errors.splitlines() if not line.startswith("{"))[-12000:]
        assert not ended_early, f"strait ended by itself: {code}\n{complaint}"
        assert self.was_waited_for or code == 0, f"strait ended with {code} after TERM\n{complaint}"
        for word in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer", "CHECK failed"):
            assert word not in complaint, complaint


