"""MLflow runs: for each result of the pipeline exactly one finished run, whatever was cached.

Runs are always named by their id. MLflow's fluent interface would resume whatever run the
environment names, which under `mlflow run` is one and the same for every stage.
"""

import getpass
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import pandas as pd
import requests
from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pipeline.errors import PipelineError, StoreUnreachableError
from pipeline.lineage import project_root

# Sets results apart in the UI from the candidates, of which each brings a hundred.
KIND_TAG = "kind"
FINGERPRINT_TAG = "pipeline.fingerprint"
CANDIDATES_TAG = "search.digest"
SEARCH_RUN_TAG = "search.run_id"
WORKSPACE_TAG = "workspace"
FAILED_STAGE_TAG = "failed.stage"
FAILURE_TAG = "failed.reason"
DESCRIPTION_TAG = "mlflow.note.content"
PARAM_LENGTH = 6000  # the longest that MLflow takes
LOCK_WAIT = 600  # seconds
REMOTE_WORKERS = 8  # requests to a tracking server under way at once

WriteArtifacts = Callable[[Path], None]


@dataclass(frozen=True)
class DatasetRecord:
    """A table that went in: its path, DVC's digest of it, and what it was used for."""

    path: Path
    digest: str
    context: str
    rows: int
    columns: Sequence[str]


@dataclass(frozen=True)
class RunRecord:
    """All that a finished run shows. `candidates` are rows of `cv_results.csv`."""

    fingerprint: str
    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: Sequence[DatasetRecord]
    candidates: pd.DataFrame
    candidates_digest: str


@dataclass(frozen=True)
class Tracking:
    """An experiment in a tracking store."""

    client: MlflowClient
    experiment_id: str
    uri: str
    logged_at: int = field(default_factory=lambda: int(time.time() * 1000))

    @property
    def shown_uri(self) -> str:
        return _without_password(self.uri)


def tracking_uri() -> str:
    """Give the store's address: MLFLOW_TRACKING_URI, or mlflow.db in the project.

    A relative sqlite file is taken from the project's folder, so that an experiment in DVC's
    temporary copy logs to the one store.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    prefix = "sqlite:///"
    if uri.startswith(prefix) and not uri.startswith(prefix + "/"):
        return f"{prefix}{project_root() / uri.removeprefix(prefix)}"
    return uri


@contextmanager
def open_tracking(experiment: str) -> Iterator[Tracking]:
    """Open the experiment, creating it at first use, and keep others of this project out meanwhile.

    Raises PipelineError where the store does not answer, or another process holds it too long.
    """
    uri = tracking_uri()
    with _exclusive(project_root() / ".dvc" / "tmp"):
        try:
            # For the whole process: MLflow resolves models:/ addresses by it, whatever the client.
            mlflow.set_tracking_uri(uri)
            _create_whole(uri)
            client = MlflowClient(uri)
            yield Tracking(client, _experiment_id(client, experiment, uri), uri)
        except (MlflowException, SQLAlchemyError) as error:
            raise _translated(uri, error) from error


def ensure_run(
    tracking: Tracking, record: RunRecord, write_artifacts: WriteArtifacts
) -> tuple[str, bool]:
    """Give the id of the finished run for the record's fingerprint, and whether it is new.

    Leftovers of an interrupted attempt in this workspace are marked KILLED and not used. Where the
    search came from a cache its candidates are linked, and logged where no finished run has them.
    """
    for run in _search(tracking, f"tags.`{FINGERPRINT_TAG}` = '{record.fingerprint}'"):
        if run.info.status == "FINISHED":
            _ensure_candidates(tracking, run.info.run_id, record)
            return run.info.run_id, False
        if run.info.status == "RUNNING" and run.data.tags.get(WORKSPACE_TAG) == _workspace():
            _kill(tracking, run.info.run_id)
    return _create_run(tracking, record, write_artifacts), True


def record_failure(
    experiment: str, *, stage: str, reason: str, details: str, params: Mapping[str, str]
) -> None:
    """Leave a run marked FAILED that says which stage failed and why."""
    with open_tracking(experiment) as tracking:
        tags = {KIND_TAG: "failure", FAILED_STAGE_TAG: stage, FAILURE_TAG: reason[:PARAM_LENGTH]}
        tags[DESCRIPTION_TAG] = f"**{stage} failed.**\n\n```\n{reason}\n```"
        run_id = _new_run(tracking, run_name() or f"failed {stage}", tags)
        tracking.client.log_batch(run_id, params=_params(params))
        if details:
            tracking.client.log_text(run_id, details, "traceback.txt")
        tracking.client.set_terminated(run_id, "FAILED")


def run_name() -> str:
    """Give the DVC experiment's name, empty outside an experiment."""
    return os.environ.get("DVC_EXP_NAME", "")


def _create_run(tracking: Tracking, record: RunRecord, write_artifacts: WriteArtifacts) -> str:
    client = tracking.client
    tags = {
        **record.tags,
        KIND_TAG: "result",
        FINGERPRINT_TAG: record.fingerprint,
        WORKSPACE_TAG: _workspace(),
    }
    run_id = _new_run(tracking, record.name, tags)
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as aside:
        written = aside.submit(write_artifacts, Path(folder))
        client.log_batch(
            run_id, metrics=_metrics(tracking, record.metrics), params=_params(record.params)
        )
        client.log_inputs(run_id, [_dataset_input(dataset) for dataset in record.datasets])
        _ensure_candidates(tracking, run_id, record)
        written.result()
        client.log_artifacts(run_id, folder)
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _ensure_candidates(tracking: Tracking, run_id: str, record: RunRecord) -> None:
    """Name the finished run that has the candidates; where there is none, log them here."""
    digest = record.candidates_digest
    finished = _search(
        tracking, f"tags.`{CANDIDATES_TAG}` = '{digest}' and attributes.status = 'FINISHED'"
    )
    if finished:
        search_run_id = finished[-1].info.run_id
    else:
        _log_candidates(tracking, run_id, record.candidates)
        tracking.client.set_tag(run_id, CANDIDATES_TAG, digest)
        search_run_id = run_id
    tracking.client.set_tag(run_id, SEARCH_RUN_TAG, search_run_id)


def _kill(tracking: Tracking, run_id: str) -> None:
    """Mark a run that nobody carries on, and the candidate that it was at."""
    unfinished = _search(
        tracking, f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}' and attributes.status = 'RUNNING'"
    )
    for left in (run_id, *(run.info.run_id for run in unfinished)):
        tracking.client.set_terminated(left, "KILLED")


def _log_candidates(tracking: Tracking, parent_id: str, candidates: pd.DataFrame) -> None:
    """Log each candidate of the search as a nested run."""
    client = tracking.client
    scores = [
        name for name in candidates.columns if name.startswith(("split", "mean", "median", "std"))
    ]

    def log(candidate: dict[str, Any]) -> None:
        C, gamma = candidate["param_C"], candidate["param_gamma"]
        run_id = _new_run(
            tracking,
            f"C={C:g} gamma={gamma:g}",
            {KIND_TAG: "candidate", MLFLOW_PARENT_RUN_ID: parent_id},
        )
        metrics = {candidate_metric(name): candidate[name] for name in scores}
        metrics["rank"] = candidate["rank_test_score"]
        client.log_batch(
            run_id,
            metrics=_metrics(tracking, metrics),
            params=_params({"C": str(C), "gamma": str(gamma)}),
        )
        client.set_terminated(run_id, "FINISHED")

    # sqlite takes one writer at a time; a server takes several requests.
    workers = 1 if tracking.uri.startswith("sqlite") else REMOTE_WORKERS
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(log, candidates.to_dict("records")))


def candidate_metric(column: str) -> str:
    """Name a column of the search's results as a metric: cv_roc_auc_median, cv_roc_auc_fold0."""
    return "cv_roc_auc_" + column.removesuffix("_test_score").replace("split", "fold")


def _translated(uri: str, error: Exception) -> PipelineError:
    link: BaseException | None = error
    while link is not None:
        away = isinstance(link, OperationalError) and not uri.startswith("sqlite")
        if away or isinstance(link, ConnectionError | requests.ConnectionError):
            return StoreUnreachableError(
                f"the tracking server at {_without_password(uri)} does not answer: start it, "
                "or unset MLFLOW_TRACKING_URI to track in this folder; then run `dvc repro` again"
            )
        link = link.__cause__ or link.__context__
    what = " ".join(str(error).split()).partition(" [SQL:")[0]
    return PipelineError(f"the tracking store at {_without_password(uri)} failed: {what}")


def _without_password(uri: str) -> str:
    return re.sub(r"://[^@/]*@", "://***@", uri)


def _create_whole(uri: str) -> None:
    """Create a sqlite store beside its place and rename it into it.

    One that was interrupted half-way, MLflow neither completes nor uses.
    """
    path = Path(uri.removeprefix("sqlite:///").partition("?")[0])
    if not uri.startswith("sqlite:///") or path.exists():
        return
    partial = path.with_name(f".{path.name}.partial")
    for leftover in path.parent.glob(f"{partial.name}*"):
        leftover.unlink()
    MlflowClient(f"sqlite:///{partial}").search_experiments(max_results=1)
    partial.replace(path)


def _experiment_id(client: MlflowClient, name: str, uri: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)
    # A local store keeps artifacts in the project; a server knows its own place.
    location = (project_root() / "mlruns" / name).as_uri() if uri.startswith("sqlite") else None
    tags = {"mlflow.experimentKind": "custom_model_development"}  # how the UI lays it out
    return str(client.create_experiment(name, artifact_location=location, tags=tags))


def _search(tracking: Tracking, query: str) -> list[Run]:
    return list(tracking.client.search_runs([tracking.experiment_id], query))


def _new_run(tracking: Tracking, name: str, tags: Mapping[str, str]) -> str:
    run = tracking.client.create_run(
        tracking.experiment_id,
        run_name=name,
        tags={"mlflow.user": _user(), "mlflow.source.name": "dvc.yaml", **tags},
    )
    return str(run.info.run_id)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"


def _params(params: Mapping[str, str]) -> list[Param]:
    return [Param(key, value[:PARAM_LENGTH]) for key, value in params.items()]


def _metrics(tracking: Tracking, metrics: Mapping[str, float]) -> list[Metric]:
    return [Metric(key, float(value), tracking.logged_at, 0) for key, value in metrics.items()]


def _dataset_input(record: DatasetRecord) -> DatasetInput:
    schema = {"mlflow_colspec": [{"type": "double", "name": name} for name in record.columns]}
    dataset = Dataset(
        name=record.path.name,
        digest=record.digest,
        source_type="local",
        source=json.dumps({"uri": record.path.as_posix()}),
        schema=json.dumps(schema),
        profile=json.dumps({"num_rows": record.rows}),
    )
    return DatasetInput(dataset, tags=[InputTag("mlflow.data.context", record.context)])


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold the project's lock, saying on standard error who has it where one must wait."""
    folder.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(folder / "tracking.lock"), folder / "tracking.holder"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for {_holder(holder)}, which is tracking its results", file=sys.stderr)
        try:
            lock.acquire(timeout=LOCK_WAIT)
        except Timeout as error:
            raise PipelineError(
                f"{_holder(holder)} has held {lock.lock_file} for {LOCK_WAIT} s: "
                "end it, then run this again"
            ) from error
    try:
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        lock.release()


def _workspace() -> str:
    return f"{socket.gethostname()}:{project_root()}"


def _holder(path: Path) -> str:
    return path.read_text() if path.exists() else "another process"
