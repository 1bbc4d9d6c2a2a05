"""A category through every door of the service: texts where people write, codes in tensors."""

import csv
import io
import json

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from serving.predictor import answer
from serving.web.openapi.schemas import value_schema
from tests.serving.small_model import (
    NAME,
    WITH_ANY_WORD,
    WITH_OTHERS,
    WITH_WORDS,
    expected_probability,
)

ROW = {"Glucose": 148, "Age": 50, "Smoker": "now, and then"}
DAILY = {**ROW, "Smoker": "daily"}
REFUSED = '"hourly" is none of the categories never, now, and then, daily'
TAKEN = 'Smoker "hourly" was not among the categories in training: treated as missing'


@pytest.fixture
def contract():
    """The contract of this module's model; a test asks for another one by a parameter."""
    return WITH_WORDS


lenient = pytest.mark.parametrize("contract", [WITH_ANY_WORD], ids=["unseen is missing"])


def expected(smoker):
    """Compute the answer by the code; the small model takes 0 for what is missing."""
    return pytest.approx(expected_probability({**ROW, "Smoker": smoker}), rel=1e-12)


def probabilities(response):
    assert response.status_code == 200, response.get_data(as_text=True)
    body = response.get_json()
    if "outputs" in body:
        return body["outputs"][1]["data"]
    return [prediction["probability"] for prediction in body["predictions"]]


def post_csv(client, text, path="/predict"):
    return client.post(path, data=text.encode(), content_type="text/csv")


def test_predict_takes_the_text(client):
    assert probabilities(client.post("/predict", json=ROW)) == [expected(1)]
    rows = [ROW, DAILY, {**ROW, "Smoker": None}, {**ROW, "Smoker": "?"}]
    response = client.post("/predict", json={"rows": rows})
    assert probabilities(response) == [expected(1), expected(2), expected(0), expected(0)]
    assert [p["warnings"] for p in response.get_json()["predictions"]] == [[], [], [], []]


@pytest.mark.parametrize("value", [0, 1.0, True, []])
def test_predict_takes_no_code(client, value):
    response = client.post("/predict", json={**ROW, "Smoker": value})
    assert response.status_code == 422
    (error,) = response.get_json()["errors"]
    assert error["pointer"] == "/Smoker"
    assert error["detail"].endswith("is not text; the categories are never, now, and then, daily")


def test_a_text_that_is_no_category_is_refused_where_it_stands(client):
    response = client.post("/predict", json={"rows": [ROW, {**ROW, "Smoker": "hourly"}]})
    assert response.status_code == 422
    assert response.get_json()["errors"] == [{"pointer": "/rows/1/Smoker", "detail": REFUSED}]


@pytest.mark.parametrize("contract", [WITH_OTHERS], ids=["unseen is other"])
def test_rare_and_new_texts_are_one_category_with_a_warning(client):
    rows = [{**ROW, "Smoker": text} for text in ("weekly", "hourly", "daily")]
    response = client.post("/predict", json={"rows": rows})
    assert probabilities(response) == [expected(3), expected(3), expected(2)]
    assert [p["warnings"] for p in response.get_json()["predictions"]] == [
        ['Smoker "weekly" was rare in training: treated as other'],
        ['Smoker "hourly" was not among the categories in training: treated as other'],
        [],
    ]
    lines = "".join(f"148,50,{text}\n" for text in ("weekly", "hourly"))
    answer = csv.DictReader(
        io.StringIO(post_csv(client, f"Glucose,Age,Smoker\n{lines}").get_data(as_text=True))
    )
    assert [float(row["probability"]) for row in answer] == [expected(3)] * 2


@lenient
def test_a_text_that_is_no_category_may_be_taken_as_missing_with_a_warning(client):
    rows = [ROW, {**ROW, "Smoker": "hourly", "Glucose": 300}]
    response = client.post("/predict", json={"rows": rows})
    assert [p["warnings"] for p in response.get_json()["predictions"]] == [
        [],
        ["Glucose 300 is outside the range seen in training, 44 to 199", TAKEN],
    ]
    alone = client.post("/predict", json={**ROW, "Smoker": "hourly"})
    assert probabilities(alone) == [expected(0)]
    assert alone.get_json()["predictions"][0]["warnings"] == [TAKEN]


@lenient
def test_texts_that_are_no_categories_are_counted(client):
    client.post("/predict", json={"rows": [{**ROW, "Smoker": "hourly"}] * 3})
    assert 'serving_out_of_range_total{feature="Smoker"} 3.0' in client.get("/metrics").text


BODIES = [
    {"dataframe_records": [ROW, DAILY]},
    {"dataframe_split": {"columns": list(ROW), "data": [[*ROW.values()], [*DAILY.values()]]}},
    {"instances": [[*ROW.values()], [*DAILY.values()]]},
    {"inputs": {"Glucose": 148, "Age": 50, "Smoker": ["now, and then", "daily"]}},
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: next(iter(body)))
def test_mlflow_s_protocol_takes_the_text(client, body):
    assert probabilities(client.post("/invocations", json=body)) == [expected(1), expected(2)]


TABLE = 'Smoker,Glucose,Age\n"now, and then",148,50\n daily ,148,50\n?,148,50\nNA,148,50\n'


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_a_table_has_the_text(client, path):
    response = post_csv(client, TABLE, path)
    if path == "/invocations":
        found = probabilities(response)
    else:
        found = [float(row["probability"]) for row in csv.DictReader(io.StringIO(response.text))]
    assert found == [expected(1), expected(2), expected(0), expected(0)]


def test_a_text_in_a_table_that_is_no_category_is_refused(client):
    response = post_csv(client, TABLE + "hourly,148,50\n")
    assert response.get_json()["detail"] == f"Row 5, Smoker: {REFUSED}."
    refused = post_csv(client, TABLE + "1,148,50\n")
    assert '"1" is none of the categories' in refused.get_json()["detail"]


@lenient
def test_a_text_in_a_table_that_is_taken_as_missing_has_its_warning(client):
    response = post_csv(client, TABLE + "hourly,148,50\n")
    warnings = [row["warnings"] for row in csv.DictReader(io.StringIO(response.text))]
    assert warnings == ["", "", "", "", TAKEN]


def infer(client: FlaskClient, *smoker):
    data = [value for code in smoker for value in (148, 50, code)]
    tensor = {"name": "x", "shape": [len(smoker), 3], "datatype": "FP64", "data": data}
    return client.post(f"/v2/models/{NAME}/infer", json={"inputs": [tensor]})


def test_a_tensor_has_the_code(client):
    assert probabilities(infer(client, 1, 2.0, None)) == [expected(1), expected(2), expected(0)]


@pytest.mark.parametrize(
    ("code", "said"), [(3, "3"), (-1, "-1"), (0.5, "0.5"), ("daily", '"daily"')]
)
def test_what_is_no_code_in_a_tensor_is_refused(client, code, said):
    response = infer(client, 1, code)
    assert response.status_code == 400
    assert response.get_json()["error"] == (
        f"Row 2, Smoker: {said} is not the number of a category: "
        "whole numbers from 0 (never) to 2 (daily) are."
    )


def test_a_version_whose_golden_rows_have_texts_is_verified(served, settings):
    """It is loaded from the store, as a worker does."""
    golden = settings.store / "versions" / served.version.digest / "golden.json"
    rows = json.loads(golden.read_text())["rows"]
    assert {row["Smoker"] for row in rows} == {"never", "now, and then"}
    assert answer(served, [ROW]).predictions[0].probability == expected(1)


def test_the_contract_tells_a_form_what_to_offer(client):
    described = client.get("/contract").get_json()
    smoker = described["contract"]["features"][2]
    assert smoker["categories"] == ["never", "now, and then", "daily"]
    assert described["example"]["Smoker"] == "never"


VALUES = ["never", "daily", "?", None, "hourly", "", "Never", 0, 1, True, [], {}]


@pytest.mark.parametrize("contract", [WITH_WORDS, WITH_ANY_WORD], ids=["refuse", "missing"])
def test_the_document_allows_exactly_the_values_that_are_answered(client, contract):
    schema = value_schema(contract.features[2])
    for value in VALUES:
        response = client.post("/predict", json={**ROW, "Smoker": value})
        is_valid = Draft202012Validator(schema).is_valid(value)
        assert is_valid == (response.status_code == 200), value


def test_the_categories_are_an_enumeration_and_named_where_any_text_is_taken():
    assert value_schema(WITH_WORDS.features[2]) == {
        "description": "",
        "anyOf": [
            {"type": "string", "enum": ["never", "now, and then", "daily"]},
            {"enum": ["?"], "description": "means that the value is missing"},
            {"type": "null"},
        ],
    }
    described = value_schema(WITH_ANY_WORD.features[2])
    assert described["anyOf"][0] == {"type": "string"}
    assert described["description"] == (
        "one of never, now, and then, daily; any other is treated as missing"
    )


def test_the_document_s_examples_are_answered(client):
    document = client.get("/openapi.json").get_json()
    for path in ("/predict", "/invocations", "/v2/models/{name}/infer"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        for kind, media in content.items():
            several = [each["value"] for each in media.get("examples", {}).values()]
            for example in several or [media["example"]]:
                text = example if isinstance(example, str) else json.dumps(example)
                response = client.post(path.format(name=NAME), data=text, content_type=kind)
                assert response.status_code == 200, (path, response.get_data())


def test_the_document_says_which_codes_tensors_have(client):
    tensor = client.get("/openapi.json").get_json()["components"]["schemas"]["Tensor"]
    assert tensor["description"] == (
        "Numbers, or null for a missing value; Smoker: 0 is never, 1 is now, and then, 2 is daily"
    )
