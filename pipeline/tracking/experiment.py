"""A project's two experiments: `<name>` holds its results, `<name>-search` all other runs."""

import getpass
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from pipeline.tracking.address import without_password
from pipeline.tracking.locks import WORKSPACE_TAG, workspace

# What a run is: a result, a search, one of its candidates, a failure, the ledger.
KIND_TAG = "kind"

# The stage's process that a run is of; ids that the system gives come again.
PROCESS_TAG = "process"

FAILURE_TAG = "failed.reason"

ACTOR_TAG = "mlflow.user"  # who made a run

PARENT_TAG = MLFLOW_PARENT_RUN_ID

TEXT_LENGTH = 6000  # of a parameter, the longest that MLflow takes

PAGE = 1000  # runs

REMOTE_WORKERS = 8  # requests to a tracking server under way at once

T = TypeVar("T")

Steps = Mapping[int, float]


@dataclass(frozen=True)
class Tracking:
    """A project's experiments in a tracking store: one for results, one for searches.

    Results compare in MLflow's UI as they stand, since nothing else is in their experiment.
    """

    client: MlflowClient
    experiment_id: str
    search_experiment_id: str
    uri: str
    logged_at: int = field(default_factory=lambda: int(time.time() * 1000))

    @property
    def shown_uri(self) -> str:
        return without_password(self.uri)

    def search(self, query: str) -> list[Run]:
        """Return the runs of both experiments that answer a query, the newest first."""
        found: list[Run] = []
        token = ""
        while True:
            page = self.client.search_runs(
                [*{self.experiment_id, self.search_experiment_id}],
                query,
                max_results=PAGE,
                page_token=token or None,
            )
            found += page
            token = page.token
            if not token:
                return found

    def search_own(self, query: str) -> list[Run]:
        """Return those of this workspace, whose path may hold what a query could not."""
        return [r for r in self.search(query) if r.data.tags.get(WORKSPACE_TAG) == workspace()]

    def new_result(self, name: str, tags: Mapping[str, str]) -> Run:
        """Open a run among the results."""
        return self._create(self.experiment_id, name, tags)

    def new_run(self, name: str, tags: Mapping[str, str], started: int | None = None) -> Run:
        """Open a run that is no result; `started` is in milliseconds since 1970, else now."""
        return self._create(self.search_experiment_id, name, tags, started)

    def _create(
        self, experiment_id: str, name: str, tags: Mapping[str, str], started: int | None = None
    ) -> Run:
        marks = {ACTOR_TAG: actor(), "mlflow.source.name": "dvc.yaml", **tags}
        return self.client.create_run(experiment_id, run_name=name, tags=marks, start_time=started)

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


def shortened(value: str) -> str:
    """Return a text as a run holds it."""
    return value[:TEXT_LENGTH]


def run_name() -> str:
    """Return the DVC experiment's name, empty outside an experiment."""
    return os.environ.get("DVC_EXP_NAME", "")


def actor() -> str:
    """Name who is at work: the user of the tracking server, or of this machine."""
    named = os.environ.get("MLFLOW_TRACKING_USERNAME")
    return named or f"{user()}@{socket.gethostname()}"


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"
