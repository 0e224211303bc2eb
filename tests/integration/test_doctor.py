# SPDX-License-Identifier: Apache-2.0
"""`strait doctor`: what it finds in a system, and that it touches nothing; and what `strait check` says of it."""

import json

import pytest

from daemon import strait, strait_path
from lab import program_path

CONFIGURATION = """
service web {{
    listen 127.0.0.1:{port}
    to web
}}
pool web {{
    check none
    {pool}
    server 10.2.0.2:9000
}}
"""


def write(lab, port=8000, pool=""):
    path = lab.directory / "strait.conf"
    path.write_text(CONFIGURATION.format(port=port, pool=pool))
    return path


def doctor(place, *words, through=()):
    result = place.run(*through, strait_path(), "doctor", "-o", "json", *words, check=False)
    assert result.stderr == "" and result.returncode in (0, 1), result.stderr
    report = json.loads(result.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert report["findings"] == sum(check["verdict"] == "finding" for check in checks.values())
    assert result.returncode == (1 if report["findings"] else 0)
    return checks


def set_value(place, name, value):
    place.run("sh", "-c", f"echo '{value}' > /proc/sys/{name.replace('.', '/')}")


@pytest.mark.parametrize("name,value,state", [
    ("net.ipv4.tcp_syncookies", "0", "0"),
    ("net.core.somaxconn", "100", "100"),
    ("net.ipv4.ip_local_port_range", "40000 41000", "40000-41000"),
])
def test_settings(lab, name, value, state):
    """A setting that is not as it should be is a finding, and its fix is what helps."""
    assert doctor(lab.proxy)[name]["verdict"] == "ok"
    set_value(lab.proxy, name, value)
    found = doctor(lab.proxy)[name]
    assert (found["verdict"], found["state"]) == ("finding", state)
    lab.proxy.run("sh", "-c", found["fix"].partition(",")[0].replace("sysctl", program_path("sysctl")))
    assert doctor(lab.proxy)[name]["verdict"] == "ok"


def test_text(lab):
    """For people, each thing has a line, findings say what to do, and the last line counts them."""
    before = strait(lab.proxy, "doctor").stdout
    set_value(lab.proxy, "net.ipv4.tcp_syncookies", 0)
    set_value(lab.proxy, "net.ipv4.tcp_max_syn_backlog", 128)
    result = strait(lab.proxy, "doctor")
    assert result.returncode == 1
    assert "finding  net.ipv4.tcp_syncookies" in result.stdout
    assert "fix: sysctl -w net.ipv4.tcp_syncookies=1" in result.stdout
    count = int(before.splitlines()[-1].split()[0])
    assert result.stdout.splitlines()[-1] == f"{count + 2} findings"


def test_configuration(lab):
    """With a configuration it looks at what that needs: capabilities, and the marks of what comes back."""
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
              "--")
    lab.directory.chmod(0o755)
    path = write(lab, 443)
    assert doctor(lab.proxy, "-c", path)["CAP_NET_BIND_SERVICE"]["verdict"] == "ok"
    found = doctor(lab.proxy, "-c", path, through=nobody)
    assert found["CAP_NET_BIND_SERVICE"]["verdict"] == "finding"
    assert found["CAP_NET_ADMIN"]["verdict"] == "ok"
    path = write(lab, pool="source client")
    assert doctor(lab.proxy, "-c", path, through=nobody)["CAP_NET_ADMIN"]["verdict"] == "finding"
    assert doctor(lab.proxy, "-c", path)["net.ipv4.conf.*.rp_filter"]["verdict"] == "ok"
    set_value(lab.proxy, "net.ipv4.conf.wire2.src_valid_mark", 1)
    found = doctor(lab.proxy, "-c", path)["net.ipv4.conf.*.rp_filter"]
    assert found["verdict"] == "finding" and "wire2" in found["detail"]


def test_bad_configuration(lab):
    path = lab.directory / "bad.conf"
    path.write_text("servise web {\n}\n")
    result = strait(lab.proxy, "doctor", "-c", path)
    assert result.returncode == 78 and "unknown directive" in result.stderr and result.stdout == ""


def test_touches_nothing(lab):
    """It opens no socket, and no file but below /proc, for writing none at all (libraries' files apart)."""
    log = lab.directory / "strace"
    calls = "trace=open,openat,creat,socket,connect,bind,io_uring_setup"
    lab.proxy.run(program_path("strace"), "-f", "-o", log, "-e", calls, strait_path(), "doctor", check=False)
    lines = log.read_text().splitlines()
    assert not [line for line in lines if "socket(" in line or "bind(" in line or "io_uring_setup(" in line]
    opened = [line for line in lines if "open" in line and "ENOENT" not in line]
    assert not [line for line in opened if "O_WRONLY" in line or ("O_RDWR" in line and "/dev/null" not in line)]
    assert len([line for line in opened if "/proc/" in line]) > 5


def test_check_warns_of_syncookies(lab):
    """`strait check` warns while SYN cookies are off, where anybody connects over TCP."""
    path = write(lab)
    assert strait(lab.proxy, "check", "--strict", "-c", path).returncode == 0
    set_value(lab.proxy, "net.ipv4.tcp_syncookies", 0)
    result = strait(lab.proxy, "check", "-c", path)
    assert result.returncode == 0 and "SYN cookies are off" in result.stderr
    assert strait(lab.proxy, "check", "--strict", "-c", path).returncode == 78
    path.write_text(path.read_text().replace("listen ", "listen udp "))
    assert strait(lab.proxy, "check", "--strict", "-c", path).returncode == 0
