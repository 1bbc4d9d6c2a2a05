"""The OpenAPI document says what the service does, for the model that answers."""

import json
import re

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from serving.config import Settings
from serving.model.contract import Contract, Feature
from serving.store.versions import Version
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.openapi.document import HEADERS, describe
from serving.web.openapi.schemas import csv_example, value_schema
from serving.web.worker_state import State
from tests.serving.explained_model import write_svm
from tests.serving.small_model import CONTRACT, SPECIES

VERSION = Version("heart", "1", "production", "0" * 64)
NOT_DESCRIBED = {"/", "/docs", "/openapi.json", "/static/{name}", "/static/swagger/{name}"}
ROW = {"Glucose": 148, "Age": 50, "Smoker": True}


@pytest.fixture
def document(client):
    return client.get("/openapi.json").get_json()


def described(contract, *, keys=False, explains=False, **settings):
    given = describe(
        contract, VERSION, Settings(model="heart", **settings), keys=keys, explains=explains
    )
    return json.loads(msgspec.json.encode(given))


def errors_of(document, schema, value):
    """Give what a schema of the document finds wrong with a value."""
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [error.message for error in validator.iter_errors(value)]


def body_schema(document, path="/predict"):
    return document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]


def check_answer(document, path, response, method="post"):
    """Hold an answer to what the document says of this path, status and media type."""
    responses = document["paths"][path][method]["responses"]
    said = responses[str(response.status_code)]
    assert set(said["headers"]) == {name for name in HEADERS if name in response.headers}
    schema = said["content"][response.mimetype]["schema"]
    value = response.get_json() if response.is_json else response.get_data(as_text=True)
    assert errors_of(document, schema, value) == []


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("hosts", [(), ("example.org",)])
def test_the_document_is_valid(contract, keys, hosts):
    OpenAPIV31SpecValidator(described(contract, keys=keys, trusted_hosts=hosts)).validate()


def test_every_address_is_described_and_no_other(app, document):
    rules = [re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()]
    # This version has nothing to explain its answers with.
    assert set(document["paths"]) == set(rules) - NOT_DESCRIBED - {"/explain"}


def test_an_address_is_described_with_its_method(app, document):
    adapter = app.url_map.bind("localhost")
    for path, item in document["paths"].items():
        (method,) = item.keys() - {"parameters"}
        real = path.format(name="heart", version="1")
        assert adapter.test(real, method.upper()), path


VALUES = [None, True, False, 0, 1, 0.0, 1.0, 2, 2.5, -1, 17, 18, 19.9, 20, 40.0, 120, 121, 1000]
VALUES += [1000.1, 1e300, "20", "", [], [20], {}]


@pytest.mark.parametrize("name", list(ROW))
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_row_is_valid_exactly_where_it_is_answered(client, document, name, value):
    row = {**ROW, name: value}
    answered = client.post("/predict", json=row).status_code == 200
    assert (errors_of(document, body_schema(document), row) == []) == answered
    batch = {"rows": [ROW, row]}
    assert (errors_of(document, body_schema(document), batch) == []) == answered


@pytest.mark.parametrize(
    "body", [{}, {"Glucose": 148}, {**ROW, "More": 1}, {"rows": []}, {"rows": [ROW], "More": 1}]
)
def test_neither_less_nor_more_than_a_row_is_valid(client, document, body):
    assert client.post("/predict", json=body).status_code == 422
    assert errors_of(document, body_schema(document), body) != []


def test_the_most_rows_are_valid_and_one_more_is_not(document, settings):
    most = {"rows": [ROW] * settings.max_rows}
    assert errors_of(document, body_schema(document), most) == []
    assert errors_of(document, body_schema(document), {"rows": [*most["rows"], ROW]}) != []


def test_a_feature_that_is_called_rows_leaves_no_doubt(contract):
    glucose = msgspec.structs.replace(contract.features[0], name="rows")
    document = described(msgspec.structs.replace(contract, features=(glucose,)))
    for body in ({"rows": 148}, {"rows": None}, {"rows": [{"rows": 148}]}):
        assert errors_of(document, body_schema(document), body) == []
    assert errors_of(document, body_schema(document), {"rows": []}) != []


def test_every_example_is_valid_and_answered_as_described(client, document):
    assert send_examples(client, document) == 7


def send_examples(client, document, only=""):
    """Send the examples of paths that begin so, check the answers, and give how many there were."""
    asked = 0
    for path, item in document["paths"].items():
        if not path.startswith(only):
            continue
        content = item["post"]["requestBody"]["content"] if "post" in item else {}
        for mimetype, media in content.items():
            several = [example["value"] for example in media.get("examples", {}).values()]
            for example in several or [media["example"]]:
                assert errors_of(document, media["schema"], example) == []
                text = example if isinstance(example, str) else json.dumps(example)
                real = path.format(name="heart", version="1")
                response = client.post(real, data=text, content_type=mimetype)
                assert response.status_code == 200, (path, response.get_data())
                check_answer(document, path, response)
                asked += 1
    return asked


def test_every_get_is_answered_as_described(client, document):
    for path, item in document["paths"].items():
        if "get" in item:
            response = client.get(path.format(name="heart", version="1"))
            assert response.status_code == 200, path
            check_answer(document, path, response, "get")


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/v2/models/{name}/infer"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"{}", "application/json"),
        (b"[]", "application/json"),
        (b"{}", "text/plain"),
        (b" " * 100_001, "application/json"),
        (b"{}", "application/json; charset=utf-8"),
    ],
)
def test_every_error_is_as_described(client, document, path, body, content_type):
    response = client.post(path.format(name="heart"), data=body, content_type=content_type)
    assert response.status_code >= 400
    check_answer(document, path, response)


def test_an_error_of_a_field_is_as_described(client, document):
    response = client.post("/predict", json={**ROW, "Age": 5})
    assert response.get_json()["errors"]
    check_answer(document, "/predict", response)


def test_another_model_is_refused_as_described(client, document):
    for path in ("/v2/models/{name}", "/v2/models/{name}/ready"):
        response = client.get(path.format(name="another"))
        assert response.status_code == 404
        check_answer(document, path, response, "get")


def test_what_fails_without_a_model_is_described(client_without_model, document):
    for path, item in document["paths"].items():
        (method,) = item.keys() - {"parameters"}
        real = path.format(name="heart", version="1")
        response = client_without_model.open(real, method=method, json={})
        assert str(response.status_code) in item[method]["responses"], path
        check_answer(document, path, response, method)


def test_without_keys_nothing_is_said_of_keys(document):
    assert "securitySchemes" not in document["components"]
    for path, method in operations(document):
        assert "security" not in document["paths"][path][method]
        assert not {"401", "403"} & set(document["paths"][path][method]["responses"])


def test_with_keys_each_address_says_what_it_needs_and_answers(settings, served):
    client = create_app(State(settings, served, (), Metrics())).test_client()
    document = described(served.scorer.contract, keys=True)
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    for path, method in operations(document):
        real = path.format(name="heart", version="1")
        response = client.open(real, method=method, json={})
        closed = response.status_code == 401
        assert ("security" in document["paths"][path][method]) == closed, path
        if closed:
            check_answer(document, path, response, method)


def test_the_role_that_a_prediction_needs_is_named(contract):
    operation = described(contract, keys=True)["paths"]["/predict"]["post"]
    assert operation["description"] == "Needs a key with the role `predict`."
    assert "403" in operation["responses"]


def operations(document):
    return [
        (path, method)
        for path, item in document["paths"].items()
        for method in item.keys() - {"parameters"}
    ]


def test_a_field_is_described_with_its_unit_and_the_range_seen(contract):
    assert value_schema(contract.features[0]) == {
        "description": "in mg/dL; 44 to 199 in training",
        "x-unit": "mg/dL",
        "anyOf": [
            {"type": "number", "minimum": 20, "maximum": 1000},
            {"enum": [0], "description": "means that the value is missing"},
            {"type": "null"},
        ],
    }


def test_a_field_without_limits_has_none():
    assert value_schema(Feature(name="x", description="An x")) == {
        "description": "An x",
        "type": "number",
    }


def test_a_comma_in_a_name_is_quoted_in_the_example_of_a_table():
    feature = Feature(name="Height, in all", training_range=(1, 2))
    contract = Contract(target="y", classes=(0, 1), features=(feature,))
    assert csv_example(contract) == '"Height, in all"\n1.5\n'


def test_a_label_is_a_class_and_in_other_protocols_its_place(document):
    found = document["components"]["schemas"]
    assert found["Prediction"]["properties"]["label"] == {
        "enum": ["no", "yes"],
        "description": "Disease: `no`, `yes`",
    }
    label = found["Predictions"]["properties"]["predictions"]["items"]["properties"]["label"]
    assert label == {"enum": [0, 1], "description": "Disease: 0 is `no`, 1 is `yes`"}
    assert "label 0 is `no`, 1 is `yes`" in found["InferAnswer"]["description"]


def test_a_date_is_a_text_in_rows_and_a_number_of_days_in_tensors():
    day = Feature(
        name="day", type="date", date_format="%Y", parts=("year",), training_range=(0, 365)
    )
    document = described(Contract(target="y", classes=(0, 1), features=(day,), threshold=0.5))
    assert OpenAPIV31SpecValidator(document).is_valid()
    assert errors_of(document, {"$ref": "#/components/schemas/Row"}, {"day": "1970"}) == []
    assert "day: days since 1970-01-01" in json.dumps(document)


def test_names_of_classes_are_described_and_no_value(contract):
    named = msgspec.structs.replace(contract, class_names=("well", "ill"))
    document = described(named)
    label = document["components"]["schemas"]["Prediction"]["properties"]["label"]
    assert label == {"enum": ["no", "yes"], "description": "Disease: `no` (well), `yes` (ill)"}
    assert "that Disease is `yes` (ill)." in document["info"]["description"]


@pytest.mark.parametrize("contract", [CONTRACT, SPECIES], ids=["two classes", "three classes"])
class TestAVersionThatCanBeExplained:
    @pytest.fixture
    def make_model(self, contract):
        return lambda directory: write_svm(directory, contract)

    def test_explanations_are_described(self, contract, document):
        OpenAPIV31SpecValidator(document).validate()
        (query,) = document["paths"]["/explain"]["parameters"]
        assert (query["name"], query["in"]) == ("class", "query")
        assert query["schema"]["enum"] == [str(value) for value in contract.classes]

    def test_every_example_is_answered_as_described(self, client, document):
        assert send_examples(client, document, "/explain") == 3

    def test_each_class_that_is_described_may_be_asked_for(self, client, document):
        (query,) = document["paths"]["/explain"]["parameters"]
        for name in query["schema"]["enum"]:
            response = client.post("/explain", json=ROW, query_string={"class": name})
            assert response.status_code == 200
            check_answer(document, "/explain", response)

    @pytest.mark.parametrize(
        ("status", "body", "content_type", "query"),
        [
            (400, b"{", "application/json", {}),
            (413, b" " * 100_001, "application/json", {}),
            (413, json.dumps({"rows": [ROW] * 4}).encode(), "application/json", {}),
            (415, b"{}", "text/plain", {}),
            (422, b"{}", "application/json", {}),
            (422, json.dumps(ROW).encode(), "application/json", {"class": "none"}),
        ],
    )
    def test_every_error_is_as_described(
        self, make_app, document, status, body, content_type, query
    ):
        client = make_app(max_explained=3).test_client()
        response = client.post("/explain", data=body, content_type=content_type, query_string=query)
        assert response.status_code == status
        check_answer(document, "/explain", response)

    def test_without_a_model_or_a_key_it_is_refused_as_described(
        self, contract, client_without_model, make_app
    ):
        document = described(contract, keys=True, explains=True)
        for status, app in ((503, client_without_model), (401, make_app(keys=()).test_client())):
            response = app.post("/explain", json=ROW)
            assert response.status_code == status
            check_answer(document, "/explain", response)

    def test_as_many_rows_as_may_be_explained_are_valid_and_one_more_is_not(self, contract):
        document = described(contract, explains=True, max_explained=3)
        schema = body_schema(document, "/explain")
        assert errors_of(document, schema, {"rows": [ROW] * 3}) == []
        assert errors_of(document, schema, {"rows": [ROW] * 4}) != []
