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
        score="roc_auc",
        n_folds=1,
        learning_curve=CURVE,
    )


def results(tracking: Tracking) -> list[Run]:
    return list(tracking.client.search_runs([tracking.experiment_id]))


def other_runs(tracking: Tracking) -> list[Run]:
    return list(tracking.client.search_runs([tracking.search_experiment_id]))


def nested_of(tracking: Tracking, parent_id: str) -> list[Run]:
    return [r for r in other_runs(tracking) if r.data.tags.get("mlflow.parentRunId") == parent_id]


def tags_of(tracking: Tracking, run_id: str) -> dict[str, str]:
    return dict(tracking.client.get_run(run_id).data.tags)


def write_nothing(folder: Path) -> None:
    (folder / "note.txt").write_text("made")


def a_search(tracking: Tracking, *, candidates: int = 2, **tags: str) -> str:
    """Leave the run of a finished search, as the process that tracks it does."""
    marks = {"kind": "search", "workspace": workspace(), "search.digest": "c" * 64, **tags}
    run_id = str(tracking.new_run("search 123", marks).info.run_id)
    tracking.log(run_id, params={"seed": "1"})
    log_candidates(tracking, run_id, from_results(CANDIDATES, "roc_auc", 1)[:candidates])
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


def test_candidates_are_logged_once_and_linked_from_two_results(tracking: Tracking) -> None:
    first, _ = ensure_run(tracking, record("a" * 64), write_nothing)
    second, _ = ensure_run(tracking, record("b" * 64), write_nothing)
    assert {run.info.run_id for run in results(tracking)} == {first, second}
    (search,) = (run for run in other_runs(tracking) if run.data.tags["kind"] == "search")
    nested = nested_of(tracking, search.info.run_id)
    assert sorted(r.data.metrics["rank"] for r in nested) == [1, 2]
    assert {r.data.params["C"] for r in nested} == {"1.0", "10.0"}
    for run_id in (first, second):
        assert tags_of(tracking, run_id)["search.run_id"] == search.info.run_id
        assert f"runs/{search.info.run_id}" in tags_of(tracking, run_id)["mlflow.note.content"]
    assert search.data.tags["result.run_id"] == second
    assert f"runs/{second}" in search.data.tags["mlflow.note.content"]


def test_a_search_that_was_deleted_is_logged_again(tracking: Tracking) -> None:
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    deleted = tags_of(tracking, run_id)["search.run_id"]
    tracking.client.delete_run(deleted)
    assert ensure_run(tracking, record(), write_nothing) == (run_id, False)
    again = tags_of(tracking, run_id)["search.run_id"]
    assert again != deleted
    assert len(nested_of(tracking, again)) == 2


def test_a_run_of_another_workspace_is_left_to_it(tracking: Tracking) -> None:
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    tracking.client.update_run(run_id, status="RUNNING")
    tracking.client.set_tag(run_id, "workspace", "elsewhere:/project")
    other, is_new = ensure_run(tracking, record(), write_nothing)
    assert is_new
    assert other != run_id
    assert tracking.client.get_run(run_id).info.status == "RUNNING"


def test_nothing_is_left_of_a_result_that_was_interrupted(tracking: Tracking) -> None:
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_run(tracking, record(), interrupted)
    assert results(tracking) == []
    run_id, is_new = ensure_run(tracking, record(), write_nothing)
    assert is_new
    assert [run.info.run_id for run in results(tracking)] == [run_id]


def test_a_result_whose_process_was_killed_is_deleted_by_the_next(tracking: Tracking) -> None:
    killed, _ = ensure_run(tracking, record("a" * 64), write_nothing)
    tracking.client.update_run(killed, status="RUNNING")
    run_id, is_new = ensure_run(tracking, record("a" * 64), write_nothing)
    assert is_new
    assert [run.info.run_id for run in results(tracking)] == [run_id]


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
        (run,) = other_runs(tracking)
        assert results(tracking) == []
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
        (run,) = other_runs(tracking)
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
    assert metric_name(column, "roc_auc") == metric


def test_the_learning_curve_is_a_series_whose_steps_are_rows(tracking: Tracking) -> None:
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    series = tracking.client.get_metric_history(run_id, "learning_curve_cv_roc_auc")
    assert [(point.step, point.value) for point in series] == [(10, 0.7), (20, 0.8)]


def test_a_result_stands_alone_and_its_search_keeps_the_candidates(tracking: Tracking) -> None:
    searched = a_search(tracking)
    run_id, is_new = ensure_run(tracking, record(), write_nothing)
    assert is_new
    (run,) = results(tracking)
    assert (run.info.run_id, run.info.status, run.info.run_name) == (run_id, "FINISHED", "a run")
    assert run.data.tags["kind"] == "result"
    assert run.data.tags["pipeline.fingerprint"] == "f" * 64
    assert run.data.tags["search.run_id"] == searched
    assert run.data.params.keys() == {"seed", "long"}
    assert run.data.metrics["roc_auc"] == 0.8
    assert len(nested_of(tracking, searched)) == 2
    assert len(other_runs(tracking)) == 3
    assert ensure_run(tracking, record(), write_nothing) == (run_id, False)


def test_a_search_of_a_store_with_one_experiment_is_found(tracking: Tracking) -> None:
    """Results were once the runs of their searches, in the experiment of the results."""
    marks = {"kind": "result", "search.digest": "c" * 64}
    old = str(tracking.new_result("repro 123", marks).info.run_id)
    for candidate in from_results(CANDIDATES, "roc_auc", 1):
        tags = {"kind": "candidate", "mlflow.parentRunId": old}
        nested = tracking.new_result("C=1 gamma=1", tags).info.run_id
        tracking.log(nested, params=candidate.params, metrics=candidate.metrics)
        tracking.client.set_terminated(nested, "FINISHED")
    tracking.client.set_terminated(old, "FINISHED")
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    assert tags_of(tracking, run_id)["search.run_id"] == old
    assert other_runs(tracking) == []
    assert "result.run_id" not in tags_of(tracking, old)


def test_what_the_search_did_not_log_is_logged_then(tracking: Tracking) -> None:
    searched = a_search(tracking, candidates=1)
    ensure_run(tracking, record(), write_nothing)
    nested = nested_of(tracking, searched)
    assert sorted(run.data.metrics["rank"] for run in nested) == [1, 2]
    assert {run.info.status for run in nested} == {"FINISHED"}


def test_the_search_of_other_candidates_is_not_linked(tracking: Tracking) -> None:
    searched = a_search(tracking, **{"search.digest": "d" * 64})
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    assert tags_of(tracking, run_id)["search.run_id"] != searched


def test_a_search_that_nobody_tracks_any_more_is_killed_and_logged_anew(
    tracking: Tracking,
) -> None:
    searched = a_search(tracking)
    tracking.client.update_run(searched, status="RUNNING")
    run_id, _ = ensure_run(tracking, record(), write_nothing)
    assert tracking.client.get_run(searched).info.status == "KILLED"
    again = tags_of(tracking, run_id)["search.run_id"]
    assert again != searched
    assert len(nested_of(tracking, again)) == 2


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
        (run,) = other_runs(tracking)
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
