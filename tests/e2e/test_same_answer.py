"""Evaluated = registered = served: the same rows get the same answers everywhere."""

import io
import json
import re

import mlflow
import numpy as np
import pandas as pd
import pytest
from flask.testing import FlaskClient

from serving.config import Settings, read_settings
from serving.following.sync import sync
from serving.model.scorer import Scorer
from serving.predictor import load_served
from serving.store.sync_status import Kind
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.conftest import ROOT, Project
from tests.e2e.conftest import NAME


@pytest.fixture(scope="module")
def rows(trained: Project) -> pd.DataFrame:
    return pd.read_csv(trained.path / "data/test.csv").drop(columns="Outcome").astype(float)


@pytest.fixture(scope="module")
def settings(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    store = tmp_path_factory.mktemp("store")
    settings = read_settings({"SERVING_MODEL": NAME, "SERVING_STORE": str(store)})
    assert sync(settings, trained.store).kind is Kind.UPDATED
    return settings


@pytest.fixture(scope="module")
def client(settings: Settings) -> FlaskClient:
    state = State(settings, load_served(settings), None, Metrics())
    return create_app(state).test_client()


def test_mlflow_answers_as_the_service_does(
    trained: Project, rows: pd.DataFrame, client: FlaskClient
) -> None:
    mlflow.set_tracking_uri(trained.store)
    theirs = mlflow.pyfunc.load_model(f"models:/{NAME}@production").predict(rows)
    answer = client.post("/predict", json={"rows": rows.to_dict("records")}).get_json()
    ours = pd.DataFrame(answer["predictions"])
    assert len(ours) == len(rows)
    np.testing.assert_array_equal(theirs["probability"], ours["probability"])
    np.testing.assert_array_equal(theirs["label"], ours["label"])


def test_the_service_answers_as_the_evaluation_did(
    trained: Project, rows: pd.DataFrame, client: FlaskClient
) -> None:
    evaluated = Scorer.load(trained.path / "artifacts/model").score(rows.to_numpy())
    answer = client.post("/predict", json={"rows": rows.to_dict("records")}).get_json()
    assert [p["label"] for p in answer["predictions"]] == evaluated[0].tolist()
    assert [p["probability"] for p in answer["predictions"]] == evaluated[1].tolist()


def test_every_protocol_answers_alike(rows: pd.DataFrame, client: FlaskClient) -> None:
    some = rows.copy()
    some.loc[::7, ["Glucose", "Insulin", "BMI"]] = np.nan
    records = json.loads(some.to_json(orient="records", double_precision=15))
    cells = [value for record in records for value in record.values()]
    tensor = {"name": "x", "shape": list(some.shape), "datatype": "FP64", "data": cells}
    columns = [
        {"name": name, "shape": [len(some), 1], "datatype": "FP64", "data": list(column)}
        for name, column in zip(some, zip(*(r.values() for r in records), strict=True), strict=True)
    ]
    expected = _probabilities(client, "/predict", {"rows": records})
    for path, body in (
        ("/invocations", {"dataframe_records": records}),
        (
            "/invocations",
            {"dataframe_split": json.loads(some.to_json(orient="split", double_precision=15))},
        ),
        ("/invocations", {"instances": records}),
        (f"/v2/models/{NAME}/infer", {"inputs": [tensor]}),
        (f"/v2/models/{NAME}/versions/1/infer", {"inputs": columns}),
    ):
        np.testing.assert_allclose(_probabilities(client, path, body), expected, rtol=0, atol=1e-9)
    table = client.post("/predict", data=some.to_csv(index=False), content_type="text/csv")
    scored = pd.read_csv(io.StringIO(table.get_data(as_text=True)))
    np.testing.assert_allclose(scored["probability"], expected, rtol=0, atol=1e-9)


def _probabilities(client: FlaskClient, path: str, body: dict[str, object]) -> list[float]:
    answer = client.post(path, json=body).get_json()
    if "outputs" in answer:
        return next(o["data"] for o in answer["outputs"] if o["name"] == "probability")
    return [prediction["probability"] for prediction in answer["predictions"]]


def test_zero_and_null_are_the_same_missing_value(client: FlaskClient, rows: pd.DataFrame) -> None:
    row = dict(zip(rows.columns, [6, 148, 72, 35, 0, 33.6, 0.627, 50], strict=True))
    zero = client.post("/predict", json=row).get_json()
    null = client.post("/predict", json={**row, "Insulin": None}).get_json()
    assert zero == null
    assert zero["model"] == {"name": NAME, "version": "1", "stage": "production"}


def test_a_value_beyond_the_limits_is_an_error_and_an_unusual_one_a_warning(
    client: FlaskClient, rows: pd.DataFrame
) -> None:
    row = rows.iloc[0].to_dict()
    unusual = client.post("/predict", json={**row, "Glucose": 500}).get_json()
    assert unusual["predictions"][0]["warnings"] == [
        "Glucose 500 is outside the range seen in training, 44 to 199"
    ]
    refused = client.post("/predict", json={"rows": [row, {**row, "Glucose": 5000}]})
    assert refused.status_code == 422
    assert refused.get_json()["errors"] == [
        {"pointer": "/rows/1/Glucose", "detail": "5000 is above the highest possible, 1000"}
    ]


def test_the_readme_s_request_gets_the_readme_s_answer(client: FlaskClient) -> None:
    readme = (ROOT / "README.md").read_text()
    (request,) = re.findall(r"-d '(\{.*?\})'", readme, re.DOTALL)
    (answer,) = re.findall(r"```json\n(.*?)\n```", readme, re.DOTALL)
    response = client.post("/predict", data=request, content_type="application/json")
    said, shown = response.get_json(), json.loads(answer)
    # Another processor's arithmetic may differ in the last digits.
    (prediction,) = shown["predictions"]
    prediction["probability"] = pytest.approx(prediction["probability"], abs=1e-6)
    assert said == shown
