"""Try a version in a process of its own, with limits of time and memory.

    python -m serving.following.trial FOLDER DIGEST MEMORY SECONDS

What a graph does nobody knows before it runs: it may never end, take all memory, or end its
process. The version is loaded by the very function that a worker loads it with.
"""

import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import NamedTuple

from serving.console import run_command
from serving.model.version_files import ModelError, files_in
from serving.predictor import load_model

PROJECT = Path(__file__).resolve().parents[2]  # where Python finds this module
REFUSED, UNREADABLE = 3, 4  # exit codes, with the reason on stdout

_good: set[tuple[str, str]] = set()  # digests of models and of all their files


class Limits(NamedTuple):
    """The most that loading a version may take: bytes and seconds."""

    memory: int
    seconds: float


def check(directory: Path, digest: str, limits: Limits) -> None:
    """Try a version, unless these very files were found good before; raise as `run` does."""
    files = _digest_of_files(directory)
    if files and (digest, files) in _good:
        return
    run(directory, digest, limits)
    _good.add((digest, files))


def run(directory: Path, digest: str, limits: Limits) -> None:
    """Raise ModelError for a version that no worker could load, or not within the limits.

    Raises OSError where the machine is the reason, and RuntimeError where the trial itself fails.
    """
    place = str(directory.resolve())
    command = [sys.executable, "-m", __name__, place, digest, *map(str, limits)]
    try:
        done = run_command(command, PROJECT, seconds=limits.seconds)
    except subprocess.TimeoutExpired as error:
        raise ModelError(_too_slow(limits)) from error
    _judge(done.returncode, done.stdout.strip(), done.stderr, limits)


def _judge(code: int, reason: str, trace: str, limits: Limits) -> None:
    if code == REFUSED:
        raise ModelError(reason)
    if code == UNREADABLE:
        raise OSError(reason)
    if code == -signal.SIGXCPU:
        raise ModelError(_too_slow(limits))
    if code < 0:
        raise ModelError(f"it ends the process that loads it ({signal.Signals(-code).name})")
    if code:
        raise RuntimeError(f"a version could not be tried: {trace[-500:]}")


def _too_slow(limits: Limits) -> str:
    return (
        f"it does not load and answer its golden rows within {limits.seconds:g} seconds "
        "(SERVING_LOAD_TIMEOUT)"
    )


def _digest_of_files(directory: Path) -> str:
    """Return one digest of all files, empty where one of them cannot be read."""
    try:
        parts = [sha256(path.read_bytes()).digest() for path in files_in(directory)]
    except OSError:
        return ""
    return sha256(b"".join(parts)).hexdigest()


def limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit of this process, as far as the one that the machine sets lets it be."""
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(kind, (soft, hard))


def main(argv: Sequence[str]) -> int:
    directory, digest, memory, seconds = argv
    most, time = int(memory), ceil(float(seconds)) + 1
    limit(resource.RLIMIT_DATA, most, most)
    # Should the follower be killed meanwhile, this ends the trial.
    limit(resource.RLIMIT_CPU, time, time + 1)
    limit(resource.RLIMIT_CORE, 0, 0)
    try:
        load_model(Path(directory), digest)
    except MemoryError:
        print(f"it takes more than {most:,} bytes of memory (SERVING_LOAD_MEMORY)")
        return REFUSED
    except ModelError as error:
        print(error)
        return REFUSED
    except OSError as error:
        print(error)
        return UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
