"""The run of a search, under which its candidates appear while it runs.

It is opened when the search starts, or re-opened where an earlier attempt at the same search was
cut off; when the search is complete it waits for `register` to make it the run of the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pandas as pd

from pipeline import candidates
from pipeline.candidates import Candidate, Pair
from pipeline.lineage import git_commit
from pipeline.locks import Ownership, workspace
from pipeline.tracking import (
    FAILURE_TAG,
    KIND_TAG,
    PROCESS_TAG,
    WORKSPACE_TAG,
    Steps,
    Tracking,
    agrees,
    run_name,
)

KEY_TAG = "search.key"  # of what the search is a function
CANDIDATES_TAG = "search.digest"  # of its results, where all of its candidates are logged
SEARCH_RUN_TAG = "search.run_id"
SEARCHES = f"tags.{KIND_TAG} = 'search'"
SUMMARY = ("cv_roc_auc_median", "cv_roc_auc_mean", "cv_roc_auc_std")


@dataclass(frozen=True)
class Asked:
    """A search that is to be tracked, and the process that runs it."""

    key: str
    params: Mapping[str, str]
    total: int
    process: str


@dataclass(frozen=True)
class SearchRun:
    """A search's run that is ours to write, and the candidates that it has."""

    run_id: str
    ownership: Ownership
    logged: dict[Pair, str]

    def log(self, tracking: Tracking, found: list[Candidate]) -> None:
        self.logged.update(candidates.log(tracking, self.run_id, found))

    def summarize(
        self, tracking: Tracking, winner: Candidate, curve: Mapping[str, Steps], folder: Path
    ) -> None:
        """Log the winner as the candidates are logged, so that they make one picture."""
        metrics = {name: winner.metrics[name] for name in SUMMARY}
        tracking.log(self.run_id, params=winner.pair.params, metrics=metrics, series=curve)
        tracking.client.log_artifacts(self.run_id, str(folder))

    def finish(self, tracking: Tracking, results: bytes) -> None:
        """Say that all of these results are there."""
        digest = sha256(results).hexdigest()
        tags = {CANDIDATES_TAG: digest, SEARCH_RUN_TAG: self.run_id}
        tracking.log(self.run_id, tags=tags)
        self.end(tracking, "FINISHED")

    def kill(self, tracking: Tracking, reason: str) -> None:
        """Leave the run to the next attempt at the same search."""
        tracking.client.set_tag(self.run_id, FAILURE_TAG, reason)
        self.end(tracking, "KILLED")

    def end(self, tracking: Tracking, status: str) -> None:
        tracking.end(self.run_id, status)
        self.ownership.give_up()


def open_search(tracking: Tracking, asked: Asked) -> SearchRun:
    """Open the run of a search, that of an earlier attempt where there is one."""
    for run_id in end_abandoned(tracking, asked):
        ownership = Ownership(run_id)
        if ownership.take():
            return _reopened(tracking, run_id, ownership, asked)
    commit, changed = git_commit()
    tags = {
        KIND_TAG: "search",
        KEY_TAG: asked.key,
        WORKSPACE_TAG: workspace(),
        PROCESS_TAG: asked.process,
        "search.candidates": str(asked.total),
        "git.commit": commit,
        "git.changed": str(changed).lower(),
    }
    run_id = tracking.new_run(run_name() or f"search {asked.key[:8]}", tags).info.run_id
    ownership = Ownership(run_id)
    ownership.take()
    tracking.log(run_id, params=asked.params)
    return SearchRun(run_id, ownership, {})


def end_abandoned(tracking: Tracking, asked: Asked | None = None) -> list[str]:
    """Mark the searches of this workspace whose process is gone; give those that were asked for."""
    found = []
    for run in tracking.search_own(f"{SEARCHES} and attributes.status != 'FINISHED'"):
        if run.info.status not in ("RUNNING", "KILLED"):
            continue
        run_id = run.info.run_id
        if run.info.status == "RUNNING":
            ownership = Ownership(run_id)
            if not ownership.take():
                continue
            tracking.end(run_id, "KILLED")
            ownership.give_up()
        if asked and run.data.tags.get(KEY_TAG) == asked.key and agrees(run, asked.params):
            found.append(run_id)
    return found


def _reopened(
    tracking: Tracking, run_id: str, ownership: Ownership, asked: Asked
) -> SearchRun:
    candidates.discard_unfinished(tracking, run_id)
    tracking.client.update_run(run_id, status="RUNNING")
    tracking.log(run_id, params=asked.params, tags={PROCESS_TAG: asked.process})
    if FAILURE_TAG in tracking.client.get_run(run_id).data.tags:
        tracking.client.delete_tag(run_id, FAILURE_TAG)
    return SearchRun(run_id, ownership, candidates.logged(tracking, run_id))


def learning_curve(table: bytes) -> dict[str, Steps]:
    """Give the winner's scores as metrics whose steps are the rows that it was trained on."""
    curve = pd.read_csv(BytesIO(table))
    return {
        f"learning_curve_{name}_roc_auc": dict(
            zip(curve["rows"].tolist(), curve[f"{name}_roc_auc_mean"].tolist(), strict=True)
        )
        for name in ("train", "cv")
    }
