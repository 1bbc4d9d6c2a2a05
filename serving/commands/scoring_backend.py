"""Where `score` answers: threads of this process, or the workers of a Dask cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.batch.backend import Backend
from serving.batch.explaining import Explaining
from serving.batch.local import Local
from serving.batch.table import ScoringError
from serving.config import Settings
from serving.model.version_files import EXPLANATION_FILE, MODEL_FILE
from serving.predictor import ServedModel
from serving.store import versions


@contextmanager
def open_backend(
    settings: Settings,
    served: ServedModel,
    where: str | int | None,
    explaining: Explaining | None,
) -> Iterator[Backend]:
    """Open so many threads here (None: one a core), or the workers of a scheduler."""
    if not isinstance(where, str):
        yield Local(served.scorer, where or _cores(), explaining)
        return
    from serving.batch.cluster import connect

    folder = versions.version_dir(settings.store, served.version.digest)
    model = _read(folder / MODEL_FILE)
    explanation = b"" if explaining is None else _read(folder / EXPLANATION_FILE)
    with connect(where, served.scorer.contract, model, explaining, explanation) as cluster:
        yield cluster


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ScoringError(f"{path} cannot be read: {error.strerror}.") from error


def explaining_cost(seconds: float, backend: Backend) -> str:
    """Return what explanations take, which is much more than answers do."""
    cores = "one core" if backend.threads == 1 else f"{backend.threads} cores"
    rows = float(f"{60 * backend.threads / seconds:.2g}")
    return (
        f"Explanations take about {1000 * seconds:.2g} ms a row and core: on {cores} about "
        f"{rows:,.0f} rows a minute."
    )


def _cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
