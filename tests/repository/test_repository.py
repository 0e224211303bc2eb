# SPDX-License-Identifier: Apache-2.0
"""Promises about the tree itself: what a reader may rely on in every file."""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STRAIT = ROOT / os.environ.get("STRAIT", "build/strait")
SOURCES = sorted(path for folder in ("src", "fuzz", "bench", "tests") for path in (ROOT / folder).rglob("*.[ch]"))
HEADERS = [path for path in SOURCES if path.suffix == ".h" and path.is_relative_to(ROOT / "src")]


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True).stdout
    return [ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]


def test_floors():
    """No source includes from a floor above its own."""
    result = subprocess.run([ROOT / "scripts/check_floors"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_floors_are_really_checked(tmp_path):
    """An upward include makes the floor checker fail."""
    for folder in ("docs", "scripts", "src/base"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs/architecture.md").write_text((ROOT / "docs/architecture.md").read_text())
    script = tmp_path / "scripts/check_floors"
    script.write_text((ROOT / "scripts/check_floors").read_text())
    (tmp_path / "src/base/upward.c").write_text('#include "relay/relay.h"\n')
    result = subprocess.run(["/usr/bin/python3", script], capture_output=True, text=True)
    assert result.returncode == 1
    assert "src/base/upward.c:1: base may not include from relay" in result.stdout


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_header_compiles_alone(header):
    """Every header includes what it needs."""
    command = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "src"]
    result = subprocess.run([*command, "-include", header, "-x", "c", "/dev/null"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_first_line_names_the_licence():
    """Every source says its licence in its first line."""
    assert [str(path) for path in SOURCES if "SPDX-License-Identifier:" not in path.read_text().split("\n", 1)[0]] == []


def test_files_and_functions_stay_short():
    """A file over 800 lines is two files."""
    assert [str(path) for path in SOURCES if len(path.read_text().splitlines()) > 800] == []


def test_nothing_carries_a_path_of_the_machine_it_was_written_on():
    """The tree works wherever it is cloned."""
    here = re.compile(re.escape(str(ROOT)) + r"\b")
    found = [path for path in tracked_files() if path.suffix not in (".png",) and here.search(path.read_text(errors="replace"))]
    assert found == []


def test_configuration_reference_is_fresh():
    """docs/configuration.md is what the schema table says now (`make reference`)."""
    generated = subprocess.run([STRAIT, "explain", "--reference"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs/configuration.md").read_text() == generated


def test_api_reference_is_fresh():
    """docs/admin-api.md is what the table of endpoints says now (`make reference`)."""
    generated = subprocess.run([STRAIT, "explain", "--api-reference"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs/admin-api.md").read_text() == generated


def test_metrics_reference_is_fresh():
    """docs/metrics.md is what the table of metrics says now (`make reference`)."""
    generated = subprocess.run([STRAIT, "explain", "--metrics-reference"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs/metrics.md").read_text() == generated


def test_every_package_in_the_list_exists():
    """The package list has a known group and a purpose for each package, once."""
    rows = [line.split(None, 2) for line in (ROOT / "scripts/packages.txt").read_text().splitlines() if line[:1] != "#"]
    assert all(len(row) == 3 and row[0] in ("build", "test", "bench") for row in rows)
    names = [row[1] for row in rows]
    assert len(names) == len(set(names))
