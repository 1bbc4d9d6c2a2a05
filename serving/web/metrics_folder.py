"""The folder in memory in which the workers share their metrics.

Whoever uses it holds a lock on it, which ends with its process: a folder that nobody holds was left
by a service that was killed. Nothing here imports prometheus_client, whose import fixes where the
metrics are.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own
PREFIX = "serving-shared-metrics-"  # earlier releases, whose folders nobody holds, had another
ROOM = 1 << 20  # bytes; a page of memory that the file system cannot give kills who writes to it


def new_path() -> Path:
    """Return where a service's folder is to be."""
    memory = Path("/dev/shm")
    return (memory if memory.is_dir() else Path(tempfile.gettempdir())) / f"{PREFIX}{uuid4().hex}"


def make(path: Path) -> None:
    """Make the folder, and hold it for as long as this process and those that it forks live."""
    incoming = Path(tempfile.mkdtemp(prefix=".new-", dir=path.parent))
    lock = os.open(incoming, os.O_RDONLY | os.O_DIRECTORY)  # for good: closed, it is let go
    fcntl.flock(lock, fcntl.LOCK_SH)
    try:
        incoming.rename(path)
    except OSError:  # another worker was faster, and its folder is not empty any more
        os.close(lock)
        incoming.rmdir()
        if not path.is_dir():
            raise


def remove_dead(parent: Path) -> None:
    """Remove the folders that nobody holds."""
    for path in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # held, somebody else's, or gone
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def has_room(path: Path) -> bool:
    found = os.statvfs(path)
    # A file system without a limit of its own has no blocks at all.
    return not found.f_blocks or found.f_bavail * found.f_frsize >= ROOM
