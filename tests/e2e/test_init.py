"""A table that the project has never seen: `init`, `dvc repro`, and the service answers."""

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from pipeline.__main__ import main
from tests.conftest import ROOT, Project, copy_of_repository
from tests.running import eventually, service


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


def serve(project: Project, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Start the service in the project's folder, and return its answers to some rows."""
    variables = {"SERVING_MODEL": name, "MLFLOW_TRACKING_URI": project.store}
    with service(project.path, **variables) as running:
        eventually(lambda: running.get("/readyz").ok, within=60)
        response = running.predict({"rows": rows.to_dict("records")})
    assert response.status_code == 200, response.text
    return pd.DataFrame(response.json()["predictions"])


def test_table_of_several_classes_is_learned_and_served(
    fresh: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(ROOT / "tests/data/penguins.csv", fresh.path / "data/penguins.csv")
    monkeypatch.chdir(fresh.path)
    assert main(["init", "data/penguins.csv", "--target", "species"]) == 0
    told = fresh.run("dvc", "repro").stdout
    assert "species 146 Adelie, 68 Chinstrap, 119 Gentoo" in told
    test = pd.read_csv("data/test.csv").drop(columns="species")
    predictions = serve(fresh, "penguins", test)
    answered = pd.DataFrame([*predictions["probabilities"]])
    assert [*answered] == ["Adelie", "Chinstrap", "Gentoo"]
    np.testing.assert_allclose(answered.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (predictions["label"] == answered.idxmax(axis=1)).all()
    assert (predictions["label"] == pd.read_csv("data/test.csv")["species"]).mean() > 0.95
    codes = test.assign(**{name: pd.Categorical(test[name]).codes for name in ("island", "sex")})
    mlflow.set_tracking_uri(fresh.store)
    model = mlflow.pyfunc.load_model("models:/penguins@production")
    theirs = pd.DataFrame(model.predict(codes.astype(float)))
    names = [f"probability_{place}" for place in range(3)]
    np.testing.assert_array_equal(theirs[names], answered)
    assert (answered.columns[theirs["label"]] == predictions["label"]).all()
    assert main(["compare", "production", "1"]) == 0
    assert main(["card", "production"]) == 0


def mlflow_answers(project: Project, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what MLflow's own model answers, which takes categories by code."""
    codes = rows.assign(
        species=rows["species"].map({"Adelie": 0, "Chinstrap": 1, "Gentoo": 2}),
        island=rows["island"].map({"Biscoe": 0, "Dream": 1}),
    )
    mlflow.set_tracking_uri(project.store)
    model = mlflow.pyfunc.load_model(f"models:/{name}@production")
    return pd.DataFrame(model.predict(codes.astype(float)))


def test_table_with_categories_is_learned_and_served(
    fresh: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.read_csv(ROOT / "tests/data/penguins.csv", keep_default_na=False, dtype=str)
    written = frame.map(lambda cell: cell.replace(".", ","))
    written.to_csv(tmp_path / "penguins.csv", sep=";")  # with an index
    monkeypatch.chdir(fresh.path)
    assert main(["init", "../penguins.csv", "--target", "sex"]) == 0
    params = fresh.path / "params.yaml"
    found, ours = "      - Torgersen\n", "      unseen: missing\n"
    assert f"      - Biscoe\n      - Dream\n{found}" in params.read_text()
    assert "read: {separator: ;, decimal: ','}" in params.read_text()
    params.write_text(params.read_text().replace(found, ours))
    fresh.run("dvc", "repro")
    test = pd.read_csv(fresh.path / "data/test.csv").drop(columns="sex")
    predictions = serve(fresh, "penguins", test)
    from_mlflow = mlflow_answers(fresh, "penguins", test)
    np.testing.assert_array_equal(from_mlflow["probability"], predictions["probability"])
    assert predictions["probability"].nunique() > 10
    warned = predictions["warnings"].map(lambda said: 'island "Torgersen"' in " ".join(said))
    assert (warned == (test["island"] == "Torgersen")).all()
    assert warned.any()
    sexes = pd.read_csv(fresh.path / "data/test.csv")["sex"]
    assert (predictions["label"] == sexes).mean() > 0.8
    # The table lies outside, and is a dependency all the same.
    written.iloc[1:].to_csv(tmp_path / "penguins.csv", sep=";")
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
    table[650:].to_csv(fresh.path / "data/late.csv", index=False)
    assert "118 for the test" in fresh.run("dvc", "repro", "preprocess").stdout
