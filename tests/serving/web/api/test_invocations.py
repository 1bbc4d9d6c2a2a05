"""`POST /invocations`: what MLflow's own server answers, and one sentence where it cannot."""

import json
import logging
import math
import warnings
from hashlib import sha256

import mlflow.onnx
import onnx
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types import ColSpec, DataType, Schema

from serving.formats.json_reader import Reader
from serving.model.scorer import Scorer, probability_outputs
from serving.predictor import ServedModel
from serving.store.versions import Version
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.serving.small_model import ROWS, SPECIES, expected_probability, graph, species_graph

NAMES = ["Glucose", "Age", "Smoker"]
DATA = [[row[name] for name in NAMES] for row in ROWS]
COLUMNS = {name: [row[name] for row in ROWS] for name in NAMES}
EXPECTED = [expected_probability(row) for row in ROWS]
ROW = {"Glucose": 148, "Age": 50, "Smoker": 1}
CSV = "Glucose,Age,Smoker\n148,50,1\n85,31,0\n,22,1\n0,22,1\n"
KEYS = "dataframe_split, dataframe_records, instances, inputs"


def post(client, body, content_type="application/json", **more):
    data = body.encode() if isinstance(body, str) else body
    data = data if isinstance(data, bytes) else json.dumps(body).encode()
    return client.post("/invocations", data=data, content_type=content_type, buffered=True, **more)


def refused(response, status=400):
    assert response.status_code == status
    assert response.mimetype == "application/json"
    error = response.get_json()
    assert list(error) == ["error_code", "message"]
    return error["message"]


def probabilities(response):
    assert response.status_code == 200, response.get_json()
    return [p["probability"] for p in response.get_json()["predictions"]]


@pytest.fixture(scope="module")
def mlflows_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("mlflow") / "model"
    return load_with_mlflow(path, graph("0" * 64), ["probability"])


def load_with_mlflow(path, model, probabilities):
    """Load a model as `mlflow models serve` does."""
    required = {"Glucose": False, "Age": True, "Smoker": True}
    inputs = [ColSpec(DataType.double, name, required=required[name]) for name in NAMES]
    outputs = [ColSpec(DataType.double, name) for name in probabilities]
    outputs = [ColSpec(DataType.long, "label"), *outputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.onnx.save_model(
            onnx.load_from_string(model.SerializeToString()),
            path,
            signature=ModelSignature(Schema(inputs), Schema(outputs)),
            pip_requirements=["onnxruntime"],
            save_as_external_data=False,
            onnx_execution_providers=["CPUExecutionProvider"],
        )
        return mlflow.pyfunc.load_model(str(path))


@pytest.fixture
def mlflows_answer(mlflows_model, monkeypatch):
    """Ask MLflow's own scoring server: its function below the transport."""
    monkeypatch.setattr(logging.getLogger("mlflow"), "disabled", True)

    def ask(body, content_type="application/json", model=mlflows_model):
        data = body if isinstance(body, str) else json.dumps(body)
        schema = model.metadata.get_input_schema()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = scoring_server.invocations(data, content_type, model, schema)
            except MlflowException as error:
                return error.get_http_status_code(), None
        return found.status, json.loads(found.response) if found.status == 200 else None

    return ask


FORMS = {
    "split": {"dataframe_split": {"columns": NAMES, "data": DATA}},
    "split with an index": {
        "dataframe_split": {"index": [7, 8, "x", None], "columns": NAMES, "data": DATA}
    },
    "split in another order": {
        "dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in DATA]}
    },
    "split with an extra column": {
        "dataframe_split": {"columns": ["id", *NAMES], "data": [["a", *row] for row in DATA]}
    },
    "records": {"dataframe_records": ROWS},
    "records with an extra column": {"dataframe_records": [{**row, "id": "a"} for row in ROWS]},
    "records, one without what may be missing": {
        "dataframe_records": [*ROWS[:2], {"Age": 22, "Smoker": 1}, ROWS[3]]
    },
    "records, the first without what may be missing": {
        "dataframe_records": [{"Age": 22, "Smoker": 1}, *ROWS[1:]]
    },
    "instances as columns": {"instances": COLUMNS},
    "instances as records": {"instances": ROWS},
    "inputs as columns": {"inputs": COLUMNS},
    "inputs as columns with an extra one": {"inputs": {"id": ["a"] * 4, **COLUMNS}},
    "inputs as records": {"inputs": ROWS},
    "empty params": {"dataframe_records": ROWS, "params": {}},
    "null params": {"dataframe_records": ROWS, "params": None},
    "params that no model here asks for": {"dataframe_records": ROWS, "params": {"t": 1}},
    "a key of somebody else's": {"dataframe_records": ROWS, "signature_name": "x"},
}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS.keys())
def test_every_form_is_answered_as_by_mlflow(client, mlflows_answer, body):
    status, expected = mlflows_answer(body)
    assert status == 200
    found = post(client, body)
    assert len(probabilities(found)) == len(ROWS)
    answer = found.get_json()
    assert list(answer) == list(expected) == ["predictions"]
    for ours, theirs in zip(answer["predictions"], expected["predictions"], strict=True):
        assert list(ours) == list(theirs) == ["label", "probability"]
        assert ours["label"] == theirs["label"]
        assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-9)


def test_more_classes_are_answered_as_by_mlflow(settings, mlflows_answer, tmp_path):
    text = SPECIES.to_json()
    model = species_graph(sha256(text).hexdigest())
    scorer = Scorer.open(model.SerializeToString(), text)
    served = ServedModel(Version("heart", "1", "production", "0" * 64), scorer, Reader(SPECIES))
    client = create_app(State(settings, served, None, Metrics())).test_client()
    theirs = load_with_mlflow(tmp_path / "model", model, probability_outputs(SPECIES))
    _, expected = mlflows_answer({"dataframe_records": ROWS}, model=theirs)
    found = post(client, {"dataframe_records": ROWS}).get_json()
    for ours, row in zip(found["predictions"], expected["predictions"], strict=True):
        assert list(ours) == list(row)
        assert ours == pytest.approx(row, abs=1e-9)


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": ROW},
        {"instances": ROW},
        {"inputs": {**{name: [value] for name, value in ROW.items()}, "Age": 50}},
        {"inputs": [ROW]},
    ],
)
def test_one_row_gets_the_answer_of_mlflows_own_server(client, mlflows_answer, body):
    expected = mlflows_answer(body)[1]["predictions"][0]["probability"]
    assert probabilities(post(client, body)) == pytest.approx([expected], abs=1e-9)


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_rows_as_lists_stand_in_the_models_order(client, key):
    # MLflow's own server refuses these for a model whose columns have names.
    assert probabilities(post(client, {key: DATA})) == pytest.approx(EXPECTED, abs=1e-9)


def test_value_that_is_no_list_stands_for_all_rows(client, mlflows_answer):
    body = {"inputs": {"Glucose": [148, 85], "Age": 50, "Smoker": [1, 0]}}
    expected = [p["probability"] for p in mlflows_answer(body)[1]["predictions"]]
    assert probabilities(post(client, body)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ({"dataframe_split": {"columns": NAMES, "data": []}}, "application/json"),
        ({"inputs": {name: [] for name in NAMES}}, "application/json"),
        ("Glucose,Age,Smoker\n", "text/csv"),
    ],
)
def test_no_rows_get_no_predictions_as_from_mlflow(client, mlflows_answer, body, content_type):
    assert mlflows_answer(body, content_type) == (200, {"predictions": []})
    assert post(client, body, content_type).get_json() == {"predictions": []}


@pytest.mark.parametrize("content_type", ["text/csv", "text/csv; charset=utf-8", "Text/CSV"])
def test_csv_is_answered_with_json(client, content_type):
    response = post(client, CSV, content_type)
    assert response.mimetype == "application/json"
    assert probabilities(response) == pytest.approx(EXPECTED, abs=1e-9)


@pytest.mark.parametrize(
    "body", [CSV, CSV.replace("\n,", "\nNA,"), "\ufeff" + CSV, CSV.replace("\n", "\r\n")]
)
def test_csv_gets_the_answer_of_mlflows_own_server(client, mlflows_answer, body):
    expected = [p["probability"] for p in mlflows_answer(body, "text/csv")[1]["predictions"]]
    assert probabilities(post(client, body, "text/csv")) == pytest.approx(expected, abs=1e-9)


def test_other_columns_of_csv_are_ignored(client):
    body = "label,Glucose,Age,Smoker\n0,148,50,1\n"
    assert probabilities(post(client, body, "text/csv")) == pytest.approx(EXPECTED[:1], abs=1e-9)


def test_answer_is_that_of_predict(client):
    rows = client.post("/predict", json={"rows": ROWS}, buffered=True).get_json()["predictions"]
    found = post(client, {"dataframe_records": ROWS}).get_json()["predictions"]
    labels = [["no", "yes"].index(p["label"]) for p in rows]
    assert [p["label"] for p in found] == labels
    assert [p["probability"] for p in found] == [p["probability"] for p in rows]


def test_answer_says_which_version_gave_it(client):
    assert post(client, {"inputs": ROWS}).headers["X-Model-Version"] == "1"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([ROW], f"The body must be an object with exactly one of {KEYS}."),
        (5, f"The body must be an object with exactly one of {KEYS}."),
        ({}, f"The body must be an object with exactly one of {KEYS}."),
        ({"rows": [ROW]}, f"The body must be an object with exactly one of {KEYS}."),
        (
            {"inputs": [ROW], "instances": [ROW]},
            f"The body must be an object with exactly one of {KEYS}.",
        ),
        ({"dataframe_records": ROW}, "`dataframe_records` must be a list of rows, and not empty."),
        ({"dataframe_records": None}, "`dataframe_records` must be a list of rows, and not empty."),
        ({"dataframe_records": []}, "`dataframe_records` must be a list of rows, and not empty."),
        ({"inputs": []}, "`inputs` must be a list of rows, and not empty."),
        ({"inputs": "x"}, "`inputs` must be a list of rows, and not empty."),
        ({"inputs": {}}, "Not given: Glucose, Age, Smoker. This model takes Glucose, Age, Smoker."),
        (
            {"dataframe_split": [1]},
            "`dataframe_split` must be an object with columns, data and maybe index.",
        ),
        (
            {"dataframe_split": {"data": DATA}},
            "`dataframe_split` must be an object with columns, data and maybe index.",
        ),
        (
            {"dataframe_split": {"columns": NAMES, "data": DATA, "dtypes": []}},
            "`dataframe_split` must be an object with columns, data and maybe index.",
        ),
        (
            {"dataframe_split": {"columns": "Glucose", "data": DATA}},
            "`columns` and `data` of `dataframe_split` must be lists.",
        ),
        (
            {"dataframe_split": {"columns": NAMES, "data": {}}},
            "`columns` and `data` of `dataframe_split` must be lists.",
        ),
        (
            {"dataframe_split": {"columns": NAMES, "data": DATA, "index": [1]}},
            "`index` of `dataframe_split` must be a list as long as `data`.",
        ),
        (
            {"dataframe_split": {"columns": NAMES, "data": DATA[:1], "index": {"a": 1}}},
            "`index` of `dataframe_split` must be a list as long as `data`.",
        ),
        (
            {"dataframe_split": {"columns": ["Glucose", "Smoker"], "data": [[148, 1]]}},
            "Not given: Age. This model takes Glucose, Age, Smoker.",
        ),
        (
            {"dataframe_split": {"columns": [*NAMES, "Age"], "data": [[148, 50, 1, 51]]}},
            "The column Age is given twice.",
        ),
        (
            {"dataframe_split": {"columns": NAMES, "data": [DATA[0], DATA[1][:2]]}},
            "Row 2 is not a list of 3 values.",
        ),
        (
            {"dataframe_split": {"columns": NAMES, "data": [ROW]}},
            "Row 1 is not a list of 3 values.",
        ),
        ({"inputs": [[148, 50]]}, "Row 1 is not a list of 3 values."),
        ({"inputs": [DATA[0], ROW]}, "Row 2 is not a list of 3 values."),
        ({"instances": [ROW, DATA[0]]}, "Row 2 of `instances` is not an object."),
        ({"dataframe_records": [DATA[0]]}, "Row 1 of `dataframe_records` is not an object."),
        (
            {"dataframe_records": [{"Age": 50, "Smoker": 1}]},
            "Not given: Glucose. This model takes Glucose, Age, Smoker.",
        ),
        (
            {"dataframe_records": [ROW, {"Glucose": 148, "Smoker": 1}]},
            "Row 2, Age: is missing, and may not be.",
        ),
        (
            {"inputs": {**COLUMNS, "Age": [50]}},
            "The columns of `inputs` are not of the same length.",
        ),
        ({"inputs": [{**ROW, "Glucose": "148"}]}, 'Row 1, Glucose: "148" is not a number.'),
        ({"inputs": [{**ROW, "Glucose": True}]}, "Row 1, Glucose: true is not a number."),
        ({"inputs": [{**ROW, "Glucose": [148]}]}, "Row 1, Glucose: [148] is not a number."),
        (
            {"inputs": [ROW, {**ROW, "Glucose": 5000, "Age": 0}]},
            "Row 2, Glucose: 5000 is above the highest possible, 1000 (2 errors in all).",
        ),
    ],
)
def test_what_is_wrong_is_a_400_with_one_sentence(client, body, message):
    response = post(client, body)
    assert refused(response) == message
    assert response.get_json()["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        ("{", "application/json", "The body is not valid JSON: Input data was truncated."),
        (
            '{"inputs": [], "inputs": []}',
            "application/json",
            'The key "inputs" is twice in one object.',
        ),
        ("Glucose,Age\n1,2\n", "text/csv", "The table lacks the column Smoker."),
        ("Glucose,Age,Smoker\n148,50\n", "text/csv", "Row 1 has 2 fields, the header has 3."),
        ("Glucose,Age,Smoker\nx,50,1\n", "text/csv", 'Row 1, Glucose: "x" is not a number.'),
    ],
)
def test_what_cannot_be_read_is_a_400_too(client, body, content_type, message):
    assert refused(post(client, body, content_type)) == message


def test_answer_that_is_no_number_is_a_400(served, settings):
    class Broken:
        contract = served.scorer.contract

        def score(self, values, *, until=None):  # noqa: ARG002
            found = served.scorer.score(values)
            found[1][-1] = math.nan
            return found

    client = create_app(
        State(settings, served._replace(scorer=Broken()), None, Metrics())
    ).test_client()
    message = refused(post(client, {"inputs": [ROW, ROW]}))
    assert message == "The values of row 2 are too extreme for this model."


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/vnd.apache.parquet"],
)
def test_another_content_type_is_a_415(client, content_type):
    message = refused(post(client, {"inputs": ROWS}, content_type), 415)
    assert "Content-Type: application/json or Content-Type: text/csv" in message


@pytest.mark.parametrize("kind", ["application/json", "text/csv"])
def test_another_charset_is_a_415(client, kind):
    message = refused(post(client, {"inputs": ROWS}, f"{kind}; charset=latin-1"), 415)
    assert message == "Send the body as UTF-8."


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "application/json;"])
def test_content_type_with_parameters_is_taken(client, content_type):
    assert post(client, {"inputs": ROWS}, content_type).status_code == 200


def of_each_form(count):
    return [
        {"dataframe_split": {"columns": NAMES, "data": [DATA[0]] * count}},
        {"dataframe_records": [ROW] * count},
        {"instances": [ROW] * count},
        {"inputs": [DATA[0]] * count},
        {"inputs": {name: [value] * count for name, value in ROW.items()}},
    ]


@pytest.mark.parametrize("form", range(5))
def test_most_rows_are_taken_and_one_more_is_not(client, settings, form):
    most = settings.max_rows
    assert len(probabilities(post(client, of_each_form(most)[form]))) == most
    message = refused(post(client, of_each_form(most + 1)[form]), 413)
    assert message == "The body has more than 20 rows, the most taken at once."


def test_csv_of_more_than_the_most_rows_is_refused(client, settings):
    body = "Glucose,Age,Smoker\n" + "148,50,1\n" * (settings.max_rows + 1)
    refused(post(client, body, "text/csv"), 413)


def test_without_a_model_there_is_a_503(client_without_model):
    response = post(client_without_model, {"inputs": ROWS})
    assert "No version of `heart`" in refused(response, 503)
    assert response.get_json()["error_code"] == "TEMPORARILY_UNAVAILABLE"


def test_another_method_is_a_405(client):
    refused(client.get("/invocations", buffered=True), 405)


def test_error_holds_neither_a_trace_nor_other_values(client):
    body = {"inputs": [{"name": "Secret Name", **ROW, "Glucose": "abc"}]}
    text = post(client, body).get_data(as_text=True)
    assert "Secret" not in text
    assert "Traceback" not in text
