"""What DVC says of its stages, in a few words."""

import json

import pytest

from pipeline.lineage import dvc
from tests.conftest import Project


def test_project_that_is_up_to_date_has_no_changed_stage(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That `register` always runs is no change."""
    monkeypatch.chdir(finished.path)
    assert dvc.changed_stages() == {}


def test_changed_setting_and_a_changed_file_are_named(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.path)
    params = finished.path / "params.yaml"
    params.write_text(params.read_text().replace("bins: 10", "bins: 5"))
    winner = finished.path / "artifacts/winner.json"
    content = json.loads(winner.read_text())
    winner.unlink()
    winner.write_text(json.dumps(content))
    found = dvc.changed_stages()
    assert found["evaluate"] == "params.yaml (evaluate)"
    assert "artifacts/winner.json modified" in found["grid_search"]
