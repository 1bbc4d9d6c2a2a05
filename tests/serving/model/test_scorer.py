"""The scorer: what it answers, and which versions it refuses."""

from hashlib import sha256

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from serving.model.rows import to_matrix
from serving.model.scorer import ModelError, Scorer
from tests.serving.small_model import ROWS, THRESHOLD, expected_probability, graph


def test_answers_are_those_of_the_formula(make_model, tmp_path):
    make_model(tmp_path)
    scorer = Scorer.load(tmp_path)
    labels, probabilities = scorer.score(to_matrix(scorer.contract, ROWS))
    expected = [expected_probability(row) for row in ROWS]
    np.testing.assert_allclose(probabilities, expected, rtol=1e-12)
    assert labels.tolist() == [int(p >= THRESHOLD) for p in expected] == [1, 0, 1, 1]
    assert labels.dtype == np.int64


def test_a_label_is_one_exactly_where_the_probability_reaches_the_threshold(make_model, tmp_path):
    make_model(tmp_path)
    scorer = Scorer.load(tmp_path)
    values = np.random.default_rng(0).uniform([20, 18, 0], [1000, 120, 1], (5000, 3))
    labels, probabilities = scorer.score(values)
    assert 0 < labels.mean() < 1
    assert np.array_equal(labels == 1, probabilities >= THRESHOLD)


def test_the_digest_is_the_models_sha256(make_model, tmp_path):
    digest = make_model(tmp_path)
    assert Scorer.load(tmp_path, digest).digest == digest
    assert digest == sha256((tmp_path / "model.onnx").read_bytes()).hexdigest()


def test_another_model_than_the_registrys_is_refused(make_model, tmp_path):
    make_model(tmp_path)
    with pytest.raises(ModelError, match=f"the registry says {'0' * 64}"):
        Scorer.load(tmp_path, "0" * 64)


@pytest.mark.parametrize("name", ["model.onnx", "contract.json", "golden.json"])
def test_a_missing_file_is_named(make_model, tmp_path, name):
    make_model(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match=f"{name} cannot be read: No such file"):
        Scorer.load(tmp_path)


@pytest.mark.parametrize("name", ["contract.json", "golden.json"])
def test_a_file_that_does_not_parse_is_named(make_model, tmp_path, name):
    make_model(tmp_path)
    (tmp_path / name).write_text("{")
    with pytest.raises(ModelError, match=f"{name} does not parse"):
        Scorer.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x09" * 500])
def test_garbage_is_no_model(make_model, tmp_path, content):
    make_model(tmp_path)
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="no model that onnxruntime can run"):
        Scorer.load(tmp_path)


def test_a_contract_that_was_changed_is_refused(make_model, tmp_path):
    make_model(tmp_path)
    path = tmp_path / "contract.json"
    path.write_bytes(path.read_bytes().replace(b"1000", b"9000"))
    with pytest.raises(ModelError, match="not the contract"):
        Scorer.load(tmp_path)


def test_a_contract_without_a_threshold_is_refused(make_model, contract, tmp_path):
    make_model(tmp_path)
    contract = msgspec.structs.replace(contract, threshold=None)
    (tmp_path / "contract.json").write_bytes(contract.to_json())
    with pytest.raises(ModelError, match="no decision threshold"):
        Scorer.load(tmp_path)


def test_a_model_of_other_features_is_refused(make_model, contract, tmp_path):
    make_model(tmp_path)
    text = msgspec.structs.replace(contract, features=contract.features[:2]).to_json()
    (tmp_path / "contract.json").write_bytes(text)
    model = graph(sha256(text).hexdigest())
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="does not take the contract's features"):
        Scorer.load(tmp_path)


def change_golden(path, change) -> None:
    golden = msgspec.json.decode(path.read_bytes())
    change(golden)
    path.write_bytes(msgspec.json.encode(golden))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda g: g["predictions"][1].update(probability=0.99), "golden row 2 is answered with"),
        (lambda g: g["predictions"][0].update(label=0), "golden row 1 is answered with"),
        (lambda g: g["predictions"].pop(), "one prediction for each of its rows"),
        (lambda g: g.update(rows=[], predictions=[]), "one prediction for each of its rows"),
        (lambda g: g["rows"][0].update(Age=500), "golden.json breaks the contract: row 1, Age"),
    ],
)
def test_golden_predictions_must_come_out_the_same(make_model, tmp_path, change, reason):
    make_model(tmp_path)
    change_golden(tmp_path / "golden.json", change)
    with pytest.raises(ModelError, match=reason):
        Scorer.load(tmp_path)


def load_graph(directory, model: onnx.ModelProto) -> Scorer:
    (directory / "model.onnx").write_bytes(model.SerializeToString())
    return Scorer.load(directory)


def test_a_model_that_fails_when_it_runs_is_refused(make_model, contract, tmp_path):
    make_model(tmp_path)
    model = graph(sha256(contract.to_json()).hexdigest())
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    cast = helper.make_node("Cast", ["features"], ["double"], to=TensorProto.DOUBLE)
    for node in model.graph.node:
        node.input[:] = ["double" if name == "features" else name for name in node.input]
    model.graph.node.insert(0, cast)
    with pytest.raises(ModelError, match=r"cannot answer the rows of golden\.json"):
        load_graph(tmp_path, model)


def test_a_model_with_more_than_one_probability_a_row_is_refused(make_model, contract, tmp_path):
    make_model(tmp_path)
    model = graph(sha256(contract.to_json()).hexdigest())
    twice = helper.make_node("Concat", ["probability"] * 2, ["both"], axis=0)
    model.graph.node.append(twice)
    model.graph.output[1].name = "both"
    for node in model.graph.node:
        node.input[:] = [{"probability": "one"}.get(name, name) for name in node.input]
        node.output[:] = [
            {"probability": "one", "both": "probability"}.get(name, name) for name in node.output
        ]
    model.graph.output[1].name = "probability"
    with pytest.raises(ModelError, match="one label and probability for each row"):
        load_graph(tmp_path, model)
