"""A tracking store in a file: how it is created, and how it writes."""

import sqlite3
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from sqlalchemy import Engine, event

from pipeline.tracking.address import sqlite_file


def prepare(uri: str) -> None:
    """Let a sqlite store write fast, and create it where it is not there yet."""
    path = sqlite_file(uri)
    if path is None:
        return
    if not event.contains(Engine, "connect", _sync_less):
        event.listen(Engine, "connect", _sync_less)
    if not path.exists():
        _create_whole(path)


def _sync_less(connection: Any, _record: Any) -> None:
    """Wait for the disk at each transaction's critical moments alone.

    A candidate of a search takes six transactions, and waiting most of its time. A killed process
    loses nothing by it; see https://www.sqlite.org/pragma.html#pragma_synchronous of power cuts.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")


def _create_whole(path: Path) -> None:
    """Create a sqlite store beside its place and rename it into it.

    One that was interrupted half-way, MLflow neither completes nor uses.
    """
    partial = path.with_name(f".{path.name}.partial")
    for leftover in path.parent.glob(f"{partial.name}*"):
        leftover.unlink()
    MlflowClient(f"sqlite:///{partial}").search_experiments(max_results=1)
    partial.replace(path)
