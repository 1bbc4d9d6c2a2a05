"""A model of three classes, answered through every door of the service alike."""

import csv
import io
import json
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pyarrow import parquet

from serving.__main__ import main
from serving.errors import InvalidBodyError
from serving.formats.csv_table import answer_columns
from serving.store import versions
from serving.store.versions import Version
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.serving.small_model import NAME, ROWS, SPECIES, species_probabilities, write_species

LABELS = ["Adelie", "Chin, strap", 7]
ADDED = ["label", "probability_Adelie", "probability_Chin, strap", "probability_7", "warnings"]
EXPECTED = [species_probabilities(row) for row in ROWS]
PLACES = [int(np.argmax(found)) for found in EXPECTED]
TABLE = "Glucose,Age,Smoker\n" + "".join(
    f"{'' if r['Glucose'] is None else r['Glucose']},{r['Age']},{r['Smoker']}\n" for r in ROWS
)
VALUES = [list(row.values()) for row in ROWS]


@pytest.fixture
def stored(settings, tmp_path):
    version = Version(NAME, "1", "production", write_species(tmp_path / "made"))
    versions.adopt(settings.store, tmp_path / "made", version)
    versions.switch(settings.store, version)
    return version


def close(rows):
    return pytest.approx(np.array(rows), rel=1e-12)


def test_the_rows_have_every_class():
    assert {*PLACES} == {0, 1, 2}


def test_json_has_the_probabilities_by_class(client):
    response = client.post("/predict", json={"rows": ROWS})
    predictions = response.get_json()["predictions"]
    assert [list(each) for each in predictions] == [["label", "probabilities", "warnings"]] * 4
    assert [each["label"] for each in predictions] == [LABELS[place] for place in PLACES]
    assert [*predictions[0]["probabilities"]] == ["Adelie", "Chin, strap", "7"]
    assert [list(p["probabilities"].values()) for p in predictions] == close(EXPECTED)


def test_a_table_comes_back_with_a_column_for_each_class(client):
    response = client.post("/predict", data=TABLE, content_type="text/csv")
    header, *rows = csv.reader(io.StringIO(response.text, newline=""), strict=True)
    assert header == ["Glucose", "Age", "Smoker", *ADDED]
    assert [row[3] for row in rows] == [str(LABELS[place]) for place in PLACES]
    assert [list(map(float, row[4:7])) for row in rows] == close(EXPECTED)


def test_columns_of_the_answers_clash_with_none_of_the_table():
    with pytest.raises(InvalidBodyError, match="has a column probability_7, which the answer adds"):
        answer_columns(SPECIES, [*SPECIES.names, "probability_7"])
    own = msgspec.structs.replace(SPECIES, target="probability_7")
    assert answer_columns(own, own.names) == [f"predicted_{name}" for name in ADDED]


def test_invocations_have_the_model_s_outputs(client):
    found = client.post("/invocations", json={"dataframe_records": ROWS}).get_json()["predictions"]
    names = ["label", "probability_0", "probability_1", "probability_2"]
    assert [list(row) for row in found] == [names] * 4
    assert [list(row.values()) for row in found] == close(
        [[place, *row] for place, row in zip(PLACES, EXPECTED, strict=True)]
    )


def test_tensors_are_labels_and_a_matrix_of_probabilities(client):
    described = client.get("/v2/models/heart").get_json()
    assert [each["shape"] for each in described["outputs"]] == [[-1], [-1, 3]]
    assert described["parameters"] == {f"label_{i}": label for i, label in enumerate(LABELS)}
    tensor = {"name": "features", "shape": [4, 3], "datatype": "FP64", "data": VALUES}
    answer = client.post("/v2/models/heart/infer", json={"inputs": [tensor]}).get_json()
    label, probability = answer["outputs"]
    assert (label["shape"], label["data"]) == ([4], PLACES)
    assert probability["shape"] == [4, 3]
    assert probability["data"] == close(np.ravel(EXPECTED))


def test_the_document_describes_what_is_answered(client):
    document = client.get("/openapi.json").get_json()
    assert OpenAPIV31SpecValidator(document).is_valid()
    assert "how probable each class of Species is." in document["info"]["description"]
    for path, body, name in (
        ("/predict", {"rows": ROWS}, "Answer"),
        ("/invocations", {"dataframe_records": ROWS}, "Predictions"),
        ("/contract", None, "Description"),
        ("/v2/models/heart", None, "Metadata"),
    ):
        answer = client.get(path) if body is None else client.post(path, json=body)
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        assert [*Draft202012Validator(schema).iter_errors(answer.get_json())] == []
    prediction = document["components"]["schemas"]["Prediction"]
    assert prediction["required"] == ["label", "probabilities", "warnings"]
    assert prediction["properties"]["label"]["enum"] == LABELS


def test_predictions_are_counted_by_class_and_by_the_probability_of_the_label(settings, served):
    metrics = Metrics()
    client = create_app(State(settings, served, None, metrics)).test_client()
    client.post("/predict", json={"rows": ROWS})
    text = metrics.exposition().decode()
    assert f'serving_predictions_total{{label="7"}} {PLACES.count(2)}.0' in text
    (line,) = [line for line in text.splitlines() if line.startswith("serving_probability_sum")]
    assert float(line.split()[1]) == pytest.approx(sum(map(max, EXPECTED)))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_gets_the_same_answers(stored, settings, monkeypatch, tmp_path, suffix):
    monkeypatch.setenv("SERVING_MODEL", NAME)
    monkeypatch.setenv("SERVING_STORE", str(settings.store))
    (tmp_path / "in.csv").write_text(TABLE + "5000,1,1\n")  # the last row is refused
    out, rejects = tmp_path / f"out{suffix}", tmp_path / "rejects.csv"
    words = [str(tmp_path / "in.csv"), "--out", str(out), "--rejects", str(rejects)]
    assert main(["score", "--offline", *words]) == 0
    labels = [str(LABELS[place]) for place in PLACES]
    if suffix == ".csv":
        header, *rows = csv.reader(io.StringIO(out.read_text(), newline=""), strict=True)
        assert header[3:] == ADDED
        assert [row[3] for row in rows] == labels
        assert [list(map(float, row[4:7])) for row in rows] == close(EXPECTED)
        return
    table = parquet.read_table(out)
    assert table.column_names[3:] == ADDED
    assert table.schema.types[3:] == [pa.string(), *[pa.float64()] * 3, pa.string()]
    assert table["label"].to_pylist() == labels
    assert np.column_stack([table[name] for name in ADDED[1:4]]) == close(EXPECTED)


def test_a_file_without_an_allowed_row_has_a_header(stored, settings, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("SERVING_MODEL", NAME)
    monkeypatch.setenv("SERVING_STORE", str(settings.store))
    (tmp_path / "in.csv").write_text("Glucose,Age,Smoker\n5000,1,1\n")
    out = tmp_path / "out.csv"
    assert main(["score", "--offline", str(tmp_path / "in.csv"), "--out", str(out)]) == 1
    assert next(csv.reader(io.StringIO(out.read_text())))[3:] == ADDED


def test_the_terminal_answers_as_predict_does(stored, settings, client, monkeypatch, capsys):
    monkeypatch.setenv("SERVING_MODEL", NAME)
    monkeypatch.setenv("SERVING_STORE", str(settings.store))
    assert main(["predict", "--offline", "148", "50", "1"]) == 0
    assert json.loads(capsys.readouterr().out) == client.post("/predict", json=ROWS[0]).get_json()
