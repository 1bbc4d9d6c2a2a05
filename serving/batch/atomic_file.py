"""A file that is there whole or not at all."""

import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EISDIR
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from serving.batch.table import ScoringError


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` in one step once the block has ended well.

    Until then it is beside it under a hidden name. What runs that were killed have left there is
    removed.
    """
    target = path.resolve()  # what a link leads to is replaced, not the link
    temporary = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    with naming(path):
        if target.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))  # now, not once all is written
        _remove_left_behind(target)
        file = temporary.open("xb")
    try:
        with naming(path):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file
        with naming(path):
            _put_in_place(file, temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
        with suppress(OSError):  # of what is left to write where there is no room
            file.close()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Raise with the name of the file that could not be written."""
    try:
        yield
    except OSError as error:
        raise ScoringError(f"{path} cannot be written: {error.strerror or error}.") from error


def _put_in_place(file: BinaryIO, temporary: Path, target: Path) -> None:
    file.flush()
    if target.exists():
        os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
    os.fsync(file.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove_left_behind(target: Path) -> None:
    for path in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with suppress(OSError), path.open("rb") as file:
            # Whoever writes a file holds its lock, and loses it only with its life.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
