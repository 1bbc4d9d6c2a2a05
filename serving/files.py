"""Write files so that each is there whole or not at all, whatever kills its writer."""

import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EISDIR
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def new_file(path: Path, *, private: bool = False, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` in one step if the block ends without an error.

    Until then it lies beside it under a hidden name; what killed writers have left there is
    removed. A file that is replaced keeps its rights, and its owner where that is allowed. A
    `private` one is never for everybody. A `durable` one is on disk when the block has ended.
    """
    target = path.resolve()  # what a link leads to is replaced, not the link
    if target.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))  # now, not once all is written
    _remove_left_behind(target)
    temporary = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    rights = 0o600 if private else 0o666
    file = os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, rights), "wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
        file.flush()
        _take_rights(file, target, 0o770 if private else 0o7777)
        if durable:
            os.fsync(file.fileno())
        temporary.replace(target)
        if durable:
            sync_to_disk(target.parent)
    finally:
        temporary.unlink(missing_ok=True)
        with suppress(OSError):  # of what is left to write if the disk is full
            file.close()


def sync_to_disk(path: Path) -> None:
    """Force a file's content, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_rights(file: BinaryIO, target: Path, mask: int) -> None:
    with suppress(FileNotFoundError):
        before = target.stat()
        os.fchmod(file.fileno(), before.st_mode & mask)
        with suppress(PermissionError):
            os.fchown(file.fileno(), before.st_uid, before.st_gid)


def _remove_left_behind(target: Path) -> None:
    for path in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with suppress(OSError), path.open("rb") as file:
            # Whoever writes a file holds its lock, and loses it only with its life.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
