"""The candidates of a search as nested runs of the run that did it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from mlflow.entities import Run

from pipeline.tracking.experiment import KIND_TAG, PARENT_TAG, Tracking

KIND = "candidate"
RANK = "rank"
LOGGED_COLUMNS = ("split", "mean", "median", "std", "rank", "iter", "n_resources")
Name = tuple[str, str]


@dataclass(frozen=True)
class NestedRun:
    """A candidate's nested run; `started` is in milliseconds since 1970, or None."""

    C: float
    gamma: float
    metrics: Mapping[str, float]
    started: int | None = None

    @property
    def params(self) -> dict[str, str]:
        return {"C": str(self.C), "gamma": str(self.gamma)}

    @property
    def name(self) -> Name:
        return str(self.C), str(self.gamma)


def metric_name(column: str) -> str:
    """Name a column of the search's results as a metric: cv_roc_auc_median, cv_roc_auc_fold0."""
    if column == "rank_test_score":
        return RANK
    if not column.endswith("_test_score"):
        return column
    return "cv_roc_auc_" + column.removesuffix("_test_score").replace("split", "fold")


def from_results(table: pd.DataFrame) -> list[NestedRun]:
    """Read the rows of `cv_results.csv`."""
    columns = [name for name in table.columns if name.startswith(LOGGED_COLUMNS)]
    return [
        NestedRun(
            row["param_C"],
            row["param_gamma"],
            {metric_name(column): row[column] for column in columns},
        )
        for row in table.to_dict("records")
    ]


def finished(tracking: Tracking, parent_id: str) -> dict[Name, Run]:
    """Return the finished nested runs of a search's run."""
    query = f"tags.`{PARENT_TAG}` = '{parent_id}' and attributes.status = 'FINISHED'"
    return {(run.data.params["C"], run.data.params["gamma"]): run for run in tracking.search(query)}


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
        run = tracking.new_run(
            f"C={record.C:g} gamma={record.gamma:g}",
            {KIND_TAG: KIND, PARENT_TAG: parent_id},
            record.started,
        )
        tracking.log(run.info.run_id, params=record.params, metrics=record.metrics)
        tracking.client.set_terminated(run.info.run_id, "FINISHED")
        ids[record.name] = run.info.run_id

    tracking.each(log, records)
    return ids


def complete(tracking: Tracking, parent_id: str, records: Sequence[NestedRun]) -> None:
    """Log those candidates of a search that its run lacks, and the ranks that they lack."""
    there = finished(tracking, parent_id)
    log_candidates(tracking, parent_id, [r for r in records if r.name not in there])

    def rank(record: NestedRun) -> None:
        tracking.log(there[record.name].info.run_id, metrics={RANK: record.metrics[RANK]})

    tracking.each(
        rank,
        [r for r in records if r.name in there and RANK not in there[r.name].data.metrics],
    )
