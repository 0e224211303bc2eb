# SPDX-License-Identifier: Apache-2.0
"""
Fixtures of the integration tests. Run as root, from anywhere: pytest -n 4 --dist loadgroup tests/integration, where tests
of one xdist_group share a process, so that heavy ones do not run all at once. STRAIT names the program under test,
relative to the top of the repository; build/strait if unset.
"""

import os

import pytest

import daemon
import lab as laboratory


def pytest_configure():
    """What the thread sanitizer cannot know about a library is written down once, for all tests."""
    suppressions = daemon.ROOT / "tests" / "unit" / "thread_sanitizer_suppressions.txt"
    os.environ.setdefault("TSAN_OPTIONS", f"suppressions={suppressions}")


def pytest_sessionstart(session):
    assert os.geteuid() == 0, "the integration tests make network namespaces: run them as root"
    if not hasattr(session.config, "workerinput"):
        laboratory.remove_stale_labs()


def pytest_collection_modifyitems(items):
    """Long waits first, so that the others fill the time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if daemon.is_sanitized() and "SLOW" not in os.environ:
        reason = "takes long, and sanitizers make it longer: they run what is shorter, and SLOW=1 this as well"
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def lab():
    """Client, proxy and server in namespaces of their own."""
    with laboratory.Lab() as made:
        yield made


@pytest.fixture
def loopback():
    """Client, proxy and server in one namespace."""
    with laboratory.Loopback() as made:
        yield made


@pytest.fixture
def pins(lab):
    """A directory in a BPF file system of the test's own, by which flows outlive the daemon."""
    directory = laboratory.temporary_directory("bpf")
    laboratory.command("mount", "-t", "bpf", "bpf", directory)
    yield directory / "strait"
    lab.close()  # whoever has something open there
    laboratory.command("umount", "-l", directory)


@pytest.fixture
def strait():
    """Starts the program under test in a place: strait(lab.proxy, configuration, ...)."""
    return daemon.Daemon


@pytest.fixture
def figure(record_property):
    """Tells a measured figure: figure("idle connection: 300 bytes"). It is shown at the end, also when tests pass."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter):
    reports = [r for outcome in ("passed", "failed") for r in terminalreporter.stats.get(outcome, [])]
    figures = [value for r in reports for name, value in r.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("measured")
    for text in figures:
        terminalreporter.write_line(text)


@pytest.fixture
def own_speed():
    """For tests that measure what passes in a time."""
    if daemon.is_sanitized():
        pytest.skip("sanitizers make everything several times as slow, so that the rates would be theirs")


@pytest.fixture
def own_memory():
    """For tests that measure the daemon's memory."""
    if daemon.is_sanitized():
        pytest.skip("sanitizers add memory of their own to every allocation")
