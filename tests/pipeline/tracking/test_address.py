"""The tracking store's address."""

from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.errors import PipelineError
from pipeline.tracking.address import check, tracking_uri


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(store_folder: Path) -> None:
    pass


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


@pytest.mark.parametrize(
    "uri",
    [
        *("https://me:secret@host/path", "postgresql://host/db", "postgresql+psycopg2://host/db"),
        *("mysql+pymysql://host/db", "databricks", "databricks://profile"),
    ],
)
def test_addresses_of_mlflow_are_taken(uri: str) -> None:
    check(uri)


@pytest.mark.parametrize(
    ("uri", "write"),
    [
        ("127.0.0.1:5000", "write http://127.0.0.1:5000 if it is a server"),
        ("localhost:5000", "write http://localhost:5000 if it is a server"),
        ("mlflow.db", "sqlite:///{here}/mlflow.db if it is a file"),
        ("file:/tmp/x", "write sqlite:////tmp/x/mlflow.db"),
        ("file:///tmp/x", "write sqlite:////tmp/x/mlflow.db"),
        ("./folder", "write sqlite:///{here}/folder/mlflow.db"),
        ("htp://x:1", "write http://x:1"),
        ("postgres://me:secret@host/db", "write postgresql://***@host/db"),
        ("s3://bucket", "MLflow knows http, https, sqlite,"),
    ],
)
def test_address_that_is_wrong_is_told_with_what_to_write(
    uri: str, write: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PipelineError) as refused:
        check(uri)
    assert write.format(here=tmp_path) in str(refused.value)


@pytest.mark.parametrize("stage", ["preprocess", "grid_search", "evaluate", "register"])
def test_stage_tells_a_wrong_address_before_it_begins(
    stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "127.0.0.1:5000")
    assert main([stage]) == 1
    assert f"{stage} failed: MLFLOW_TRACKING_URI is 127.0.0.1:5000" in capsys.readouterr().err
