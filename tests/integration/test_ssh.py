# SPDX-License-Identifier: Apache-2.0
"""SSH behind strait: logins, exit codes, and files copied with scp in both directions."""

import hashlib
import os

import pytest

from lab import address_text, program_path
from servers import Sshd

CONFIGURATION = """
service shell {{
    listen {listen}
    to shell
}}
pool shell {{
    server {server}
}}
"""
MEBIBYTE = 1 << 20


def start(strait, lab, front=4, back=4):
    sshd = Sshd(lab.server, [lab.back[4], lab.back[6]])
    strait(lab.proxy, CONFIGURATION.format(listen=address_text(lab.front[front], 2222),
                                           server=address_text(lab.back[back], 22)))
    return sshd


def ssh(lab, sshd, host, *words, **options):
    return lab.client.run(program_path("ssh"), *sshd.options(2222), f"root@{host}", *words, **options)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("front,back", [(4, 4), (6, 6), (4, 6)])
def test_scp(strait, lab, front, back):
    """A random file of 16 MiB copied there and back is the same file."""
    sshd = start(strait, lab, front, back)
    host = f"root@[{lab.front[front]}]"
    original, there, back_again = (lab.directory / name for name in ("original", "there", "back-again"))
    original.write_bytes(os.urandom(16 * MEBIBYTE))
    scp = [program_path("scp"), "-q", *sshd.options(2222)]
    lab.client.run(*scp, original, f"{host}:{there}")
    lab.client.run(*scp, f"{host}:{there}", back_again)
    assert digest(original) == digest(there) == digest(back_again)


def test_command(strait, lab):
    """A command's output, its input's end and its exit code come through."""
    sshd = start(strait, lab)
    result = ssh(lab, sshd, lab.front[4], "cat; echo; exit 42", input="some input", check=False)
    assert (result.returncode, result.stdout) == (42, "some input\n")


def test_output_after_the_end_of_input(strait, lab):
    """What a command says long after its input has ended arrives completely."""
    sshd = start(strait, lab)
    result = ssh(lab, sshd, lab.front[4], "cat >/dev/null; sleep 1; seq 1 200000", input="x" * 100_000)
    assert result.stdout == "".join(f"{i}\n" for i in range(1, 200_001))


def test_clients_see_one_server(strait, lab):
    """The server sees the connection come from strait, on the address it was configured with."""
    sshd = start(strait, lab)
    result = ssh(lab, sshd, lab.front[4], "echo $SSH_CONNECTION")
    source, _, target, port = result.stdout.split()
    assert (source, target, port) == (lab.local[4], lab.back[4], "22")
