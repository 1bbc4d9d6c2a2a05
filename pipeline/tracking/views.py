"""Ready-made views of MLflow's UI: the results side by side, and the candidates of a search.

MLflow keeps a shared view as a tag of its experiment, whose JSON is the state of its page; an
address names the tag. Print the addresses of this project's views:

    python -m pipeline.tracking.views [http://127.0.0.1:5000]
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pipeline.errors import PipelineError
from pipeline.params import Selection
from pipeline.params_file import load
from pipeline.tracking.experiment import KIND_TAG, PARENT_TAG, Tracking
from pipeline.tracking.result_runs import RESULT
from pipeline.tracking.store import exists, open_tracking
from serving.console import replace_unprintable

VIEW_TAG = "mlflow.sharedViewState."
RESULTS_VIEW, SEARCH_VIEW = "results", "search"
NOTE_TAG = "mlflow.note.content"
RESULTS_NOTE = (
    "Results of `dvc repro` and `dvc exp run`: a row for each, with its parameters, its "
    "cross-validated and test metrics, and its model's version and stage. A result's note links to "
    "its search."
)
SEARCHES_NOTE = (
    "Searches with their candidates as nested runs, live while they run; also runs that failed, "
    "and the ledger of stages. A search's note links to its result."
)
LOCAL_UI = "http://127.0.0.1:5000"  # of `make ui`
RESULT_PARAMS = ("C", "gamma", "class_weight", "grid_search.grid_size")
RESULT_METRICS = (
    *("test_roc_auc", "test_baseline_roc_auc", "test_brier", "test_recall", "test_precision"),
    *("cv_roc_auc_mean", "cv_roc_auc_std", "cv_log_loss"),
)
FIRST_CHARTS = ("test_roc_auc", "test_brier")
CANDIDATE_PARAMS = ("C", "gamma", "class_weight")


def update_views(tracking: Tracking, search_id: str, selection: Selection) -> None:
    """Write both views and the experiments' descriptions."""
    tag = tracking.client.set_experiment_tag
    for experiment_id, text in (
        (tracking.experiment_id, RESULTS_NOTE),
        (tracking.search_experiment_id, SEARCHES_NOTE),
    ):
        # What people wrote there themselves stays.
        if NOTE_TAG not in tracking.client.get_experiment(experiment_id).tags:
            tag(experiment_id, NOTE_TAG, text)
    tag(tracking.experiment_id, f"{VIEW_TAG}{RESULTS_VIEW}", json.dumps(results_view()))
    show_search(tracking, search_id, selection)


def show_search(tracking: Tracking, search_id: str, selection: Selection) -> None:
    """Let the view of candidates show those of this search, which may still run."""
    score, rank_by = selection.score, selection.rank_by
    view = json.dumps(candidates_view(search_id, f"cv_{score}_{rank_by}", f"cv_{score}_std"))
    tracking.client.set_experiment_tag(
        tracking.search_experiment_id, f"{VIEW_TAG}{SEARCH_VIEW}", view
    )


def results_view() -> dict[str, Any]:
    """Return the state of a page that compares the results, the best on the test rows first."""
    charts = [
        {**_chart("BAR", metric, "test"), "metricKey": metric, "displayName": metric}
        for metric in FIRST_CHARTS
    ]
    columns = [
        "tags.`stage`",
        "tags.`version`",
        *(f"metrics.`{name}`" for name in RESULT_METRICS),
        *(f"params.`{name}`" for name in RESULT_PARAMS),
    ]
    return {
        **_table("metrics.`test_roc_auc`", columns),
        # An older store has its searches and its ledger in this experiment, too.
        "searchFilter": f"tags.{KIND_TAG} = '{RESULT}'",
        "columnWidths": {"tags.`stage`": 150, "tags.`version`": 70},
        "compareRunCharts": charts,
        "compareRunSections": _sections("test", "On the test rows"),
    }


def candidates_view(search_id: str, score: str, spread: str) -> dict[str, Any]:
    """Return the state of a page that shows a search's candidates by C, gamma and score."""
    chart = {
        **_chart("PARALLEL", "candidates", "search"),
        "displayName": "C, gamma and score",
        "selectedParams": list(CANDIDATE_PARAMS),
        "selectedMetrics": [score],
        "showAllRuns": True,
        "runsCountToCompare": 500,
    }
    columns = [
        *(f"params.`{name}`" for name in CANDIDATE_PARAMS),
        *(f"metrics.`{name}`" for name in ("rank", score, spread, "cv_log_loss", "fit_time")),
    ]
    return {
        **_table(f"metrics.`{score}`", columns),
        "searchFilter": f"tags.`{PARENT_TAG}` = '{search_id}'",
        "compareRunCharts": [chart],
        "compareRunSections": _sections("search", "Candidates", columns=1),
        "runsHiddenMode": "SHOW_ALL",
    }


def _table(order_by: str, columns: Sequence[str]) -> dict[str, Any]:
    return {
        "selectedColumns": [*columns],
        "columnOrder": [*columns],
        "searchFilter": "",
        "orderByKey": order_by,
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def _chart(kind: str, name: str, section: str) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": name,
        "metricSectionId": section,
        "runsCountToCompare": 20,
        "deleted": False,
        "isGenerated": False,
    }


def _sections(uuid: str, name: str, columns: int = 2) -> list[dict[str, Any]]:
    """Return a section of our own charts and, folded, the one that MLflow fills with the others."""
    every = {"deleted": False, "cardHeight": 360}
    own = {"uuid": uuid, "name": name, "display": True, "isReordered": True, "isGenerated": False}
    others = {
        "uuid": "other",
        "name": "Model metrics",
        "display": False,
        "isReordered": False,
        "isGenerated": True,
    }
    return [{**every, **own, "columns": columns}, {**every, **others}]


def addresses(tracking: Tracking, ui: str = "") -> tuple[str, str]:
    """Return the addresses of the view of results and of that of the newest search.

    `ui` is where MLflow's UI is; without it, the tracking server, or where `make ui` starts it.
    """
    server = re.sub(r"//[^@/]*@", "//", tracking.uri)  # a browser asks for the password itself
    here = ui or (server if tracking.uri.startswith("http") else LOCAL_UI)
    return (
        _address(here, tracking.experiment_id, RESULTS_VIEW, "TABLE"),
        _address(here, tracking.search_experiment_id, SEARCH_VIEW, "CHART"),
    )


def _address(ui: str, experiment_id: str, view: str, mode: str) -> str:
    # Without the workflow's type MLflow opens its pages for prompts and traces.
    query = urlencode(
        {
            "viewStateShareKey": view,
            "compareRunsMode": mode,
            "workflowType": "machine_learning",
        }
    )
    return f"{ui.rstrip('/')}/#/experiments/{experiment_id}/runs?{query}"


def main(arguments: Sequence[str]) -> int:
    """Print the addresses of the views."""
    try:
        name = load(Path("params.yaml")).name
        if not exists(name):
            print("Nothing is tracked yet: run `dvc repro` first.")
            return 0
        with open_tracking(name, create=False) as tracking:
            results, search = addresses(tracking, *arguments[:1])
    except PipelineError as error:
        print(f"ui: {error}", file=sys.stderr)
        return 1
    print(f"results:        {results}\nnewest search:  {search}")
    return 0


if __name__ == "__main__":
    replace_unprintable()
    sys.exit(main(sys.argv[1:]))
