"""What a gunicorn worker keeps in memory, by /proc."""

import sys
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Memory(NamedTuple):
    """Resident megabytes: all (`rss`), and with what is shared counted in parts (`pss`)."""

    rss: float
    pss: float


def worker_memory(pid: int) -> Memory:
    """Read the memory of the one gunicorn worker below the process `pid`."""
    workers = [child for child in _below(pid) if _is_gunicorn(child) and not _children(child)]
    if len(workers) != 1:
        sys.exit(f"expected one gunicorn worker below process {pid}, found {len(workers)}")
    folder = PROC / str(workers[0])
    return Memory(
        megabytes(folder / "status", "VmRSS:"), megabytes(folder / "smaps_rollup", "Pss:")
    )


def _below(pid: int) -> list[int]:
    children = _children(pid)
    return children + [below for child in children for below in _below(child)]


def _children(pid: int) -> list[int]:
    tasks = (PROC / str(pid) / "task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text(encoding="utf-8").split()]


def _is_gunicorn(pid: int) -> bool:
    return b"gunicorn" in (PROC / str(pid) / "cmdline").read_bytes()


def megabytes(file: Path, key: str) -> float:
    """Return a figure of a file in /proc, which has it in kilobytes."""
    line = next(
        line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith(key)
    )
    return int(line.split()[1]) / 1024
