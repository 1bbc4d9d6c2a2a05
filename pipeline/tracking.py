"""The tracking store: where it is, how it is opened, and how runs are written there.

Runs are always named by their id. MLflow's fluent interface would resume whatever run the
environment names, which under `mlflow run` is one and the same for every stage.
"""

import getpass
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pipeline.errors import PipelineError, StoreUnreachableError
from pipeline.lineage import project_root
from pipeline.locks import WORKSPACE_TAG, exclusive, workspace
from pipeline.moved import Move, find_move

# Sets results apart in the UI from the candidates, of which each brings a hundred.
KIND_TAG = "kind"
# The stage's process that a run is of; ids that the system gives come again.
PROCESS_TAG = "process"
FAILURE_TAG = "failed.reason"
PARENT_TAG = MLFLOW_PARENT_RUN_ID
TEXT_LENGTH = 6000  # of a parameter, the longest that MLflow takes
PAGE = 1000  # runs
REMOTE_WORKERS = 8  # requests to a tracking server under way at once

T = TypeVar("T")
Steps = Mapping[int, float]


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

    def search(self, query: str) -> list[Run]:
        """Give the runs that answer a query, the newest first."""
        found: list[Run] = []
        token = ""
        while True:
            page = self.client.search_runs(
                [self.experiment_id], query, max_results=PAGE, page_token=token or None
            )
            found += page
            token = page.token
            if not token:
                return found

    def search_own(self, query: str) -> list[Run]:
        """Give those of this workspace, whose path may hold what a query could not."""
        return [r for r in self.search(query) if r.data.tags.get(WORKSPACE_TAG) == workspace()]

    def new_run(self, name: str, tags: Mapping[str, str], started: int | None = None) -> Run:
        """Open a run; `started` is in milliseconds since 1970, without it now."""
        marks = {"mlflow.user": user(), "mlflow.source.name": "dvc.yaml", **tags}
        return self.client.create_run(
            self.experiment_id, run_name=name, tags=marks, start_time=started
        )

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        series: Mapping[str, Steps] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log to a run what is given; `series` are metrics by step."""
        at_steps = {**{k: {0: v} for k, v in (metrics or {}).items()}, **(series or {})}
        self.client.log_batch(
            run_id,
            params=[Param(key, shortened(value)) for key, value in (params or {}).items()],
            metrics=[
                Metric(key, float(value), self.logged_at, step)
                for key, steps in at_steps.items()
                for step, value in steps.items()
            ],
            tags=[RunTag(key, value) for key, value in (tags or {}).items()],
        )

    def end(self, run_id: str, status: str) -> None:
        """End a run, and the nested runs that were left unfinished."""
        query = f"tags.`{PARENT_TAG}` = '{run_id}' and attributes.status = 'RUNNING'"
        for nested in self.search(query):
            self.client.set_terminated(nested.info.run_id, "KILLED")
        self.client.set_terminated(run_id, status)

    def each(self, do: Callable[[T], object], items: Iterable[T]) -> None:
        """Do something for each: a server takes several requests, sqlite one writer at a time."""
        if self.uri.startswith("sqlite"):
            for item in items:
                do(item)
        else:
            with ThreadPoolExecutor(REMOTE_WORKERS) as pool:
                list(pool.map(do, items))


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
def open_tracking(
    experiment: str, *, quiet: bool = False, create: bool = True
) -> Iterator[Tracking]:
    """Open the experiment, creating it at first use, and keep others of this project out meanwhile.

    With `quiet` nothing is said where others must be waited for. Without `create` nothing is made.

    Raises PipelineError where the store does not answer, or another process holds it too long, or
    there is no such experiment and none is to be made.
    """
    uri = tracking_uri()
    if not create and not exists(experiment, uri):
        raise PipelineError(
            f"the tracking store at {_without_password(uri)} has nothing of {experiment}: "
            "run `dvc repro` first"
        )
    with exclusive(quiet=quiet), _told(uri):
        # For the whole process: MLflow resolves models:/ addresses by it, whatever the client.
        mlflow.set_tracking_uri(uri)
        _create_whole(uri)
        client = MlflowClient(uri)
        yield Tracking(client, _experiment_id(client, experiment, uri), uri)


def project_move(experiment: str) -> Move | None:
    """Say from where the project was moved, if the store does not know of it."""
    uri = tracking_uri()
    if not exists(experiment, uri):
        return None
    with _told(uri):
        found = MlflowClient(uri).get_experiment_by_name(experiment)
        return find_move(found.artifact_location, _sqlite_file(uri)) if found else None


def warm_up() -> None:
    """Connect to the store, which takes its time only once in a process."""
    uri = tracking_uri()
    with exclusive(quiet=True), _told(uri):
        _create_whole(uri)
        MlflowClient(uri).search_experiments(max_results=1)


def shortened(value: str) -> str:
    """Give a text as a run holds it."""
    return value[:TEXT_LENGTH]


def agrees(run: Run, params: Mapping[str, str]) -> bool:
    """Say whether all parameters of a run that are named here have these values."""
    return all(run.data.params.get(k, shortened(v)) == shortened(v) for k, v in params.items())


def run_name() -> str:
    """Give the DVC experiment's name, empty outside an experiment."""
    return os.environ.get("DVC_EXP_NAME", "")


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Say in a sentence what a store's library raises."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise _translated(uri, error) from error


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


def exists(experiment: str, uri: str = "") -> bool:
    """Say whether there is a store that has this experiment; nothing is made."""
    uri = uri or tracking_uri()
    path = _sqlite_file(uri)
    if path is not None and not path.exists():
        return False
    with _told(uri):
        return MlflowClient(uri).get_experiment_by_name(experiment) is not None


def _sqlite_file(uri: str) -> Path | None:
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix).partition("?")[0]) if uri.startswith(prefix) else None


def _create_whole(uri: str) -> None:
    """Create a sqlite store beside its place and rename it into it.

    One that was interrupted half-way, MLflow neither completes nor uses.
    """
    path = _sqlite_file(uri)
    if path is None or path.exists():
        return
    partial = path.with_name(f".{path.name}.partial")
    for leftover in path.parent.glob(f"{partial.name}*"):
        leftover.unlink()
    MlflowClient(f"sqlite:///{partial}").search_experiments(max_results=1)
    partial.replace(path)


def _experiment_id(client: MlflowClient, name: str, uri: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        if move := find_move(experiment.artifact_location, _sqlite_file(uri)):
            raise StoreUnreachableError(
                f"the project was moved or copied from {move.before}, and its tracking store still "
                "names files there: `python -m pipeline doctor --fix` corrects it"
            )
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)
    # A local store keeps artifacts in the project; a server knows its own place.
    location = (project_root() / "mlruns" / name).as_uri() if uri.startswith("sqlite") else None
    tags = {"mlflow.experimentKind": "custom_model_development"}  # how the UI lays it out
    return str(client.create_experiment(name, artifact_location=location, tags=tags))


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"
