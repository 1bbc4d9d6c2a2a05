"""The Open Inference Protocol: what `/v2` says of itself, and what it answers to tensors."""

import csv
import gzip
import io
import json
import math
import tomllib

import numpy as np
import pytest

from serving.web.api import open_inference
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.conftest import ROOT
from tests.serving.small_model import ROWS, THRESHOLD, expected_probability

NAMES = ["Glucose", "Age", "Smoker"]
DATA = [[row[name] for name in NAMES] for row in ROWS]
EXPECTED = [expected_probability(row) for row in ROWS]
INFER = "/v2/models/heart/infer"
LENGTH = "Inference-Header-Content-Length"


def tensor(data, shape, datatype="FP64", name="features", **more):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


def matrix(rows=DATA, **more):
    return {"inputs": [tensor([v for row in rows for v in row], [len(rows), 3])], **more}


def columns(rows):
    return [tensor([row[name] for row in rows], [len(rows)], name=name) for name in NAMES]


def post(client, body, path=INFER, content_type="application/json", **more):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data=data, content_type=content_type, buffered=True, **more)


def post_binary(client, array, length=None, pack=bytes, **headers):
    """Send a matrix as Triton's client does: JSON, then the raw bytes."""
    part = {**tensor(None, list(array.shape)), "parameters": {"binary_data_size": array.nbytes}}
    head = json.dumps({"inputs": [part], "parameters": {"binary_data_output": True}}).encode()
    headers = {LENGTH: str(len(head)) if length is None else length, **headers}
    return post(client, pack(head + array.tobytes()), content_type=None, headers=headers)


def outputs(response):
    assert response.status_code == 200, response.get_json()
    return {output["name"]: output for output in response.get_json()["outputs"]}


def probabilities(response):
    return outputs(response)["probability"]["data"]


def refused(response, status=400):
    assert response.status_code == status
    assert response.mimetype == "application/json"
    error = response.get_json()
    assert list(error) == ["error"]
    return error["error"]


def get(client, path):
    return client.get(path, buffered=True)


def test_server_describes_itself(client):
    response = get(client, "/v2")
    assert response.get_json() == {
        "name": "csv-to-production",
        "version": open_inference.VERSION,
        "extensions": [],
    }


def test_server_s_version_is_the_project_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == open_inference.NAME
    assert project["version"] == open_inference.VERSION


def test_server_is_live_and_ready(client):
    live, ready = (get(client, f"/v2/health/{word}") for word in ("live", "ready"))
    assert (live.status_code, live.get_json()) == (200, {"live": True})
    assert (ready.status_code, ready.get_json()) == (200, {"ready": True})


def test_server_without_a_model_is_live_and_not_ready(client_without_model):
    live, ready = (get(client_without_model, f"/v2/health/{word}") for word in ("live", "ready"))
    assert (live.status_code, live.get_json()) == (200, {"live": True})
    assert (ready.status_code, ready.get_json()) == (503, {"ready": False})


@pytest.mark.parametrize("path", ["/v2/models/heart", "/v2/models/heart/versions/1"])
def test_model_describes_itself(client, path):
    assert get(client, path).get_json() == {
        "name": "heart",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": name, "datatype": "FP64", "shape": [-1, 1]} for name in NAMES],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probability", "datatype": "FP64", "shape": [-1]},
        ],
        "parameters": {"label_0": "no", "label_1": "yes"},
    }


def test_what_the_model_says_it_takes_is_taken(client):
    described = get(client, "/v2/models/heart").get_json()
    inputs = [
        tensor([ROWS[0][each["name"]]], [1, 1], each["datatype"], each["name"])
        for each in described["inputs"]
    ]
    found = outputs(post(client, {"inputs": inputs}))
    assert list(found) == [each["name"] for each in described["outputs"]]
    assert [o["datatype"] for o in found.values()] == [o["datatype"] for o in described["outputs"]]


@pytest.mark.parametrize("path", ["/v2/models/heart/ready", "/v2/models/heart/versions/1/ready"])
def test_model_is_ready(client, path):
    response = get(client, path)
    assert (response.status_code, response.get_json()) == (200, {"name": "heart", "ready": True})


@pytest.mark.parametrize("path", ["", "/ready", "/versions/1", "/versions/1/ready"])
def test_without_a_model_there_is_a_503(client_without_model, path):
    error = refused(get(client_without_model, f"/v2/models/heart{path}"), 503)
    assert "No version of `heart`" in error


def test_without_a_model_nothing_is_inferred(client_without_model):
    assert "No version of `heart`" in refused(post(client_without_model, matrix()), 503)


@pytest.mark.parametrize("name", ["lung", "Heart", "heart%20", "..", "%2e%2e", "x" * 500])
@pytest.mark.parametrize("rest", ["", "/ready", "/versions/1", "/versions/1/ready"])
def test_another_model_is_a_404(client, name, rest):
    assert refused(get(client, f"/v2/models/{name}{rest}"), 404)


@pytest.mark.parametrize(
    "version", ["2", "01", "1.0", "latest", "production", "..", "1%00", "%31x"]
)
def test_another_version_is_a_404(client, version):
    for path in (f"/v2/models/heart/versions/{version}{rest}" for rest in ("", "/ready")):
        assert refused(get(client, path), 404) == (
            "This version of the model is not the one in force."
        )


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/..%2f..%2fetc/versions/x",
        "/v2/models/..%2f..%2fetc%2fpasswd",
        "/v2/models/%2fetc%2fpasswd/versions/1",
        "/v2/models/heart/versions/..%2f..%2f..%2fetc%2fpasswd",
        "/v2/models/heart/versions/..%2f1",
        "/v2/models/heart/../../etc/passwd",
        "/v2/models//versions/1",
        "/v2/models/heart/",
        "/v2/models",
        "/v2/",
        "/v2/nothing",
    ],
)
def test_path_that_leads_elsewhere_is_a_404(client, path):
    assert refused(get(client, path), 404)


@pytest.mark.parametrize("path", ["lung/infer", "lung/versions/1/infer", "heart/versions/2/infer"])
def test_another_model_or_version_infers_nothing(client, path):
    refused(post(client, matrix(), f"/v2/models/{path}"), 404)


@pytest.mark.parametrize("path", [INFER, "/v2/models/heart/versions/1/infer"])
def test_matrix_is_answered(client, path):
    response = post(client, matrix(), path)
    assert response.mimetype == "application/json"
    assert response.headers["X-Model-Version"] == "1"
    answer = response.get_json()
    assert list(answer) == ["model_name", "model_version", "outputs"]
    assert (answer["model_name"], answer["model_version"]) == ("heart", "1")
    label, probability = answer["outputs"]
    assert (label["name"], label["shape"], label["datatype"]) == ("label", [4], "INT64")
    assert (probability["shape"], probability["datatype"]) == ([4], "FP64")
    assert label["data"] == [int(p >= THRESHOLD) for p in EXPECTED]
    assert probability["data"] == pytest.approx(EXPECTED, abs=1e-9)


def test_null_is_missing(client):
    (found,) = probabilities(post(client, matrix([[None, 22, 1]])))
    assert found == pytest.approx(EXPECTED[2], abs=1e-9)


def test_true_and_false_are_taken_for_a_boolean_feature(client):
    body = {"inputs": columns([{**ROWS[0], "Smoker": True}])}
    assert probabilities(post(client, body)) == pytest.approx(EXPECTED[:1], abs=1e-9)


def test_id_is_given_back(client):
    answer = post(client, matrix(id="a-1")).get_json()
    assert list(answer) == ["model_name", "model_version", "id", "outputs"]
    assert answer["id"] == "a-1"


def test_null_for_what_is_optional_is_as_if_absent(client):
    # MLServer's types are sent so.
    body = matrix(id=None, parameters=None, outputs=None)
    assert post(client, body).get_json() == post(client, matrix()).get_json()


def test_parameters_are_taken_and_ignored(client):
    body = matrix(parameters={"priority": 1, "timeout": 5})
    assert post(client, body).get_json() == post(client, matrix()).get_json()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["probability"], ["probability"]),
        (["label"], ["label"]),
        (["probability", "label"], ["probability", "label"]),
        (["label", "label"], ["label"]),
        ([], ["label", "probability"]),
    ],
)
def test_outputs_are_those_asked_for(client, wanted, found):
    asked = [{"name": name, "parameters": {"binary_data": True}} for name in wanted]
    answer = post(client, matrix(outputs=asked)).get_json()
    assert [output["name"] for output in answer["outputs"]] == found


def test_output_that_is_unknown_is_refused(client):
    message = refused(post(client, matrix(outputs=[{"name": "label"}, {"name": "score"}])))
    assert message == "There is no output `score`; there are label and probability."


def test_no_rows_get_no_answers(client):
    found = outputs(post(client, {"inputs": [tensor([], [0, 3])]}))
    assert [(o["shape"], o["data"]) for o in found.values()] == [([0], []), ([0], [])]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The body is not valid JSON: Input data was truncated."),
        (b'{"inputs": [], "inputs": []}', 'The key "inputs" is twice in one object.'),
        (
            {},
            "The request is not as the protocol has it: object missing required field `inputs`.",
        ),
        (
            {"inputs": [tensor([148, 50, 1], [2, 3])]},
            "The tensor `features` has data that does not fit its shape [2, 3].",
        ),
        (matrix([[148, 50, "1"]]), 'Row 1, Smoker: "1" is not true or false.'),
        (matrix([[True, 50, 1]]), "Row 1, Glucose: true is not a number."),
        ({"inputs": [tensor([[[148], 50, 1]], [1, 3])]}, "Row 1, Glucose: [148] is not a number."),
        (matrix([[148, None, 1]]), "Row 1, Age: is missing, and may not be."),
        (
            matrix([[148, 50, 1], [5000, 50.5, 1]]),
            "Row 2, Glucose: 5000 is above the highest possible, 1000 (2 errors in all).",
        ),
    ],
)
def test_what_is_wrong_is_a_400_with_one_sentence(client, body, message):
    assert refused(post(client, body)) == message


def test_answer_that_is_no_number_is_a_400(served, settings):
    class Broken:
        contract = served.scorer.contract

        def score(self, values, *, until=None):  # noqa: ARG002
            found = served.scorer.score(values)
            found[1][-1] = math.nan
            return found

    state = State(settings, served._replace(scorer=Broken()), None, Metrics())
    message = refused(post(create_app(state).test_client(), matrix()))
    assert message == "The values of row 4 are too extreme for this model."


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "Application/JSON"])
def test_content_types_that_clients_send_are_taken(client, content_type):
    assert post(client, matrix(), content_type=content_type).status_code == 200


def test_another_content_type_is_a_415(client):
    message = refused(post(client, matrix(), content_type="text/csv"), 415)
    assert "Content-Type: application/json" in message


def test_most_rows_are_taken_and_one_more_is_not(client, settings):
    most = settings.max_rows
    assert len(probabilities(post(client, matrix([DATA[0]] * most)))) == most
    too_many = [ROWS[0]] * (most + 1)
    for body in (matrix([DATA[0]] * (most + 1)), {"inputs": columns(too_many)}):
        message = refused(post(client, body), 413)
        assert message == "The body has more than 20 rows, the most taken at once."
    # A shape costs nothing before its rows are there.
    refused(post(client, {"inputs": [tensor([1], [10**18, 3])]}), 413)


def test_largest_body_is_taken_and_one_byte_more_is_not(client, settings):
    body = json.dumps(matrix()).encode()
    assert post(client, body.ljust(settings.max_body)).status_code == 200
    refused(post(client, body.ljust(settings.max_body + 1)), 413)


def test_another_method_is_a_405(client):
    refused(get(client, INFER), 405)
    refused(client.post("/v2", buffered=True), 405)


FLOATS = np.array([[np.nan if v is None else v for v in row] for row in DATA])


@pytest.mark.parametrize(
    "packed", [{}, {"pack": gzip.compress, "Content-Encoding": "gzip"}], ids=["plain", "gzip"]
)
def test_binary_request_is_answered_with_json(client, packed):
    response = post_binary(client, FLOATS, **packed)
    assert response.mimetype == "application/json"
    assert LENGTH not in response.headers
    assert probabilities(response) == pytest.approx(EXPECTED, abs=1e-9)


def test_binary_infinity_is_refused(client):
    message = refused(post_binary(client, np.array([[np.inf, 50.0, 1.0]])))
    assert message == "Row 1, Glucose: inf is not a finite number."


@pytest.mark.parametrize("length", ["-1", "x", "", "1.0", "999999", "9" * 5000, "١"])
def test_length_that_is_none_is_refused(client, length):
    message = refused(post_binary(client, FLOATS, length))
    assert message == f"The header {LENGTH} is no length within the body."


@pytest.mark.parametrize("length", ["0", "5"])
def test_length_that_cuts_the_json_is_refused(client, length):
    message = refused(post_binary(client, FLOATS, length))
    assert message.startswith("The body is not valid JSON")


def some_rows(count):
    """Draw rows as a client may send them: missing values, both kinds, and all digits."""
    random = np.random.default_rng(7)
    drawn = zip(
        random.uniform(20, 1000, count),
        random.integers(18, 120, count),
        random.integers(0, 2, count),
        strict=True,
    )
    rows = [
        {"Glucose": float(glucose), "Age": int(age), "Smoker": int(smoker)}
        for glucose, age, smoker in drawn
    ]
    return [
        {**row, "Glucose": [None, 0][i % 2]} if i % 5 == 0 else row for i, row in enumerate(rows)
    ]


def test_every_protocol_gives_the_same_answer(client, settings):
    rows = some_rows(settings.max_rows)
    lists = [[row[name] for name in NAMES] for row in rows]
    table = "\n".join(
        ",".join("" if v is None else repr(v) for v in row) for row in [NAMES, *lists]
    ).replace("'", "")
    split = {"dataframe_split": {"columns": NAMES, "data": lists}}
    array = np.array([[np.nan if v is None else v for v in row] for row in lists])
    predicted = post(client, {"rows": rows}, "/predict").get_json()["predictions"]
    scored = post(client, table.encode(), "/predict", "text/csv").get_data(as_text=True)
    lines = list(csv.DictReader(io.StringIO(scored, newline="")))
    invoked = post(client, split, "/invocations").get_json()["predictions"]
    tensors = outputs(post(client, matrix(lists)))
    binary = outputs(post_binary(client, array))
    words = [p["label"] for p in predicted]
    labels = [["no", "yes"].index(word) for word in words]
    expected = [p["probability"] for p in predicted]
    assert expected == pytest.approx([expected_probability(row) for row in rows], abs=1e-9)
    assert [float(line["probability"]) for line in lines] == pytest.approx(expected, abs=1e-9)
    assert [p["probability"] for p in invoked] == pytest.approx(expected, abs=1e-9)
    assert tensors["probability"]["data"] == pytest.approx(expected, abs=1e-9)
    assert binary["probability"]["data"] == pytest.approx(expected, abs=1e-9)
    assert [line["label"] for line in lines] == words
    assert [p["label"] for p in invoked] == labels
    assert tensors["label"]["data"] == binary["label"]["data"] == labels
