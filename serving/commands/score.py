"""`score`: answer for every row of a file."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from serving.batch.backend import Backend
from serving.batch.local import Local
from serving.batch.score_file import Counts, Files, score_file
from serving.batch.table import ScoringError
from serving.commands.current import load_current
from serving.config import Settings, read_settings
from serving.model.version_files import MODEL_FILE
from serving.predictor import ServedModel
from serving.store import versions

SCORE_EXAMPLES = """\b
Examples:
  python -m serving score new.parquet --out scored.parquet
  python -m serving score new.csv --out scored.csv --rejects rejects.csv
  python -m serving score new.xlsx --out scored.csv
  python -m serving score new.csv --out scored.parquet --jobs 2 --offline
  python -m serving score new.parquet --out scored.parquet \\
      --backend dask --scheduler tcp://10.0.0.5:8786
"""


@click.command(epilog=SCORE_EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the rows go with their answers: a .csv or a .parquet file.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="A CSV file for the rows that have no answer, each with its number and the reason.",
)
@click.option(
    "--backend",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="This machine's cores, or the workers of a Dask cluster.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Cores to use here; all by default.")
@click.option("--scheduler", help="The Dask scheduler's address: tcp://host:8786.")
@click.option("--offline", is_flag=True, help="Answer from the store; do not ask the registry.")
def score(
    file: Path,
    out: Path,
    rejects: Path | None,
    backend: str,
    jobs: int | None,
    scheduler: str | None,
    offline: bool,
) -> int:
    """Score a CSV, Excel or Parquet FILE of any size, in pieces.

    OUT has the columns of FILE and, behind them, label, probability (of more than two classes one
    for each) and warnings. It comes into place once it is complete. Rows that break the contract or
    cannot be read are told on stderr, and have no part in it.

    Ends with 1 where there are such rows and --rejects does not say where to put them.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise click.BadParameter("its name must end in .csv or .parquet.", param_hint="--out")
    if (backend == "dask") != (scheduler is not None):
        raise click.UsageError("--backend dask and --scheduler go together.")
    if scheduler is not None and not re.fullmatch(r"(tcp|tls)://\S+:\d+", scheduler):
        raise click.BadParameter("an address is like tcp://host:8786.", param_hint="--scheduler")
    if scheduler is not None and jobs is not None:
        raise click.UsageError("--jobs is for --backend local: a cluster has its own workers.")
    settings = read_settings()
    served = load_current(settings, offline)
    try:
        return score_with(settings, served, Files(file, out, rejects), scheduler or jobs)
    except ScoringError as error:
        raise click.ClickException(str(error)) from error


def score_with(
    settings: Settings, served: ServedModel, files: Files, where: str | int | None
) -> int:
    """Score a file on a scheduler's workers, or in so many threads here (None: one a core).

    Returns 1 where rows have no answer that `files` names no place for. Raises ScoringError.
    """
    started = time.monotonic()
    with _stop_on_sigterm(), _backend(settings, served, where) as backend:
        counts = score_file(served.scorer.contract, backend, files)
    click.echo(_summary(served, files, counts, time.monotonic() - started), err=True)
    return int(counts.refused > 0 and files.rejects is None)


@contextmanager
def _backend(settings: Settings, served: ServedModel, where: str | int | None) -> Iterator[Backend]:
    if not isinstance(where, str):
        yield Local(served.scorer, where or _cores())
        return
    from serving.batch.cluster import connect

    path = versions.version_dir(settings.store, served.version.digest) / MODEL_FILE
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


def _summary(served: ServedModel, files: Files, counts: Counts, seconds: float) -> str:
    rows, refused = counts
    word = "row" if rows == 1 else "rows"
    done = f"{rows - refused:,} of {rows:,} {word}" if refused else f"{rows:,} {word}"
    line = f"{files.out}: {done} scored by {served.version} in {seconds:.1f} s"
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
