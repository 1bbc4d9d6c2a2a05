"""Locks: one process at a time on the tracking store, one owner for each run."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import PipelineError
from pipeline.files import project_root

LOCK_WAIT = 600  # seconds
WORKSPACE_TAG = "workspace"  # of a run: the project that may go on with it, or end it
LOCKS = Path("/proc/locks")  # of Linux
SHORT_WAIT = 1  # seconds, in which a batch of candidates is logged


def workspace(root: Path | None = None) -> str:
    """Name a project on this machine, this one if no folder is given.

    Experiments in temporary copies are of the project.
    """
    return f"{socket.gethostname()}:{root or project_root()}"


@contextmanager
def exclusive(*, quiet: bool = False) -> Iterator[None]:
    """Hold the project's lock, saying on standard error who has it where one must wait long."""
    folder = _folder()
    lock, holder = FileLock(folder / "tracking.lock"), folder / "tracking.holder"
    try:
        lock.acquire(timeout=SHORT_WAIT)
    except Timeout:
        if not quiet:
            print(f"waiting for {_holder(holder)}, which is tracking its results", file=sys.stderr)
        try:
            lock.acquire(timeout=LOCK_WAIT)
        except Timeout as error:
            raise PipelineError(
                f"{_holder(holder)} has held {lock.lock_file} for {LOCK_WAIT} s: "
                "end it, then run this again"
            ) from error
    try:
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        lock.release()


class Ownership:
    """The right to go on with a run, which ends with the process that has it.

    To be taken and given up under the project's lock.
    """

    def __init__(self, run_id: str) -> None:
        self._lock = FileLock(_folder() / f"tracking.{run_id}")

    def take(self) -> bool:
        """True if it is ours now; it is not while the process that has it lives."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def give_up(self) -> None:
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


def holder_of(file: Path) -> str:
    """Name the process that has a file locked; Linux alone can tell which."""
    status = file.stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with suppress(OSError):
        for lock in LOCKS.read_text(encoding="ascii").splitlines():
            _, kind, _, access, pid, where, *_ = lock.split()
            if (kind, access, where) == ("POSIX", "WRITE", device):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
                return f"process {pid} ({' '.join(command.split(chr(0))).strip()[:80]})"
    return "another process"


def _folder() -> Path:
    folder = project_root() / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _holder(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else "another process"
