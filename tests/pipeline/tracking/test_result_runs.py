"""Result runs: one for each fingerprint, and what becomes of the run that did the search."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run

from pipeline.tracking.experiment import Tracking
from pipeline.tracking.locks import Ownership, workspace
from pipeline.tracking.nested_runs import from_results, log_candidates, metric_name
from pipeline.tracking.result_runs import DatasetRecord, RunRecord, ensure_run, record_failure
from pipeline.tracking.store import open_tracking

CANDIDATES = pd.DataFrame(
    {
        "param_C": [1.0, 10.0],
        "param_gamma": [0.1, 0.1],
        "split0_test_score": [0.8, 0.7],
        "mean_test_score": [0.8, 0.7],
        "rank_test_score": [1, 2],
    }
)
CURVE = pd.DataFrame(
    {
        "rows": [10, 20],
        "train_roc_auc_mean": [0.9, 0.85],
        "train_roc_auc_std": [0.0, 0.0],
        "cv_roc_auc_mean": [0.7, 0.8],
        "cv_roc_auc_std": [0.0, 0.0],
    }
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(store_folder: Path) -> None:
    pass


@pytest.fixture
def tracking() -> Iterator[Tracking]:
    with open_tracking("trial") as opened:
        yield opened


def record(fingerprint: str = "f" * 64, candidates_digest: str = "c" * 64) -> RunRecord:
    return RunRecord(
        fingerprint=fingerprint,
        name="a run",
        params={"seed": "1", "long": "x" * 10_000},
        metrics={"roc_auc": 0.8},
        tags={"git.commit": "abc"},
        datasets=[DatasetRecord(Path("data/t.csv"), "d1", "training", 3, ["a", "b"])],
        candidates=CANDIDATES,
        candidates_digest=candidates_digest,
        learning_curve=CURVE,
    )


def results(tracking: Tracking) -> list[Run]:
    return list(tracking.client.search_runs([tracking.experiment_id]))


def nested_of(tracking: Tracking, parent_id: str) -> list[Run]:
    return [r for r in results(tracking) if r.data.tags.get("mlflow.parentRunId") == parent_id]


def write_nothing(folder: Path) -> None:
    (folder / "note.txt").write_text("made")


def a_search(tracking: Tracking, *, candidates: int = 2, **tags: str) -> str:
    """Leave the run of a finished search, as the process that tracks it does."""
    marks = {"kind": "search", "workspace": workspace(), "search.digest": "c" * 64, **tags}
    run_id = str(tracking.new_run("search 123", marks).info.run_id)
    tracking.log(run_id, params={"seed": "1"})
    log_candidates(tracking, run_id, from_results(CANDIDATES)[:candidates])
    tracking.client.set_terminated(run_id, "FINISHED")
    return run_id


def test_the_same_fingerprint_gets_one_run(tracking: Tracking) -> None:
    first, first_is_new = ensure_run(tracking, record(), write_nothing)
    second, second_is_new = ensure_run(tracking, record(), write_nothing)
    assert (first_is_new, second_is_new) == (True, False)
    assert first == second
    run = tracking.client.get_run(first)
    assert run.info.status == "FINISHED"
    assert len(run.data.params["long"]) == 6000
    assert [f.path for f in tracking.client.list_artifacts(first)] == ["note.txt"]


def test_candidates_are_logged_once_and_linked_from_a_second_run(tracking: Tracking) -> None:
    first, _ = ensure_run(tracking, record("a" * 64), write_nothing)
    second, _ = ensure_run(tracking, record("b" * 64), write_nothing)
    runs = tracking.client.search_runs([tracking.experiment_id])
    nested = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == first]
    assert len(runs) == 4
    assert sorted(r.data.metrics["rank"] for r in nested) == [1, 2]
    assert {r.data.params["C"] for r in nested} == {"1.0", "10.0"}
    assert tracking.client.get_run(second).data.tags["search.run_id"] == first


def test_candidates_whose_run_was_deleted_are_logged_again(tracking: Tracking) -> None:
    first, _ = ensure_run(tracking, record("a" * 64), write_nothing)
    second, _ = ensure_run(tracking, record("b" * 64), write_nothing)
    tracking.client.delete_run(first)
    again, is_new = ensure_run(tracking, record("b" * 64), write_nothing)
    assert (again, is_new) == (second, False)
    nested = [r for r in results(tracking) if r.data.tags.get("mlflow.parentRunId") == second]
    assert len(nested) == 2
    assert tracking.client.get_run(second).data.tags["search.run_id"] == second


def test_a_run_of_another_workspace_is_left_to_it(tracking: Tracking) -> None:
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    tracking.client.update_run(run_id, status="RUNNING")
    tracking.client.set_tag(run_id, "workspace", "elsewhere:/project")
    other, is_new = ensure_run(tracking, record(), write_nothing)
    assert is_new
    assert other != run_id
    assert tracking.client.get_run(run_id).info.status == "RUNNING"


def test_a_run_whose_candidates_are_not_all_there_is_not_linked(tracking: Tracking) -> None:
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_run(tracking, record("a" * 64), interrupted)
    (nested, *_) = (r for r in results(tracking) if "mlflow.parentRunId" in r.data.tags)
    tracking.client.update_run(nested.info.run_id, status="RUNNING")
    run_id, is_new = ensure_run(tracking, record("a" * 64), write_nothing)
    assert is_new
    left = [r for r in results(tracking) if "pipeline.fingerprint" in r.data.tags]
    assert {r.info.run_id == run_id: r.info.status for r in left} == {
        True: "FINISHED",
        False: "KILLED",
    }
    assert tracking.client.get_run(nested.info.run_id).info.status == "KILLED"


def test_a_failure_leaves_a_run_that_says_why(tmp_path: Path) -> None:
    record_failure(
        "trial",
        stage="evaluate",
        process="p",
        status="FAILED",
        reason="no rows",
        details="line 1",
        params={"seed": "1"},
    )
    with open_tracking("trial") as tracking:
        (run,) = tracking.client.search_runs([tracking.experiment_id])
    assert run.info.status == "FAILED"
    assert run.data.tags["failed.stage"] == "evaluate"
    assert run.data.tags["failed.reason"] == "no rows"
    assert run.data.params == {"seed": "1"}


def test_a_failure_in_an_experiment_has_the_experiment_s_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "vague-hope")
    record_failure(
        "trial",
        stage="evaluate",
        process="p",
        status="KILLED",
        reason="no",
        details="",
        params={},
    )
    with open_tracking("trial") as tracking:
        (run,) = tracking.client.search_runs([tracking.experiment_id])
    assert run.info.run_name == "vague-hope"


@pytest.mark.parametrize(
    ("column", "metric"),
    [
        ("split3_test_score", "cv_roc_auc_fold3"),
        ("median_test_score", "cv_roc_auc_median"),
        ("rank_test_score", "rank"),
        ("n_resources", "n_resources"),
    ],
)
def test_scores_have_the_names_that_the_winner_s_have(column: str, metric: str) -> None:
    assert metric_name(column) == metric


def test_the_learning_curve_is_a_series_whose_steps_are_rows(tracking: Tracking) -> None:
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    series = tracking.client.get_metric_history(run_id, "learning_curve_cv_roc_auc")
    assert [(point.step, point.value) for point in series] == [(10, 0.7), (20, 0.8)]


def test_the_run_that_did_the_search_becomes_the_result_s(tracking: Tracking) -> None:
    searched = a_search(tracking)
    run_id, is_new = ensure_run(tracking, record(), write_nothing)
    assert (run_id, is_new) == (searched, True)
    run = tracking.client.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "a run")
    assert run.data.tags["kind"] == "result"
    assert run.data.tags["pipeline.fingerprint"] == "f" * 64
    assert run.data.tags["search.run_id"] == run_id
    assert run.data.params.keys() == {"seed", "long"}
    assert run.data.metrics["roc_auc"] == 0.8
    assert len(nested_of(tracking, run_id)) == 2
    assert len(results(tracking)) == 3
    assert ensure_run(tracking, record(), write_nothing) == (run_id, False)


def test_a_search_becomes_one_result_s_and_is_linked_from_the_next(tracking: Tracking) -> None:
    searched = a_search(tracking)
    first, _ = ensure_run(tracking, record("a" * 64), write_nothing)
    second, _ = ensure_run(tracking, record("b" * 64), write_nothing)
    assert first == searched != second
    assert tracking.client.get_run(second).data.tags["search.run_id"] == searched
    assert len(results(tracking)) == 4


def test_what_the_search_did_not_log_is_logged_then(tracking: Tracking) -> None:
    searched = a_search(tracking, candidates=1)
    ensure_run(tracking, record(), write_nothing)
    nested = nested_of(tracking, searched)
    assert sorted(run.data.metrics["rank"] for run in nested) == [1, 2]
    assert {run.info.status for run in nested} == {"FINISHED"}


@pytest.mark.parametrize("tags", [{"workspace": "elsewhere:/project"}, {"search.digest": "d" * 64}])
def test_another_s_search_and_another_search_are_not_taken(
    tracking: Tracking, tags: dict[str, str]
) -> None:
    searched = a_search(tracking, **tags)
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    assert run_id != searched
    assert tracking.client.get_run(searched).data.tags["kind"] == "search"


def test_a_search_with_another_setting_is_linked_and_not_taken(tracking: Tracking) -> None:
    searched = a_search(tracking)
    tracking.log(searched, params={"long": "otherwise"})
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    assert run_id != searched
    assert tracking.client.get_run(run_id).data.tags["search.run_id"] == searched


def test_a_search_that_was_taken_half_way_is_killed_and_the_result_is_made_anew(
    tracking: Tracking,
) -> None:
    searched = a_search(tracking)
    tracking.client.update_run(searched, status="RUNNING")
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    assert run_id != searched
    assert tracking.client.get_run(searched).info.status == "KILLED"
    assert len(nested_of(tracking, run_id)) == 2


def test_a_search_whose_process_lives_is_left_to_it(tracking: Tracking) -> None:
    searched = a_search(tracking)
    tracking.client.update_run(searched, status="RUNNING")
    owned = Ownership(searched)
    assert owned.take()
    ensure_run(tracking, record(), write_nothing)
    assert tracking.client.get_run(searched).info.status == "RUNNING"
    owned.give_up()


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_a_failed_search_has_one_run_that_says_why(status: str) -> None:
    with open_tracking("trial") as tracking:
        run_id = str(tracking.new_run("search", {"kind": "search", "process": "p1"}).info.run_id)
    record_failure(
        "trial",
        stage="grid_search",
        process="p1",
        status=status,
        reason="no rows",
        details="line 1",
        params={},
    )
    with open_tracking("trial") as tracking:
        (run,) = results(tracking)
    assert (run.info.run_id, run.info.status) == (run_id, status)
    assert run.data.tags["failed.reason"] == "no rows"
    assert run.data.tags["kind"] == "search"


def test_a_search_that_nobody_tracks_any_more_is_not_left_running(tracking: Tracking) -> None:
    """As a store leaves it that is away when the search ends, and back when it is registered."""
    left = a_search(tracking, candidates=1)
    tracking.client.update_run(left, status="RUNNING")
    tracking.client.delete_tag(left, "search.digest")
    living = a_search(tracking, candidates=1)
    tracking.client.update_run(living, status="RUNNING")
    owned = Ownership(living)
    assert owned.take()
    ensure_run(tracking, record(), write_nothing)
    owned.give_up()
    status = [tracking.client.get_run(run_id).info.status for run_id in (left, living)]
    assert status == ["KILLED", "RUNNING"]
