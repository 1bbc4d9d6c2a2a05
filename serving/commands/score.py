"""`score`: answer for every row of a file."""

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from serving.batch.explaining import Explaining
from serving.batch.score_file import Counts, Files, score_file
from serving.batch.table import ScoringError
from serving.commands.current import load_current
from serving.commands.scoring_backend import explaining_cost, open_backend
from serving.config import Settings, read_settings
from serving.explanations import class_place, explainer_of
from serving.predictor import ServedModel

SCORE_EXAMPLES = """\b
Examples:
  python -m serving score new.parquet --out scored.parquet
  python -m serving score new.csv --out scored.csv --rejects rejects.csv
  python -m serving score new.xlsx --out scored.csv
  python -m serving score new.csv --out scored.csv --explain
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
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Add columns: how much each feature raises or lowers the log-odds. Takes far longer.",
)
@click.option(
    "--class",
    "class_name",
    help="The class to explain: the positive one by default, of more than two the predicted one.",
)
def score(
    file: Path,
    out: Path,
    rejects: Path | None,
    backend: str,
    jobs: int | None,
    scheduler: str | None,
    offline: bool,
    explained: bool,
    class_name: str | None,
) -> int:
    """Score a CSV, Excel or Parquet FILE of any size, in pieces.

    OUT has the columns of FILE and, behind them, label, probability (of more than two classes one
    for each) and warnings; with --explain also base and contribution_<feature>, which add up to the
    log-odds of a class. It comes into place once it is complete. Rows that break the contract or
    cannot be read are told on stderr, and have no part in it.

    Ends with 1 where there are such rows and --rejects does not say where to put them.
    """
    _check_options(out, backend, jobs, scheduler)
    if class_name is not None and not explained:
        raise click.UsageError("--class is for explanations: give --explain as well.")
    settings = read_settings()
    served = load_current(settings, offline)
    explaining = _explaining(served, class_name) if explained else None
    files = Files(file, out, rejects)
    try:
        return score_with(settings, served, files, scheduler or jobs, explaining)
    except ScoringError as error:
        raise click.ClickException(str(error)) from error


def _check_options(out: Path, backend: str, jobs: int | None, scheduler: str | None) -> None:
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise click.BadParameter("its name must end in .csv or .parquet.", param_hint="--out")
    if (backend == "dask") != (scheduler is not None):
        raise click.UsageError("--backend dask and --scheduler go together.")
    if scheduler is not None and not re.fullmatch(r"(tcp|tls)://\S+:\d+", scheduler):
        raise click.BadParameter("an address is like tcp://host:8786.", param_hint="--scheduler")
    if scheduler is not None and jobs is not None:
        raise click.UsageError("--jobs is for --backend local: a cluster has its own workers.")


def _explaining(served: ServedModel, class_name: str | None) -> Explaining:
    contract = served.scorer.contract
    return Explaining(explainer_of(served), contract, class_place(contract, class_name))


def score_with(
    settings: Settings,
    served: ServedModel,
    files: Files,
    where: str | int | None,
    explaining: Explaining | None = None,
) -> int:
    """Score a file on a scheduler's workers, or in so many threads here (None: one a core).

    Returns 1 where rows have no answer that `files` names no place for. Raises ScoringError.
    """
    started = time.monotonic()
    with _stop_on_sigterm(), open_backend(settings, served, where, explaining) as backend:
        if explaining is not None:
            click.echo(explaining_cost(explaining.seconds_a_row(), backend), err=True)
        explained = explaining is not None
        counts = score_file(served.scorer.contract, backend, files, explained=explained)
    click.echo(_summary(served, files, counts, time.monotonic() - started), err=True)
    return int(counts.refused > 0 and files.rejects is None)


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
