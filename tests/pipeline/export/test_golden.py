"""Golden predictions spread over what a model answers, and include a row of all missing."""

import msgspec
import numpy as np
import pytest

from pipeline.export.golden import GOLDEN_ROWS, golden_predictions
from pipeline.export.onnx_model import export
from serving.model.rows import to_matrix
from serving.model.scorer import Scorer
from serving.model.version_files import ModelError


@pytest.mark.parametrize("rows", [150, 3])
@pytest.mark.parametrize("name", ["small_model", "mixed_model"])
def test_golden_predictions(request, name, rows):
    model = request.getfixturevalue(name)
    text = model.contract.to_json()
    scorer = Scorer.open(export(model.estimator, model.contract, text), text)
    X = model.X[:rows]
    golden = golden_predictions(scorer, X)
    assert len(golden.rows) == len(golden.predictions) == min(GOLDEN_ROWS, rows + 1)
    nullable = {f.name for f in model.contract.features if f.nullable}
    assert {name for name, value in golden.rows[-1].items() if value is None} >= nullable
    told = [prediction.probability for prediction in golden.predictions]
    assert told == scorer.score(to_matrix(model.contract, golden.rows))[1].tolist()
    assert told[:-1] == sorted(told[:-1])
    ours = scorer.score(X)[1]
    assert (told[0], told[-2]) == (np.min(ours), np.max(ours))


@pytest.fixture
def four_classes_version(tmp_path, four_classes_model):
    """Write the version of a model of four classes."""
    text = four_classes_model.contract.to_json()
    model = export(four_classes_model.estimator, four_classes_model.contract, text)
    golden = golden_predictions(Scorer.open(model, text), four_classes_model.X)
    (tmp_path / "model.onnx").write_bytes(model)
    (tmp_path / "contract.json").write_bytes(text)
    (tmp_path / "golden.json").write_bytes(msgspec.json.encode(golden))
    return tmp_path


def test_golden_predictions_of_four_classes_are_verified(four_classes_version, four_classes_model):
    labels, probabilities = Scorer.load(four_classes_version).score(four_classes_model.X)
    golden = msgspec.json.decode((four_classes_version / "golden.json").read_bytes())
    assert {one["label"] for one in golden["predictions"]} == {*labels.tolist()} == {0, 1, 2, 3}
    assert all([*one] == ["label", "probabilities"] for one in golden["predictions"])
    assert golden["predictions"][0]["probabilities"] in probabilities.tolist()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: one.update(label=3), "golden row 1 is answered with 0"),
        (lambda one: one["probabilities"].reverse(), r"\(0\.\d+, 0\.\d+, .*\) instead of 0 \(0"),
        (lambda one: one["probabilities"].pop(), "does not have the contract's probabilities"),
        (lambda one: one.pop("probabilities"), "does not have the contract's probabilities"),
    ],
)
def test_golden_predictions_of_four_classes_must_come_out_the_same(
    four_classes_version, change, reason
):
    path = four_classes_version / "golden.json"
    golden = msgspec.json.decode(path.read_bytes())
    change(golden["predictions"][0])
    path.write_bytes(msgspec.json.encode(golden))
    with pytest.raises(ModelError, match=reason):
        Scorer.load(four_classes_version)
