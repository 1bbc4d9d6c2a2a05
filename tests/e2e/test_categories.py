"""A table with categories, from its CSV to an answer: the same one by text and by code."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from serving.config import read_settings
from serving.following.sync import sync
from serving.predictor import load_served
from serving.store.sync_status import Kind
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.conftest import Project, copy_of_repository

NAME = "paint"
COLOURS = ["red", "green", "dark blue"]
FEATURES = {
    "colour": {"type": "category", "categories": COLOURS, "missing_values": ["?"]},
    "coats": {"type": "integer", "limits": [1, 9]},
    "finish": {"type": "category", "categories": ["matt", "gloss"], "unseen": "missing"},
}


def write_table(path: Path) -> None:
    rng = np.random.default_rng(5)
    colours = rng.choice([*COLOURS, "?"], 200)
    finishes = rng.choice(["matt", "gloss", "satin"], 200)
    coats = rng.integers(1, 6, 200)
    share = 0.1 + 0.15 * coats + 0.2 * (colours == "red") - 0.2 * (finishes == "matt")
    lasts = (rng.random(200) < share).astype(int)
    table = {"colour": colours, "coats": coats, "finish": finishes, "lasts": lasts}
    pd.DataFrame(table).to_csv(path, index=False)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after `dvc repro` on a table of its own."""
    project = copy_of_repository(tmp_path_factory.mktemp("painted") / "project")
    write_table(project.path / "data/paint.csv")
    yaml, file = YAML(), project.path / "params.yaml"
    params = yaml.load(file.read_text())
    data = {"file": "data/paint.csv", "target": "lasts", "positive_class": 1, "features": FEATURES}
    params.update(name=NAME, data=data)
    params["grid_search"].update(grid_size=2, folds=3)
    params["evaluate"]["subgroups"] = {}
    params["register"]["gates"].update(min_roc_auc=0.5, max_brier=0.3, max_calibration_error=0.3)
    with file.open("w") as written:
        yaml.dump(params, written)
    project.run("dvc", "repro")
    return project


def test_the_service_answers_by_text_as_mlflow_does_by_code(
    painted: Project, tmp_path: Path
) -> None:
    settings = read_settings({"SERVING_MODEL": NAME, "SERVING_STORE": str(tmp_path)})
    assert sync(settings, painted.store).kind is Kind.UPDATED
    state = State(settings, load_served(settings), None, Metrics())
    test = pd.read_csv(painted.path / "data/test.csv").drop(columns="lasts")
    answer = (
        create_app(state).test_client().post("/predict", json={"rows": test.to_dict("records")})
    )
    ours = pd.DataFrame(answer.get_json()["predictions"])
    codes = test.assign(
        colour=test["colour"].map({text: float(code) for code, text in enumerate(COLOURS)}),
        coats=test["coats"].astype(float),
        finish=test["finish"].map({"matt": 0.0, "gloss": 1.0}),
    )
    mlflow.set_tracking_uri(painted.store)
    theirs = mlflow.pyfunc.load_model(f"models:/{NAME}@production").predict(codes)
    np.testing.assert_array_equal(theirs["probability"], ours["probability"])
    assert ours["probability"].nunique() > 10
    assert (ours["warnings"].str.len() == (test["finish"] == "satin")).all()
