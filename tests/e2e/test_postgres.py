"""The team's set-up: an `mlflow server` on a real PostgreSQL, which keeps the artifacts as well."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import Project, free_port
from tests.e2e.conftest import NAME, open_store

ROW = ["6", "148", "72", "35", "0", "33.6", "0.627", "50"]


def test_from_scratch_on_a_server_with_postgresql_the_bytes_are_the_same(
    project: Project, tracking_server: str
) -> None:
    params = project.path / "params.yaml"
    params.write_text(params.read_text().replace("grid_size: 10", "grid_size: 2"))
    model, lock = project.path / "artifacts/model/model.onnx", project.path / "dvc.lock"
    project.run("dvc", "repro", "grid_search")  # tracked in a file of its own
    before = model.read_bytes(), read_stages(lock)["grid_search"]

    team = project.on(tracking_server)
    team.run("dvc", "repro", "--force")
    assert (model.read_bytes(), read_stages(lock)["grid_search"]) == before
    store = open_store(tracking_server)
    (run,) = store.results()
    candidates = store.candidates(run)
    assert len(candidates) == 12
    # Only what was tracked beside the search knows times.
    assert all(candidate.data.metrics["fit_time"] > 0 for candidate in candidates)
    assert {candidate.info.status for candidate in candidates} == {"FINISHED"}
    assert min(candidate.data.metrics["rank"] for candidate in candidates) == 1
    assert store.versions() == {"1": {"staging", "production"}}

    answer = team.run("python", "-m", "serving", "predict", *ROW)
    assert f'"name": "{NAME}"' in answer.stdout
    assert '"label": 1' in answer.stdout
    digest = store.client.get_model_version(NAME, "1").tags["digest"]
    assert (team.path / "model_store/versions" / digest / "model.onnx").is_file()


def read_stages(lock: Path) -> Any:
    return YAML(typ="safe", pure=True).load(lock.read_text())["stages"]


def test_a_server_that_is_away_is_one_clear_sentence(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert project.on(nowhere).run_stage("register") == 1
    said = capsys.readouterr().err
    assert f"the tracking server at {nowhere} does not answer" in said
    assert "Traceback" not in said
