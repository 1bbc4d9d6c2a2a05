"""Result runs: for each result of the pipeline exactly one finished run, whatever was cached."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Run

from pipeline.tracking.experiment import (
    FAILURE_TAG,
    KIND_TAG,
    PROCESS_TAG,
    Tracking,
    run_name,
    shortened,
)
from pipeline.tracking.locks import WORKSPACE_TAG, Ownership, workspace
from pipeline.tracking.nested_runs import NestedRun, complete, from_results, log_candidates
from pipeline.tracking.store import open_tracking

RESULT, SEARCH, FAILURE = "result", "search", "failure"
FINGERPRINT_TAG = "pipeline.fingerprint"
# Of a search: the digest of its results. Of a result: the run of its search.
CANDIDATES_TAG = "search.digest"
SEARCH_RUN_TAG = "search.run_id"
NAMES_TAG = "also_named"  # of a result: later experiments that reached it
BETWEEN_NAMES = ", "  # no experiment's name has a space
NAMES_KEPT = 100  # a tag holds no more than thousands of characters
RESULT_RUN_TAG = "result.run_id"  # of a search: the newest result of it
FAILED_STAGE_TAG = "failed.stage"
DESCRIPTION_TAG = "mlflow.note.content"

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
    """All that a finished run shows.

    `candidates` are rows of `cv_results.csv`, scored by `score` on so many folds.
    """

    fingerprint: str
    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: Sequence[DatasetRecord]
    candidates: pd.DataFrame
    candidates_digest: str
    score: str
    n_folds: int
    learning_curve: pd.DataFrame

    def nested_runs(self) -> list[NestedRun]:
        return from_results(self.candidates, self.score, self.n_folds)


def ensure_run(
    tracking: Tracking, record: RunRecord, write_artifacts: WriteArtifacts
) -> tuple[str, bool]:
    """Return the id of the finished run for the record's fingerprint, and whether it is new.

    An experiment that reaches a result which another reached before leaves its name there.

    The run of its search is named by a tag, and made from the results if no finished run has them,
    as after the tracking store was deleted. Leftovers of an interrupted attempt in this workspace
    are deleted: the experiment of results holds finished ones only.
    """
    _end_abandoned(tracking)
    for run in tracking.search(f"tags.`{FINGERPRINT_TAG}` = '{record.fingerprint}'"):
        if run.info.status == "FINISHED":
            _link_search(tracking, run, record)
            _keep_name(tracking, run, run_name())
            return str(run.info.run_id), False
    return _make_result(tracking, record, write_artifacts), True


def record_failure(
    experiment: str,
    *,
    stage: str,
    process: str,
    status: str,
    reason: str,
    details: str,
    params: Mapping[str, str],
) -> None:
    """Leave a run marked FAILED, or KILLED, that says which stage failed and why.

    It is the run that the process opened for its search, where there is one.
    """
    with open_tracking(experiment) as tracking:
        tags = {
            FAILED_STAGE_TAG: stage,
            FAILURE_TAG: shortened(reason),
            DESCRIPTION_TAG: f"**{stage} failed.**\n\n```\n{shortened(reason)}\n```",
        }
        query = f"tags.`{PROCESS_TAG}` = '{process}' and attributes.status != 'FINISHED'"
        for run in tracking.search(query):
            run_id = run.info.run_id
            break
        else:
            name = run_name() or f"failed {stage}"
            run_id = tracking.new_run(name, {KIND_TAG: FAILURE}).info.run_id
            tracking.log(run_id, params=params)
        tracking.log(run_id, tags=tags)
        if details:
            tracking.client.log_text(run_id, details, "traceback.txt")
        tracking.end(run_id, status)


def learning_curve_series(curve: pd.DataFrame) -> dict[str, dict[int, float]]:
    """Return the learning curve as metrics whose steps are the rows trained on."""
    rows = curve["rows"].astype(int).tolist()
    return {
        f"learning_curve_{part}_roc_auc": dict(
            zip(rows, curve[f"{part}_roc_auc_mean"].tolist(), strict=True)
        )
        for part in ("train", "cv")
    }


def winners_metrics(winner: NestedRun, score: str) -> dict[str, float]:
    """Return the figures that a search has of its winner.

    The candidates have them, too: they make one picture.
    """
    names = [*(f"cv_{score}_{statistic}" for statistic in ("median", "mean", "std")), "cv_log_loss"]
    return {name: winner.metrics[name] for name in names if name in winner.metrics}


def names_of(run: Run) -> list[str]:
    """Return a result's names: that of its run, then of later experiments with the same result."""
    kept = run.data.tags.get(NAMES_TAG, "")
    return [str(run.info.run_name), *(kept.split(BETWEEN_NAMES) if kept else [])]


def _keep_name(tracking: Tracking, run: Run, name: str) -> None:
    """Add an experiment's name to a result; of too many the newest are kept."""
    first, *later = names_of(run)
    if name and name not in (first, *later):
        kept = BETWEEN_NAMES.join([*later, name][-NAMES_KEPT:])
        tracking.log(run.info.run_id, tags={NAMES_TAG: kept})


def _end_abandoned(tracking: Tracking) -> None:
    """End the searches of this workspace that no process tracks, and delete its unfinished results.

    They were left so by a store that went away, a `kill -9`, or an interrupted `register`.
    """
    for run in tracking.search_own("attributes.status = 'RUNNING'"):
        kind = run.data.tags.get(KIND_TAG)
        if kind == RESULT:
            tracking.client.delete_run(run.info.run_id)
        elif kind == SEARCH and (owned := Ownership(run.info.run_id)).take():
            owned.give_up()
            tracking.end(run.info.run_id, "KILLED")


def _make_result(tracking: Tracking, record: RunRecord, write_artifacts: WriteArtifacts) -> str:
    """Log the result as a run and return its id; nothing is left of it if that fails."""
    client = tracking.client
    marks = {KIND_TAG: RESULT, WORKSPACE_TAG: workspace()}
    run = tracking.new_result(record.name, marks)
    run_id = str(run.info.run_id)
    try:
        with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as aside:
            written = aside.submit(write_artifacts, Path(folder))
            tracking.log(
                run_id,
                params=record.params,
                metrics=record.metrics,
                series=learning_curve_series(record.learning_curve),
                tags={**record.tags, FINGERPRINT_TAG: record.fingerprint},
            )
            client.log_inputs(run_id, [_dataset_input(dataset) for dataset in record.datasets])
            _link_search(tracking, run, record)
            written.result()
            client.log_artifacts(run_id, folder)
    except BaseException:
        with suppress(Exception):  # the failure itself matters more
            client.delete_run(run_id)
        raise
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _link_search(tracking: Tracking, result: Run, record: RunRecord) -> None:
    """Let a result and the run of its search name each other."""
    query = f"tags.`{CANDIDATES_TAG}` = '{record.candidates_digest}'"
    searches = tracking.search(f"{query} and attributes.status = 'FINISHED'")
    if result.data.tags.get(SEARCH_RUN_TAG) in [run.info.run_id for run in searches]:
        return  # as it was left
    # In a store from before there were two experiments, a result is the run of its search as well.
    own = [run for run in searches if run.data.tags.get(KIND_TAG) == SEARCH]
    # The oldest of several, which others name already.
    search = (own or searches)[-1] if searches else _log_search(tracking, record)
    candidates = record.nested_runs()
    complete(tracking, search.info.run_id, candidates)
    if search.data.tags.get(KIND_TAG) == SEARCH:
        note = f"{len(candidates)} candidates; the result is {_link(result)}."
        marks = {RESULT_RUN_TAG: str(result.info.run_id), DESCRIPTION_TAG: note}
        tracking.log(search.info.run_id, tags=marks)
    note = f"The best of {len(candidates)} candidates: {_link(search)} is their search."
    marks = {SEARCH_RUN_TAG: str(search.info.run_id), DESCRIPTION_TAG: note}
    tracking.log(result.info.run_id, tags=marks)


def search_of(tracking: Tracking, run_id: str) -> str:
    """Return the id of the run of a result's search."""
    return str(tracking.client.get_run(run_id).data.tags[SEARCH_RUN_TAG])


def _log_search(tracking: Tracking, record: RunRecord) -> Run:
    """Log a search whose results came from DVC's cache."""
    candidates = record.nested_runs()
    settings = {
        k: v for k, v in record.params.items() if k.split(".")[0] in ("seed", "grid_search")
    }
    marks = {KIND_TAG: SEARCH, WORKSPACE_TAG: workspace()}
    run = tracking.new_run(run_name() or f"search {record.candidates_digest[:8]}", marks)
    run_id = str(run.info.run_id)
    log_candidates(tracking, run_id, candidates)
    tracking.log(
        run_id,
        params={**settings, **candidates[0].params},
        metrics=winners_metrics(candidates[0], record.score),
        series=learning_curve_series(record.learning_curve),
        tags={CANDIDATES_TAG: record.candidates_digest},
    )
    tracking.client.set_terminated(run_id, "FINISHED")
    return run


def _link(run: Run) -> str:
    """Return a link within MLflow's UI."""
    address = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    return f"[{run.info.run_name}]({address})"


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
