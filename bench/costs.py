# SPDX-License-Identifier: Apache-2.0
"""What single decisions cost, each measured alone on one thread: costs.py. Builds what it needs in build-release."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = (ROOT / os.environ.get("STRAIT", "build-release/strait")).parent
PROGRAMS = ["guard_costs"]


def main():
    subprocess.run(["ninja", "-C", BUILD, "--quiet", *(f"bench/{p}" for p in PROGRAMS)], check=True)
    for program in PROGRAMS:
        subprocess.run([BUILD / "bench" / program], check=True)


if __name__ == "__main__":
    main()
