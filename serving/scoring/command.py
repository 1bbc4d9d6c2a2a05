"""`python -m serving score`, once its arguments are read."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from serving import store
from serving.answer import Served
from serving.config import Settings
from serving.scorer import MODEL_FILE
from serving.scoring.backend import Backend
from serving.scoring.local import Local
from serving.scoring.progress import Progress, duration
from serving.scoring.run import Counts, Files, score_file
from serving.scoring.tables import ScoringError


def score(settings: Settings, served: Served, files: Files, where: str | int | None) -> int:
    """Score a file on a scheduler's workers, or in so many threads here (None: one a core).

    Returns 1 where rows have no answer that `files` names no place for. Raises ScoringError.
    """
    with _stop_on_sigterm(), _backend(settings, served, where) as backend, Progress() as progress:
        counts = score_file(served.scorer.contract, backend, files, progress)
    click.echo(_summary(served, files, counts, progress.seconds), err=True)
    return int(counts.refused > 0 and files.rejects is None)


@contextmanager
def _backend(settings: Settings, served: Served, where: str | int | None) -> Iterator[Backend]:
    if not isinstance(where, str):
        yield Local(served.scorer, where or _cores())
        return
    from serving.scoring.cluster import connect

    path = store.version_dir(settings.store, served.version.digest) / MODEL_FILE
    try:
        model = path.read_bytes()
    except OSError as error:
        raise ScoringError(f"{path} cannot be read: {error.strerror}.") from error
    with connect(where, served.scorer.contract, model) as cluster:
        yield cluster


def _cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _summary(served: Served, files: Files, counts: Counts, seconds: float) -> str:
    rows, refused = counts
    word = "row" if rows == 1 else "rows"
    done = f"{rows - refused:,} of {rows:,} {word}" if refused else f"{rows:,} {word}"
    line = f"{files.out}: {done} scored by {served.version} in {duration(seconds)}"
    if not refused:
        return f"{line}."
    if files.rejects is not None:
        return f"{line}; {files.rejects} has the {refused:,} without an answer."
    return f"{line}; {refused:,} have no answer (--rejects FILE would keep them, with the reasons)."


@contextmanager
def _stop_on_sigterm() -> Iterator[None]:
    """Let SIGTERM stop a run as Ctrl-C does: with nothing left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
