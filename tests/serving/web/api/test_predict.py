"""`POST /predict`: what it answers, and what it says to a bad body."""

import json
from hashlib import sha256
from threading import Timer

import msgspec
import numpy as np
import pytest

from serving.formats.json_reader import Reader
from serving.model import runs
from serving.model.scorer import Scorer
from serving.predictor import ServedModel, load_model
from serving.store.versions import Version
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.serving.small_model import (
    ENDLESS,
    NAME,
    ROWS,
    THRESHOLD,
    expected_probability,
    graph,
    write_endless,
)

ROW = {"Glucose": 148, "Age": 50, "Smoker": True}
MODEL = {"name": "heart", "version": "1", "stage": "production"}


def post(client, body, content_type="application/json"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/predict", data=data, content_type=content_type)


def client_of(settings, contract_json, bias=0.0):
    """Serve a graph that was never verified by golden predictions."""
    model = graph(sha256(contract_json).hexdigest(), bias).SerializeToString()
    version = Version("heart", "1", "production", "0" * 64)
    scorer = Scorer.open(model, contract_json)
    served = ServedModel(version, scorer, Reader(scorer.contract))
    return create_app(State(settings, served, None, Metrics())).test_client()


def test_one_row_is_answered(client):
    response = post(client, ROW)
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    answer = response.get_json()
    assert answer["model"] == MODEL
    (prediction,) = answer["predictions"]
    assert list(prediction) == ["label", "probability", "warnings"]
    assert prediction["label"] == "yes"
    assert prediction["probability"] == pytest.approx(expected_probability(ROW), rel=1e-12)
    assert prediction["warnings"] == []


def test_many_rows_are_answered_in_their_order(client):
    predictions = post(client, {"rows": ROWS}).get_json()["predictions"]
    expected = [expected_probability(row) for row in ROWS]
    assert [p["probability"] for p in predictions] == pytest.approx(expected, rel=1e-12)
    words = ["yes" if p >= THRESHOLD else "no" for p in expected]
    assert [p["label"] for p in predictions] == words


def test_probability_is_not_rounded(client, served):
    probability = post(client, ROW).get_json()["predictions"][0]["probability"]
    assert probability == served.scorer.score(np.array([[148.0, 50.0, 1.0]]))[1][0]


def test_null_is_missing_where_the_contract_allows_it(client):
    (prediction,) = post(client, {**ROW, "Glucose": None}).get_json()["predictions"]
    expected = expected_probability({**ROW, "Glucose": None})
    assert prediction["probability"] == pytest.approx(expected, rel=1e-12)


def test_order_of_the_fields_does_not_matter(client):
    turned = dict(reversed(ROW.items()))
    assert post(client, turned).get_json() == post(client, ROW).get_json()


def test_value_beyond_training_has_a_warning(client):
    answer = post(client, {"rows": [ROW, {**ROW, "Glucose": 300}]}).get_json()
    assert [p["warnings"] for p in answer["predictions"]] == [
        [],
        ["Glucose 300 is outside the range seen in training, 44 to 199"],
    ]


def test_charset_beside_the_content_type_is_taken(client):
    assert post(client, ROW, "application/json; charset=utf-8").status_code == 200


def test_feature_may_be_called_rows(contract, settings):
    features = [
        msgspec.structs.replace(f, name=n)
        for f, n in zip(contract.features, ["rows", "Age", "Smoker"], strict=True)
    ]
    text = msgspec.structs.replace(contract, features=tuple(features)).to_json()
    client = client_of(settings, text)
    row = {"rows": 148, "Age": 50, "Smoker": 1}
    single = post(client, row)
    assert single.status_code == 200
    assert post(client, {"rows": [row]}).get_json() == single.get_json()


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_rows_on_which_the_model_hangs_get_a_500_in_time(settings, tmp_path, caplog, path):
    digest = write_endless(tmp_path / "made")
    scorer, reader = load_model(tmp_path / "made", digest)
    served = ServedModel(Version(NAME, "1", "production", digest), scorer, reader)
    quick = msgspec.structs.replace(settings, deadline=0.2)
    app = create_app(State(quick, served, None, Metrics()))
    clock = Timer(0.3, runs.end_overdue)
    clock.start()
    body = {"Glucose": ENDLESS, "Age": 50, "Smoker": 1}
    answer = app.test_client().post(path, json={"inputs": [body]} if path != "/predict" else body)
    assert answer.status_code == 500
    assert "The model did not answer these rows" in answer.get_data(as_text=True)
    assert "The model did not answer these rows" in caplog.text


def test_answer_that_is_no_number_is_never_given(settings, contract):
    response = post(client_of(settings, contract.to_json(), float("nan")), {"rows": [ROW, ROW]})
    assert response.status_code == 422
    assert response.get_json()["detail"] == "The values of row 1 are too extreme for this model."


@pytest.mark.parametrize(
    ("body", "status", "detail", "pointers"),
    [
        (b"{", 400, "The body is not valid JSON: Input data was truncated.", []),
        (
            {"rows": [ROW, {**ROW, "Glucose": 5000, "Age": None}]},
            422,
            "Row 2, Glucose: 5000 is above the highest possible, 1000 (2 errors in all, 2 listed).",
            ["/rows/1/Glucose", "/rows/1/Age"],
        ),
        ({"rows": [ROW] * 21}, 413, "The body has more than 20 rows, the most taken at once.", []),
    ],
)
def test_body_that_is_refused(client, body, status, detail, pointers):
    response = post(client, body)
    assert response.status_code == status
    problem = response.get_json()
    assert problem["detail"] == detail
    assert [error["pointer"] for error in problem.get("errors", [])] == pointers


def test_most_rows_are_taken(client, settings):
    assert post(client, {"rows": [ROW] * settings.max_rows}).status_code == 200


def test_largest_body_is_taken_and_one_byte_more_is_not(client, settings):
    body = json.dumps(ROW).encode()
    assert post(client, body.ljust(settings.max_body)).status_code == 200
    response = post(client, body.ljust(settings.max_body + 1))
    assert response.status_code == 413
    assert "larger than 100000 bytes" in response.get_json()["detail"]


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_a_415(client, content_type):
    response = post(client, ROW, content_type)
    assert response.status_code == 415
    assert "Content-Type: application/json" in response.get_json()["detail"]
