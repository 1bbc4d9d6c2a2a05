"""Score a file: read, answer, write, and say what is wrong with the rows that have no answer."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from serving.batch.backend import Backend
from serving.batch.chunk_scoring import Answered
from serving.batch.open_table import open_table
from serving.batch.outputs import OUTPUTS, Output, Rejects, check_fit, output_file
from serving.batch.table import ScoringError, Table
from serving.errors import ServingError
from serving.formats.csv_table import answer_columns
from serving.model.contract import Contract

NAMED = 10  # refused rows that are named one by one
LOG_LINES: dict[str, Any] = {  # of tqdm, without a terminal
    "mininterval": 10,
    "delay": 10,
    "bar_format": "{n_fmt} rows, {percentage:.0f}%, {remaining} left\n",
}


class Files(NamedTuple):
    """A table, where it goes with its answers, and where the rows go that have none."""

    source: Path
    out: Path
    rejects: Path | None = None


class Counts(NamedTuple):
    """The rows of a table, and how many of them have no answer."""

    rows: int
    refused: int


def score_file(
    contract: Contract, backend: Backend, files: Files, *, explained: bool = False
) -> Counts:
    """Score a file into another, which is there once it is complete.

    `explained`: the backend explains its answers. Raises ScoringError, and leaves everything as it
    was, where it cannot be.
    """
    check_files(files)
    with open_table(contract, files.source) as table:
        answers = _answer_columns(contract, files.source, table, explained)
        check_fit(table, files.source, files.out)
        with (
            _output(files.out, table, answers, contract) as out,
            _rejects(files, table) as rejects,
            _progress_bar("explain" if explained else "score") as bar,
        ):
            rows = refused = 0
            for answered, share in backend.answer(table):
                out.write(answered)
                if rejects is not None:
                    rejects.write(answered, rows)
                _name(bar, answered, rows, NAMED - refused)
                rows += answered.rows.num_rows
                refused += len(answered.refused)
                bar.total = round(rows / share)  # a guess, from the share of the file that was read
                bar.update(answered.rows.num_rows)
            out.close()
    return Counts(rows, refused)


def check_files(files: Files) -> None:
    """Raise ScoringError where one file would be written over another."""
    named = [
        ("the file to score", files.source),
        ("--out", files.out),
        ("--rejects", files.rejects),
    ]
    given = [(word, path) for word, path in named if path is not None]
    for (word, path), (other_word, other) in combinations(given, 2):
        if _is_same(path, other):
            raise ScoringError(f"{other_word} is {word}, {other}: name another file.")


def _is_same(path: Path, other: Path) -> bool:
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.resolve() == other.resolve()


def _answer_columns(contract: Contract, source: Path, table: Table, explained: bool) -> list[str]:
    try:
        return answer_columns(contract, table.schema.names, explained=explained)
    except ServingError as error:
        raise ScoringError(f"{source}: {error}") from error


@contextmanager
def _output(path: Path, table: Table, answers: list[str], contract: Contract) -> Iterator[Output]:
    with output_file(path) as file:
        output = OUTPUTS[path.suffix.lower()](path, file, table, answers, contract)
        try:
            yield output
        except BaseException:
            output.abandon()
            raise


@contextmanager
def _rejects(files: Files, table: Table) -> Iterator[Rejects | None]:
    if files.rejects is None:
        yield None
        return
    check_fit(table, files.source, files.rejects.with_suffix(".csv"))
    with output_file(files.rejects) as file:
        yield Rejects(files.rejects, file, table)


def _progress_bar(what: str) -> "tqdm[None]":
    in_log = {} if sys.stderr.isatty() else LOG_LINES
    return tqdm(desc=what, unit=" rows", unit_scale=True, **in_log)


def _name(bar: "tqdm[None]", answered: Answered, before: int, most: int) -> None:
    """Print what is wrong with the first of a part's refused rows."""
    for place in sorted(answered.refused)[: max(0, most)]:
        line = f"row {before + place + 1}: {answered.refused[place]}"
        if sys.stderr.isatty():
            bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)
