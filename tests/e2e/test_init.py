"""A table that the project has never seen: `init`, `dvc repro`, and the service answers."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT, Project, copy_of_repository
from tests.running import Service, eventually, service


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project without results, set to a small search: what `init` is to leave as it is."""
    project = copy_of_repository(tmp_path / "project")
    params = project.path / "params.yaml"
    text = (
        params.read_text().replace("grid_size: 10", "grid_size: 2").replace("folds: 5", "folds: 3")
    )
    params.write_text(text.replace("resamples: 2000", "resamples: 200"))
    return project


def answers(running: Service, rows: list[dict[str, object]]) -> Callable[[], list[int] | None]:
    """Ask until there is a model, and give the labels."""

    def ask() -> list[int] | None:
        response = running.predict({"rows": rows})
        if response.status_code == 503:
            return None
        assert response.status_code == 200, response.text
        return [prediction["label"] for prediction in response.json()["predictions"]]

    return ask


def serve(project: Project, name: str, rows: list[dict[str, object]]) -> list[int]:
    """Start the service in the project's folder, and give the labels of some rows."""
    with service(project.path, SERVING_MODEL=name, MLFLOW_TRACKING_URI=project.store) as running:
        return eventually(answers(running, rows), within=60)


def test_a_table_from_elsewhere_with_categories_is_learned_and_served(
    fresh: Project, tmp_path: Path
) -> None:
    frame = pd.read_csv(ROOT / "tests/data/penguins.csv", keep_default_na=False, dtype=str)
    frame.to_csv(tmp_path / "penguins.csv")  # with an index
    init = ("python", "-m", "pipeline", "init", "../penguins.csv", "--target", "sex")
    assert fresh.run(*init).stdout == ""
    fresh.run("dvc", "repro")
    names = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year")
    male = dict(zip(names, (59.6, 17.0, 230, 6050, 2007), strict=True))
    female = dict(zip(names, (40.3, 18.0, 195, 3250, 2007), strict=True))
    rows = [
        {"species": "Gentoo", "island": "Biscoe", **male},
        {"species": "Adelie", "island": "Torgersen", **female},
    ]
    assert serve(fresh, "penguins", rows) == [0, 1]
    # The table lies outside, and is a dependency all the same.
    assert "didn't change" in fresh.run("dvc", "repro", "preprocess").stdout
    frame.iloc[1:].to_csv(tmp_path / "penguins.csv")
    assert "Running stage 'preprocess'" in fresh.run("dvc", "repro", "preprocess").stdout


def test_a_file_of_test_rows_is_a_dependency_where_there_is_one(fresh: Project) -> None:
    table = pd.read_csv(fresh.path / "data/diabetes.csv", dtype=str)
    table[:600].to_csv(fresh.path / "data/early.csv", index=False)
    table[600:].to_csv(fresh.path / "data/late.csv", index=False)
    params = fresh.path / "params.yaml"
    text = params.read_text().replace("file: data/diabetes.csv", "file: data/early.csv", 1)
    params.write_text(text.replace("test_file: data/none", "test_file: data/late.csv"))
    told = fresh.run("dvc", "repro", "preprocess").stdout
    assert "600 for training, 168 for the test: data/late.csv" in told
    assert "didn't change" in fresh.run("dvc", "repro", "preprocess").stdout
    table[650:].to_csv(fresh.path / "data/late.csv", index=False)
    assert "118 for the test" in fresh.run("dvc", "repro", "preprocess").stdout
    table[599:].to_csv(fresh.path / "data/late.csv", index=False)
    refused = fresh.run("dvc", "repro", "preprocess", check=False).stderr
    assert "data/late.csv, row 1: has a row that row 600 of data/early.csv has as well" in refused
