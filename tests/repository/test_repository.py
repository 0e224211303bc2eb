# SPDX-License-Identifier: Apache-2.0
"""Promises about the tree itself: what a reader may rely on in every file."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STRAIT = ROOT / os.environ.get("STRAIT", "build/strait")
SOURCES = sorted(path for folder in ("src", "bpf", "fuzz", "bench", "tests") for path in (ROOT / folder).rglob("*.[ch]"))
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
    command = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "src", "-I", ROOT]
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


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.conf")), ids=lambda path: path.name)
def test_examples_are_taken(path):
    """With no warning but of what the machine does not allow."""
    result = subprocess.run([STRAIT, "check", "-c", path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert all("descriptors" in line for line in result.stderr.splitlines() if "warning:" in line), result.stderr


def test_every_package_in_the_list_exists():
    """The package list has a known group and a purpose for each package, once."""
    rows = [line.split(None, 2) for line in (ROOT / "scripts/packages.txt").read_text().splitlines() if line[:1] != "#"]
    assert all(len(row) == 3 and row[0] in ("build", "test", "bench") for row in rows)
    names = [row[1] for row in rows]
    assert len(names) == len(set(names))


def test_packages_that_a_command_stands_for(tmp_path):
    """A package that is not wanted where its command is there already is not installed there, and is elsewhere."""
    (tmp_path / "packages.txt").write_text("build there|sh why\nbuild not-there-at-all|no-such-command why\n")
    shutil.copy(ROOT / "scripts/install_packages", tmp_path)
    script = (tmp_path / "install_packages").read_text().replace('"$(id -u)" != 0', "yes = yes")
    (tmp_path / "install_packages").write_text(script)
    result = subprocess.run([tmp_path / "install_packages", "build"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "installing: not-there-at-all\n")


# the dashboard

def embed(mode, tmp_path, path, web=ROOT / "web"):
    """Runs embed_page with a PATH; returns its result and what it wrote."""
    output = tmp_path / "page_files.c"
    result = subprocess.run([ROOT / "scripts/embed_page", mode, web, output, tmp_path / "page_files.d"],
                            capture_output=True, text=True, env={"PATH": path})
    return result, output.read_text() if output.exists() else ""


@pytest.mark.parametrize("mode", ["auto", "disabled"])
def test_without_node_there_is_no_page(tmp_path, mode):
    """Without Node, or when it is not wanted, strait is built all the same."""
    result, text = embed(mode, tmp_path, "/nowhere")
    assert result.returncode == 0
    assert "admin_page_file_count = 0;" in text
    assert ("there is no node" in result.stderr) == (mode == "auto")


def test_a_page_that_is_wanted_must_be_there(tmp_path):
    """With -Ddashboard=enabled a build without Node fails."""
    result, _ = embed("enabled", tmp_path, "/nowhere")
    assert result.returncode == 1
    assert "there is no node" in result.stderr


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node")
def test_page_comes_when_its_modules_do(tmp_path):
    """As long as the modules are missing the build asks for them again; nothing is fetched."""
    web = tmp_path / "web"
    shutil.copytree(ROOT / "web", web, ignore=shutil.ignore_patterns("node_modules", "build"))
    result, text = embed("auto", tmp_path, os.environ["PATH"], web)
    assert (result.returncode, "admin_page_file_count = 0;" in text) == (0, True)
    assert "run scripts/fetch_page_modules" in result.stderr
    assert "node_modules/.package-lock.json" in (tmp_path / "page_files.d").read_text()


@pytest.mark.skipif(not (ROOT / "web/node_modules").exists(), reason="the page's modules are not there")
def test_page_is_the_same_each_time(tmp_path):
    """The same sources make the same bytes, and name all that they were made of."""
    first, text = embed("enabled", tmp_path, os.environ["PATH"])
    assert first.returncode == 0, first.stderr
    (tmp_path / "page_files.c").unlink()
    assert embed("enabled", tmp_path, os.environ["PATH"])[1] == text
    dependencies = (tmp_path / "page_files.d").read_text()
    for path in (ROOT / "web/src").rglob("*.*"):
        assert str(path) in dependencies
    assert "src/base/reason.h" in dependencies


def test_page_modules_are_pinned():
    """What the page is bundled with is named exactly, with checksums; it is little."""
    package = json.loads((ROOT / "web/package.json").read_text())
    lock = json.loads((ROOT / "web/package-lock.json").read_text())
    assert set(package["dependencies"]) == {"esbuild", "preact", "uplot"}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version)
               for version in [*package["dependencies"].values(), *package["devDependencies"].values()])
    assert all(entry.get("integrity", "").startswith("sha512-") for name, entry in lock["packages"].items() if name)
    assert lock["packages"][""]["dependencies"] == package["dependencies"]


def test_page_knows_every_reason():
    """The list of reasons is read from the header whole."""
    header = (ROOT / "src/base/reason.h").read_text().replace("\\\n", " ")
    words = set(re.findall(r'X\([A-Z_]+,\s*"(\w+)"', header))
    found = re.findall(r'X\([A-Z_]+,\s*"(\w+)",\s*(?:true|false),\s*"([^"]+)"\)', header)
    assert {word for word, _ in found} == words and len(words) > 20


def test_page_knows_every_class_of_packets():
    """The list of classes is read from the header whole."""
    header = (ROOT / "bpf/abi.h").read_text().replace("\\\n", " ")
    words = set(re.findall(r'X\([A-Z0-9_]+,\s*"(\w+)"', header))
    found = re.findall(r'X\([A-Z0-9_]+,\s*"(\w+)",\s*"([^"]+)"\)', header)
    assert {word for word, _ in found} == words and len(words) > 20


@pytest.mark.skipif(not shutil.which("npm"), reason="there is no npm")
def test_modules_that_cannot_be_fetched_fail_nothing(tmp_path):
    """Without the registry fetching says so and succeeds, and leaves nothing that looks whole."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "web").mkdir()
    shutil.copy(ROOT / "scripts/fetch_page_modules", tmp_path / "scripts")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "web" / name, tmp_path / "web")
    environment = {**os.environ, "npm_config_registry": "http://127.0.0.1:1/", "npm_config_cache": str(tmp_path / "cache")}
    result = subprocess.run([tmp_path / "scripts/fetch_page_modules"], capture_output=True, text=True, env=environment)
    assert result.returncode == 0
    assert "npm ci failed: strait is built without its dashboard" in result.stderr
    assert not (tmp_path / "web/node_modules/.package-lock.json").exists()
