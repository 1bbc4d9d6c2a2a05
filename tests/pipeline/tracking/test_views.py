"""MLflow's shared views: what an address shows; the e2e tests look at one in a browser."""

import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from pipeline.params import Selection
from pipeline.tracking.experiment import Tracking
from pipeline.tracking.store import open_tracking
from pipeline.tracking.views import addresses, main, update_views

SELECTION = Selection(("none",), "roc_auc", "median")
pytestmark = pytest.mark.usefixtures("store_folder")


@pytest.fixture
def tracking() -> Iterator[Tracking]:
    with open_tracking("trial") as opened:
        update_views(opened, "0123abcd", SELECTION)
        yield opened


def tags_of(tracking: Tracking, experiment_id: str) -> dict[str, str]:
    return dict(tracking.client.get_experiment(experiment_id).tags)


def test_results_are_compared_by_test_figures_stage_and_version(tracking: Tracking) -> None:
    view = json.loads(tags_of(tracking, tracking.experiment_id)["mlflow.sharedViewState.results"])
    assert view["searchFilter"] == "tags.kind = 'result'"
    assert view["orderByKey"] == "metrics.`test_roc_auc`"
    assert view["orderByAsc"] is False
    assert {"tags.`stage`", "tags.`version`", "params.`C`", "params.`gamma`"} <= {
        *view["selectedColumns"]
    }
    assert [chart["metricKey"] for chart in view["compareRunCharts"]] == [
        "test_roc_auc",
        "test_brier",
    ]
    assert [section["display"] for section in view["compareRunSections"]] == [True, False]


def test_candidates_are_those_of_one_search_with_parameters_and_score(tracking: Tracking) -> None:
    tags = tags_of(tracking, tracking.search_experiment_id)
    view = json.loads(tags["mlflow.sharedViewState.search"])
    assert view["searchFilter"] == "tags.`mlflow.parentRunId` = '0123abcd'"
    (chart,) = view["compareRunCharts"]
    assert chart["type"] == "PARALLEL"
    assert chart["selectedParams"] == ["C", "gamma", "class_weight"]
    assert chart["selectedMetrics"] == ["cv_roc_auc_median"]


def test_an_address_names_its_view_and_opens_the_pages_for_training(tracking: Tracking) -> None:
    results, search = addresses(tracking, "http://127.0.0.1:5001/")
    assert results.startswith(f"http://127.0.0.1:5001/#/experiments/{tracking.experiment_id}/runs?")
    assert f"/experiments/{tracking.search_experiment_id}/runs?" in search
    for address, key in ((results, "results"), (search, "search")):
        query = parse_qs(address.partition("?")[2])
        assert query["viewStateShareKey"] == [key]
        assert query["workflowType"] == ["machine_learning"]


def test_no_password_and_nothing_in_its_place_is_in_an_address(tracking: Tracking) -> None:
    server = replace(tracking, uri="https://team:secret@mlflow.example/app")
    for address in addresses(server):
        assert address.startswith("https://mlflow.example/app/#/experiments/")


def test_experiments_say_what_they_hold_and_what_people_wrote_stays(tracking: Tracking) -> None:
    note = "mlflow.note.content"
    assert "`dvc repro`" in tags_of(tracking, tracking.experiment_id)[note]
    assert "candidates" in tags_of(tracking, tracking.search_experiment_id)[note]
    tracking.client.set_experiment_tag(tracking.experiment_id, note, "our own words")
    update_views(tracking, "0123abcd", SELECTION)
    assert tags_of(tracking, tracking.experiment_id)[note] == "our own words"


def test_without_settings_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    assert "params.yaml" in capsys.readouterr().err
