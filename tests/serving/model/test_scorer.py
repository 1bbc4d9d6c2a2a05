"""The scorer: what it answers, and which versions it refuses."""

import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from serving.model import runs
from serving.model.rows import to_matrix
from serving.model.runs import OverdueError
from serving.model.scorer import CHUNK, Scorer
from serving.model.version_files import ModelError
from tests.serving.small_model import (
    ENDLESS,
    ROWS,
    SMOKING,
    THRESHOLD,
    WEIGHTS,
    expected_probability,
    graph,
    with_features,
    write,
    write_endless,
)


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


def test_a_category_without_categories_is_refused(tmp_path):
    write(tmp_path, with_features({}, {}, {**SMOKING, "categories": ()}), rows=[])
    with pytest.raises(ModelError, match=r"contract\.json has no category for Smoker"):
        Scorer.load(tmp_path)


def test_a_model_of_other_features_is_refused(make_model, contract, tmp_path):
    make_model(tmp_path)
    text = msgspec.structs.replace(contract, features=contract.features[:2]).to_json()
    (tmp_path / "contract.json").write_bytes(text)
    model = graph(sha256(text).hexdigest())
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="does not take the contract's features"):
        Scorer.load(tmp_path)


def test_a_model_of_other_classes_is_refused(make_model, contract, tmp_path):
    make_model(tmp_path)
    text = msgspec.structs.replace(contract, classes=("a", "b", "c"), threshold=None).to_json()
    (tmp_path / "contract.json").write_bytes(text)
    model = graph(sha256(text).hexdigest())
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="does not answer with the contract's classes"):
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


def in_another_file(tensor: onnx.TensorProto, location: str) -> None:
    """Let a tensor's data stand in another file, as onnx has it."""
    content = numpy_helper.to_array(tensor).tobytes()
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(len(content))}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def within_a_branch(model: onnx.ModelProto) -> None:
    """Put the weights into a subgraph, whose tensors onnxruntime reads at another time."""
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    result = helper.make_tensor_value_info("chosen", TensorProto.DOUBLE, [3, 1])
    same = helper.make_node("Identity", ["inner"], ["chosen"])
    inner = onnx.TensorProto()
    inner.CopyFrom(weights)
    inner.name = "inner"
    in_another_file(inner, "params.yaml")
    branch = helper.make_graph([same], "branch", [], [result], [inner])
    kept = helper.make_node("Identity", ["weights"], ["chosen"])
    other = helper.make_graph([kept], "other", [], [result])
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    choice = helper.make_node("If", ["yes"], ["w"], then_branch=branch, else_branch=other)
    for node in model.graph.node:
        node.input[:] = ["w" if name == "weights" else name for name in node.input]
    model.graph.node.insert(0, choice)


def as_an_initializer(model: onnx.ModelProto) -> None:
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    in_another_file(weights, "params.yaml")


@pytest.mark.parametrize("spoil", [as_an_initializer, within_a_branch])
def test_a_model_with_data_in_another_file_is_refused(
    make_model, contract, tmp_path, monkeypatch, spoil
):
    """Wherever that file lies: the model's digest does not cover it."""
    make_model(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes(WEIGHTS.tobytes())
    model = graph(sha256(contract.to_json()).hexdigest())
    spoil(model)
    with pytest.raises(ModelError, match="keeps data in another file, which its digest does not"):
        load_graph(tmp_path, model)


def test_a_run_that_is_overdue_is_ended_and_another_goes_on(tmp_path):
    write_endless(tmp_path)
    scorer = Scorer.load(tmp_path)
    rare, usual = np.array([[ENDLESS, 50, 1]]), np.array([[148.0, 50, 1]])
    with ThreadPoolExecutor() as threads:
        started = time.perf_counter()
        hanging = threads.submit(scorer.score, rare, until=started + 0.2)
        waiting = threads.submit(scorer.score, rare, until=started + 0.6)
        while not hanging.done():
            runs.end_overdue()
            time.sleep(0.01)
        with pytest.raises(OverdueError):
            hanging.result()
        assert 0.2 <= time.perf_counter() - started < 0.5
        assert scorer.score(usual, until=started + 0.1)[0].tolist() == [1]
        assert not waiting.done()
        while not waiting.done():
            runs.end_overdue()
            time.sleep(0.01)
        assert isinstance(waiting.exception(), OverdueError)
    assert not runs.under_way


def test_a_long_table_ends_as_a_whole(tmp_path):
    """Not each of its chunks after another such time."""
    write_endless(tmp_path)
    scorer = Scorer.load(tmp_path)
    rows = np.tile([[ENDLESS, 50, 1]], (10 * CHUNK, 1))
    with ThreadPoolExecutor() as threads:
        run = threads.submit(scorer.score, rows, until=time.perf_counter() + 0.1)
        time.sleep(0.15)
        runs.end_overdue()
        assert isinstance(run.exception(timeout=0.5), OverdueError)


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
