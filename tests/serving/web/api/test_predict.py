"""`POST /predict`: what it answers, and what it says to a bad body."""

import json
from hashlib import sha256

import msgspec
import numpy as np
import pytest

from serving.formats.json_reader import Reader
from serving.model.scorer import Scorer
from serving.predictor import ServedModel
from serving.store.versions import Version
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.serving.small_model import ROWS, THRESHOLD, expected_probability, graph

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
    assert prediction["label"] == 1
    assert prediction["probability"] == pytest.approx(expected_probability(ROW), rel=1e-12)
    assert prediction["warnings"] == []


def test_many_rows_are_answered_in_their_order(client):
    predictions = post(client, {"rows": ROWS}).get_json()["predictions"]
    expected = [expected_probability(row) for row in ROWS]
    assert [p["probability"] for p in predictions] == pytest.approx(expected, rel=1e-12)
    assert [p["label"] for p in predictions] == [int(p >= THRESHOLD) for p in expected]


def test_the_probability_is_not_rounded(client, served):
    probability = post(client, ROW).get_json()["predictions"][0]["probability"]
    assert probability == served.scorer.score(np.array([[148.0, 50.0, 1.0]]))[1][0]


def test_null_is_missing_where_the_contract_allows_it(client):
    (prediction,) = post(client, {**ROW, "Glucose": None}).get_json()["predictions"]
    expected = expected_probability({**ROW, "Glucose": None})
    assert prediction["probability"] == pytest.approx(expected, rel=1e-12)


def test_the_order_of_the_fields_does_not_matter(client):
    turned = dict(reversed(ROW.items()))
    assert post(client, turned).get_json() == post(client, ROW).get_json()


def test_a_value_outside_the_range_seen_in_training_is_answered_with_a_warning(client):
    answer = post(client, {"rows": [ROW, {**ROW, "Glucose": 300}]}).get_json()
    assert [p["warnings"] for p in answer["predictions"]] == [
        [],
        ["Glucose 300 is outside the range seen in training, 44 to 199"],
    ]


def test_a_charset_beside_the_content_type_is_taken(client):
    assert post(client, ROW, "application/json; charset=utf-8").status_code == 200


def test_text_with_a_colon_is_no_repeated_key(client):
    response = post(client, {**ROW, "Note: a": "b:c"})
    assert response.status_code == 422
    assert response.get_json()["errors"][0]["pointer"] == "/Note: a"


BAD_JSON = [
    b"",
    b"{",
    b"not json",
    b'{"Glucose": NaN, "Age": 50, "Smoker": 1}',
    b'{"Glucose": Infinity, "Age": 50, "Smoker": 1}',
    b'{"Glucose": -Infinity, "Age": 50, "Smoker": 1}',
    b'{"Glucose": 1e999, "Age": 50, "Smoker": 1}',
    b'{"Glucose": 148, "Age": 50, "Smoker": 1} {}',
    b'{"Glucose": "\xff", "Age": 50, "Smoker": 1}',
    b'{"Glucose": ' + b"9" * 5000 + b', "Age": 50, "Smoker": 1}',
    b"[" * 50_000,
    b'{"a":' * 15_000,
]


@pytest.mark.parametrize("body", BAD_JSON)
def test_malformed_json_is_a_bad_request(client, body):
    response = post(client, body)
    assert response.status_code == 400
    assert response.get_json()["detail"].startswith("The body is ")


@pytest.mark.parametrize(
    "body",
    [
        b'{"Glucose": 148, "Glucose": 20, "Age": 50, "Smoker": 1}',
        b'{"rows": [{"Glucose": 148, "Age": 50, "Smoker": 1, "Glucose": 20}]}',
        b'{"rows": [], "rows": [{"Glucose": 148, "Age": 50, "Smoker": 1}]}',
        b'{"Glucose": 1, "Gluc\\u006fse": 2, "Age": 50, "Smoker": 1}',
    ],
)
def test_a_repeated_key_is_a_bad_request(client, body):
    response = post(client, body)
    assert response.status_code == 400
    assert "is twice in one object" in response.get_json()["detail"]


@pytest.mark.parametrize("body", [[], [ROW], 5, "row", None, True])
def test_a_body_that_is_no_object_is_told_what_is_expected(client, body):
    response = post(client, body)
    assert response.status_code == 422
    assert response.get_json()["detail"] == (
        'The body must be one row as an object, or {"rows": [...]}.'
    )


def test_an_empty_batch_is_refused(client):
    response = post(client, {"rows": []})
    assert response.status_code == 422
    assert response.get_json()["detail"] == "`rows` is empty; it must hold at least one row."


def test_an_empty_row_is_told_what_it_lacks(client):
    response = post(client, {})
    assert response.status_code == 422
    assert [e["pointer"] for e in response.get_json()["errors"]] == ["/Glucose", "/Age", "/Smoker"]


def test_a_row_that_is_no_object_is_pointed_to(client):
    response = post(client, {"rows": [ROW, 5]})
    assert response.status_code == 422
    assert response.get_json()["detail"] == "Row 2 is not an object."
    assert response.get_json()["errors"][0]["pointer"] == "/rows/1"


def test_nothing_may_stand_beside_rows(client):
    response = post(client, {"rows": [ROW], "threshold": 0.9})
    assert response.status_code == 422
    assert response.get_json()["errors"][0]["pointer"] == "/threshold"


def test_a_refused_value_of_a_single_row_is_named_and_pointed_to(client):
    problem = post(client, {**ROW, "Glucose": 5000}).get_json()
    assert problem["detail"] == "Glucose: 5000 is above the highest possible, 1000."
    assert problem["errors"] == [
        {"pointer": "/Glucose", "detail": "5000 is above the highest possible, 1000"}
    ]


def test_a_refused_value_of_a_batch_is_named_with_its_row(client):
    response = post(client, {"rows": [ROW, {**ROW, "Glucose": 5000, "Age": None}]})
    assert response.status_code == 422
    problem = response.get_json()
    assert problem["detail"] == (
        "Row 2, Glucose: 5000 is above the highest possible, 1000 (2 errors in all, 2 listed)."
    )
    assert [e["pointer"] for e in problem["errors"]] == ["/rows/1/Glucose", "/rows/1/Age"]


def test_no_more_than_ten_errors_are_listed_and_all_are_counted(client):
    problem = post(client, {"rows": [{**ROW, "Age": 5}] * 15}).get_json()
    assert len(problem["errors"]) == 10
    assert "(15 errors in all, 10 listed)" in problem["detail"]


def test_a_pointer_escapes_what_has_a_meaning_in_it(client):
    problem = post(client, {**ROW, "a/b~c": 1}).get_json()
    assert problem["errors"][0]["pointer"] == "/a~1b~0c"


def test_a_feature_may_be_called_rows(contract, settings):
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


def test_an_answer_that_is_no_number_is_never_given(settings, contract):
    response = post(client_of(settings, contract.to_json(), float("nan")), {"rows": [ROW, ROW]})
    assert response.status_code == 422
    assert response.get_json()["detail"] == "The values of row 1 are too extreme for this model."


def test_the_most_rows_are_taken_and_one_more_is_not(client, settings):
    assert post(client, {"rows": [ROW] * settings.max_rows}).status_code == 200
    response = post(client, {"rows": [ROW] * (settings.max_rows + 1)})
    assert response.status_code == 413
    assert response.get_json()["detail"] == "The body has 21 rows; at most 20 are taken at once."


def test_the_largest_body_is_taken_and_one_byte_more_is_not(client, settings):
    body = json.dumps(ROW).encode()
    assert post(client, body.ljust(settings.max_body)).status_code == 200
    response = post(client, body.ljust(settings.max_body + 1))
    assert response.status_code == 413
    assert "larger than 100000 bytes" in response.get_json()["detail"]


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_told_which_header_to_send(client, content_type):
    response = post(client, ROW, content_type)
    assert response.status_code == 415
    assert "Content-Type: application/json" in response.get_json()["detail"]
