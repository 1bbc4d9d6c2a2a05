"""The tracking store: where it is, who holds it, what a failure leaves there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run

from pipeline.errors import PipelineError
from pipeline.tracking import (
    DatasetRecord,
    RunRecord,
    Tracking,
    candidate_metric,
    ensure_run,
    open_tracking,
    record_failure,
    tracking_uri,
)
from tests.conftest import ROOT

CANDIDATES = pd.DataFrame(
    {
        "param_C": [1.0, 10.0],
        "param_gamma": [0.1, 0.1],
        "split0_test_score": [0.8, 0.7],
        "mean_test_score": [0.8, 0.7],
        "rank_test_score": [1, 2],
    }
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")


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
    )


def results(tracking: Tracking) -> list[Run]:
    return list(tracking.client.search_runs([tracking.experiment_id]))


def write_nothing(folder: Path) -> None:
    (folder / "note.txt").write_text("made")


def test_without_a_setting_the_store_is_a_file_in_the_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


def test_an_experiment_in_a_temporary_copy_uses_the_project_s_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / ".dvc/tmp/exps/one"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "sqlite:////var/mlflow.db"])
def test_an_address_that_is_not_relative_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking_uri() == uri


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


def test_a_store_whose_making_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".mlflow.db.partial").write_text("half its tables")
    with open_tracking("trial") as tracking:
        assert results(tracking) == []
    assert (tmp_path / "mlflow.db").is_file()
    assert not list(tmp_path.glob(".mlflow.db*"))


def test_a_sqlite_store_that_cannot_be_used_is_not_called_a_server(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1000)
    with (
        pytest.raises(PipelineError, match="the tracking store at") as refused,
        open_tracking("trial"),
    ):
        pass
    assert "SQL:" not in str(refused.value)


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
        "trial", stage="evaluate", reason="no rows", details="line 1", params={"seed": "1"}
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
    record_failure("trial", stage="evaluate", reason="no", details="", params={})
    with open_tracking("trial") as tracking:
        (run,) = tracking.client.search_runs([tracking.experiment_id])
    assert run.info.run_name == "vague-hope"


def test_a_deleted_experiment_is_restored() -> None:
    with open_tracking("trial") as tracking:
        tracking.client.delete_experiment(tracking.experiment_id)
    with open_tracking("trial") as tracking:
        experiment = tracking.client.get_experiment(tracking.experiment_id)
        assert experiment.lifecycle_stage == "active"


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    with pytest.raises(PipelineError) as refused, open_tracking("trial"):
        pass
    assert "secret" not in str(refused.value)
    assert "http://***@127.0.0.1:1 does not answer" in str(refused.value)


def test_a_second_pipeline_waits_and_says_for_whom() -> None:
    other = "from pipeline.tracking import open_tracking\nwith open_tracking('trial'): pass"
    with open_tracking("trial"):
        waiting = subprocess.Popen(
            [sys.executable, "-c", other],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
        assert waiting.poll() is None
    assert waiting.wait(timeout=60) == 0
    waiting.stderr.close()
    assert f"waiting for process {os.getpid()} on " in said


@pytest.mark.parametrize(
    ("column", "metric"),
    [
        ("split3_test_score", "cv_roc_auc_fold3"),
        ("median_test_score", "cv_roc_auc_median"),
    ],
)
def test_scores_have_the_names_that_the_winner_s_have(column: str, metric: str) -> None:
    assert candidate_metric(column) == metric
