"""The tracking store: where it is, and who holds it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from pipeline.errors import PipelineError
from pipeline.tracking.address import tracking_uri
from pipeline.tracking.experiment import Tracking
from pipeline.tracking.locks import holder_of
from pipeline.tracking.store import open_tracking
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(store_folder: Path) -> None:
    pass


@pytest.fixture
def tracking() -> Iterator[Tracking]:
    with open_tracking("trial") as opened:
        yield opened


def results(tracking: Tracking) -> list[Run]:
    return list(tracking.client.search_runs([tracking.experiment_id]))


def test_a_store_whose_making_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").unlink()
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


def test_process_that_locks_a_sqlite_store_is_named(tmp_path: Path) -> None:
    holding = (
        "import sqlite3, sys, time\n"
        "sqlite3.connect(sys.argv[1], isolation_level=None).execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\ntime.sleep(60)"
    )
    with open_tracking("trial"):
        pass
    command = [sys.executable, "-c", holding, str(tmp_path / "mlflow.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert f"process {holder.pid} (" in holder_of(tmp_path / "mlflow.db")
        told = pytest.raises(PipelineError, match=f"is locked by process {holder.pid}")
        with told, open_tracking("trial"):
            raise OperationalError("", None, Exception("database is locked"))
        holder.kill()


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
    other = "from pipeline.tracking.store import open_tracking\nwith open_tracking('trial'): pass"
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


def test_an_older_store_is_looked_at_without_a_second_experiment() -> None:
    """`status` makes nothing; what it looks for is in the one experiment, and found once."""
    client = MlflowClient(tracking_uri())
    number = client.create_experiment("old")
    client.create_run(number)
    with open_tracking("old", create=False) as tracking:
        assert (tracking.experiment_id, tracking.search_experiment_id) == (number, number)
        assert len(tracking.search("")) == 1
    assert client.get_experiment_by_name("old-search") is None
    with open_tracking("old") as tracking:
        assert tracking.search_experiment_id != number
        assert len(tracking.search("")) == 1


def test_a_project_named_like_another_s_searches_is_refused() -> None:
    with open_tracking("churn"):
        pass
    refusal = "churn-search holds the searches of the project churn: choose another `name`"
    with pytest.raises(PipelineError, match=refusal), open_tracking("churn-search"):
        pass


@pytest.mark.parametrize("role", [{}, {"pipeline.experiment": "results"}])
def test_a_project_whose_searches_would_go_to_another_s_results_is_refused(
    role: dict[str, str],
) -> None:
    """An experiment from before there were two has no mark: it is one of results."""
    client = MlflowClient(tracking_uri())
    client.create_experiment("churn-search", tags=role)
    refusal = "churn-search holds the results of another project"
    with pytest.raises(PipelineError, match=refusal), open_tracking("churn"):
        pass
    assert client.get_experiment_by_name("churn") is None


def test_sqlite_store_waits_for_the_disk_at_critical_moments_alone() -> None:
    with open_tracking("trial") as tracking:
        sessions = tracking.client._tracking_client.store.ManagedSessionMaker
        with sessions() as session:
            assert session.execute(text("PRAGMA synchronous")).scalar() == 1
