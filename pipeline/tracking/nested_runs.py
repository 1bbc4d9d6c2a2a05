"""The candidates of a search as nested runs of the run that did it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from mlflow.entities import Run

from pipeline.search.grid import candidate_of, fold_column
from pipeline.search.units import Candidate
from pipeline.tracking.experiment import KIND_TAG, PARENT_TAG, Tracking

KIND = "candidate"
RANK = "rank"
LOGGED_COLUMNS = ("mean_", "median_", "std_", "rank_", "log_loss", "iter", "n_resources")
# What the repeats of the folds may change, of the few candidates that are scored on them.
FINAL_METRICS = ("_mean", "_median", "_std", "log_loss", RANK, "iter", "n_resources")
Name = tuple[str, ...]


@dataclass(frozen=True)
class NestedRun:
    """A candidate's nested run; `started` is in milliseconds since 1970, or None."""

    candidate: Candidate
    metrics: Mapping[str, float]
    started: int | None = None

    @property
    def params(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.candidate._asdict().items()}

    @property
    def name(self) -> Name:
        return tuple(self.params.values())


def metric_name(column: str, score: str) -> str:
    """Name a column of the search's results as a metric: cv_roc_auc_median, cv_roc_auc_fold0."""
    if column == "rank_test_score":
        return RANK
    if column == "log_loss":
        return "cv_log_loss"
    if not column.endswith("_test_score"):
        return column
    return f"cv_{score}_" + column.removesuffix("_test_score").replace("split", "fold")


def from_results(table: pd.DataFrame, score: str, n_folds: int) -> list[NestedRun]:
    """Read the rows of `cv_results.csv`; of repeated folds the first repeat's are logged singly."""
    folds = [fold_column(fold) for fold in range(n_folds)]
    columns = [*folds, *(name for name in table.columns if name.startswith(LOGGED_COLUMNS))]
    return [
        NestedRun(
            candidate_of(row),
            {metric_name(name, score): row[name] for name in columns if pd.notna(row[name])},
        )
        for row in table.to_dict("records")
    ]


def finished(tracking: Tracking, parent_id: str) -> dict[Name, Run]:
    """Return the finished nested runs of a search's run."""
    query = f"tags.`{PARENT_TAG}` = '{parent_id}' and attributes.status = 'FINISHED'"
    return {_name(run): run for run in tracking.search(query)}


def _name(run: Run) -> Name:
    # A store from before there were class weights has none.
    return tuple(run.data.params.get(name, "none") for name in Candidate._fields)


def delete_unfinished(tracking: Tracking, parent_id: str) -> None:
    """Delete the nested runs that were left in the middle."""
    for run in tracking.search(f"tags.`{PARENT_TAG}` = '{parent_id}'"):
        if run.info.status != "FINISHED":
            tracking.client.delete_run(run.info.run_id)


def log_candidates(
    tracking: Tracking, parent_id: str, records: Iterable[NestedRun]
) -> dict[Name, str]:
    """Log candidates as nested runs and return the runs' ids."""
    ids: dict[Name, str] = {}

    def log(record: NestedRun) -> None:
        C, gamma, class_weight = record.candidate
        run = tracking.new_run(
            f"C={C:g} gamma={gamma:g}" + " balanced" * (class_weight == "balanced"),
            {KIND_TAG: KIND, PARENT_TAG: parent_id},
            record.started,
        )
        tracking.log(run.info.run_id, params=record.params, metrics=record.metrics)
        tracking.client.set_terminated(run.info.run_id, "FINISHED")
        ids[record.name] = run.info.run_id

    tracking.each(log, records)
    return ids


def complete(tracking: Tracking, parent_id: str, records: Sequence[NestedRun]) -> None:
    """Log those candidates of a search that its run lacks, and the figures that they lack.

    Ranks are known at the end only, and the best candidates were scored on further folds since.
    """
    there = finished(tracking, parent_id)
    log_candidates(tracking, parent_id, [r for r in records if r.name not in there])
    lacking = {
        record.name: new
        for record in records
        if record.name in there and (new := _new(record, there[record.name]))
    }

    def log(name: Name) -> None:
        tracking.log(there[name].info.run_id, metrics=lacking[name])

    tracking.each(log, lacking)


def _new(record: NestedRun, run: Run) -> dict[str, float]:
    """Return the final metrics that a run does not have, or has otherwise."""
    logged = run.data.metrics
    return {
        name: value
        for name, value in record.metrics.items()
        if name.endswith(FINAL_METRICS) and logged.get(name) != value
    }
