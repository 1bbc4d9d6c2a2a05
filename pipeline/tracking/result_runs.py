"""Result runs: for each result of the pipeline exactly one finished run, whatever was cached."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    agrees,
    run_name,
    shortened,
)
from pipeline.tracking.locks import WORKSPACE_TAG, Ownership, workspace
from pipeline.tracking.nested_runs import complete, from_results
from pipeline.tracking.store import open_tracking

RESULT, SEARCH, FAILURE = "result", "search", "failure"
FINGERPRINT_TAG = "pipeline.fingerprint"
# Of a run that did a search: the digest of its results. Of a result: the run that did its search.
CANDIDATES_TAG = "search.digest"
SEARCH_RUN_TAG = "search.run_id"
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
    """All that a finished run shows. `candidates` are rows of `cv_results.csv`."""

    fingerprint: str
    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: Sequence[DatasetRecord]
    candidates: pd.DataFrame
    candidates_digest: str
    learning_curve: pd.DataFrame


def ensure_run(
    tracking: Tracking, record: RunRecord, write_artifacts: WriteArtifacts
) -> tuple[str, bool]:
    """Return the id of the finished run for the record's fingerprint, and whether it is new.

    The run that did the search becomes the result's, where it is nobody's yet. Leftovers of an
    interrupted attempt in this workspace are marked KILLED and not used. Where the search came from
    a cache its candidates are linked, and logged where no finished run has them.
    """
    _end_abandoned(tracking)
    for run in tracking.search(f"tags.`{FINGERPRINT_TAG}` = '{record.fingerprint}'"):
        if run.info.status == "FINISHED":
            _ensure_candidates(tracking, run, record)
            return str(run.info.run_id), False
        if run.info.status == "RUNNING" and run.data.tags.get(WORKSPACE_TAG) == workspace():
            tracking.end(run.info.run_id, "KILLED")
    run = _adoptable(tracking, record) or tracking.new_run(record.name, {KIND_TAG: RESULT})
    _make_result(tracking, run, record, write_artifacts)
    return str(run.info.run_id), True


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


def _end_abandoned(tracking: Tracking) -> None:
    """Mark the searches of this workspace that are RUNNING although no process tracks them.

    They were left so by a store that went away, a `kill -9`, or an interrupted `register`.
    """
    query = f"tags.{KIND_TAG} = '{SEARCH}' and attributes.status = 'RUNNING'"
    for run in tracking.search_own(query):
        if (owned := Ownership(run.info.run_id)).take():
            owned.give_up()
            tracking.end(run.info.run_id, "KILLED")


def _adoptable(tracking: Tracking, record: RunRecord) -> Run | None:
    """Return the newest run of this workspace that did the search and is no result's yet."""
    query = f"tags.`{CANDIDATES_TAG}` = '{record.candidates_digest}' and tags.kind = '{SEARCH}'"
    for run in tracking.search_own(f"{query} and attributes.status = 'FINISHED'"):
        if agrees(run, record.params):
            return run
    return None


def _make_result(
    tracking: Tracking, run: Run, record: RunRecord, write_artifacts: WriteArtifacts
) -> None:
    client, run_id = tracking.client, str(run.info.run_id)
    client.update_run(run_id, status="RUNNING", name=record.name)
    run = client.get_run(run_id)
    tags = {
        **record.tags,
        KIND_TAG: RESULT,
        FINGERPRINT_TAG: record.fingerprint,
        WORKSPACE_TAG: workspace(),
    }
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as aside:
        written = aside.submit(write_artifacts, Path(folder))
        tracking.log(
            run_id,
            params={k: v for k, v in record.params.items() if k not in run.data.params},
            metrics=record.metrics,
            series=learning_curve_series(record.learning_curve),
            tags=tags,
        )
        client.log_inputs(run_id, [_dataset_input(dataset) for dataset in record.datasets])
        _ensure_candidates(tracking, run, record)
        written.result()
        client.log_artifacts(run_id, folder)
    client.set_terminated(run_id, "FINISHED")


def _ensure_candidates(tracking: Tracking, run: Run, record: RunRecord) -> None:
    """Name the run that has all the candidates: its own search's, another finished one, or it."""
    digest, run_id = record.candidates_digest, str(run.info.run_id)
    found = tracking.search(f"tags.`{CANDIDATES_TAG}` = '{digest}'")
    ids = [r.info.run_id for r in found if r.info.status == "FINISHED" or r.info.run_id == run_id]
    if run.info.status == "FINISHED" and run.data.tags.get(SEARCH_RUN_TAG) in ids:
        return  # as it was left
    # Its own before another's; of those the oldest, which others name already.
    search_run_id = run_id if run_id in ids or not ids else ids[-1]
    complete(tracking, search_run_id, from_results(record.candidates))
    own = {CANDIDATES_TAG: digest} if search_run_id == run_id else {}
    tracking.log(run_id, tags={SEARCH_RUN_TAG: search_run_id, **own})


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
