from hashlib import sha256

import msgspec
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.data.table import Table
from pipeline.export.onnx_model import export
from pipeline.export.parity import check_parity
from pipeline.search.calibration import Sigmoid
from pipeline.search.problem import Nystroem
from pipeline.search.units import Candidate
from pipeline.training.baseline import fit_baseline
from pipeline.training.estimator import build_estimator
from pipeline.training.folds import repeated_folds
from serving.model.contract import Contract, Feature
from serving.model.rows import to_matrix
from serving.model.scorer import Scorer
from tests.pipeline.conftest import FOUR_SIGMOIDS, SIGMOIDS

NAN = np.nan


def opened(estimator, contract) -> Scorer:
    contract_json = contract.to_json()
    return Scorer.open(export(estimator, contract, contract_json), contract_json)


@pytest.fixture(scope="module")
def exported(small_model) -> bytes:
    return export(small_model.estimator, small_model.contract, small_model.contract.to_json())


@pytest.fixture(scope="module")
def scorer(small_model) -> Scorer:
    return opened(small_model.estimator, small_model.contract)


def differences(small_model, scorer, X):
    return np.abs(small_model.estimator.predict_proba(X)[:, 1] - scorer.score(X)[1])


def test_the_exported_model_answers_as_scikit_learn_does(small_model, scorer):
    assert differences(small_model, scorer, small_model.X).max() < 1e-12


VALUES = st.one_of(
    st.floats(-1e6, 1e6),
    st.sampled_from([NAN, -1.0, -999.0, 0.0, 1.0, 5.0, 100.0]),
)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(4)), elements=VALUES))
@settings(max_examples=200)
def test_any_row_is_answered_as_scikit_learn_does(small_model, scorer, X):
    label, probability = scorer.score(X)
    assert np.abs(small_model.estimator.predict_proba(X)[:, 1] - probability).max() < 1e-9
    np.testing.assert_array_equal(label, probability >= 0.4)


@pytest.mark.parametrize(
    ("column", "value"), [(0, NAN), (0, -1.0), (0, -999.0), (1, NAN), (1, 0.0), (2, NAN)]
)
def test_each_way_of_being_missing_is_answered_with_the_median(small_model, scorer, column, value):
    medians = small_model.estimator.named_steps["impute"].statistics_
    X = np.tile(small_model.X[~np.isnan(small_model.X).any(axis=1)][:1], (2, 1))
    X[:, column] = value, medians[column]
    probability = scorer.score(X)[1]
    assert probability[0] == probability[1]
    assert differences(small_model, scorer, X).max() < 1e-12


def test_another_features_missing_value_is_a_value(small_model, scorer):
    X = np.tile(small_model.X[~np.isnan(small_model.X).any(axis=1)][:1], (2, 1))
    X[:, 2] = -1.0, np.nan
    assert np.ptp(scorer.score(X)[1]) > 1e-6
    assert differences(small_model, scorer, X).max() < 1e-12


def test_a_row_of_nothing_known_is_answered(small_model, scorer):
    X = np.array([[NAN, NAN, NAN, 1.0], [-999.0, 0.0, NAN, 1.0]])
    assert np.ptp(scorer.score(X)[1]) == 0
    assert differences(small_model, scorer, X).max() < 1e-12


def test_no_value_that_means_missing_is_needed():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 2)), np.array([0, 1] * 20)
    features = tuple(Feature(name=name) for name in "ab")
    contract = Contract(target="y", classes=(0, 1), features=features, threshold=0.5)
    estimator = build_estimator(contract, Candidate(1.0, 0.5), SIGMOIDS).fit(X, y)
    answers = opened(estimator, contract).score(X)[1]
    np.testing.assert_allclose(answers, estimator.predict_proba(X)[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("C", "gamma"), [(0.01, 1e-4), (1e3, 1e-4), (0.01, 10.0), (1e3, 10.0)])
def test_the_corners_of_the_grid_are_in_parity_at_large_magnitudes(C, gamma):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(120, 3)) * [1e9, 1e-9, 1e3] + [-5e9, 0, 1e9]
    y = (X[:, 0] / 1e9 + 5 + rng.normal(size=120) > 0).astype(np.int64)
    features = tuple(Feature(name=name) for name in "abc")
    contract = Contract(target="y", classes=(0, 1), features=features, threshold=0.5)
    estimator = build_estimator(contract, Candidate(C, gamma), SIGMOIDS).fit(X, y)
    X = np.vstack([X, X * 10, -X])
    answers = opened(estimator, contract).score(X)[1]
    np.testing.assert_allclose(answers, estimator.predict_proba(X)[:, 1], rtol=0, atol=1e-7)


@pytest.mark.parametrize("value", [1e100, -1e155, 1e200, 1e308, -1e308])
@pytest.mark.parametrize("column", range(4))
def test_the_largest_numbers_are_answered_with_a_number(scorer, small_model, column, value):
    row = np.nan_to_num(small_model.X[:1], nan=3.0)
    row[0, column] = value
    label, probability = scorer.score(row)
    assert 0 <= probability[0] <= 1
    assert label[0] == (probability[0] >= 0.4)


def test_two_exports_and_two_trainings_give_the_same_bytes(small_model, exported):
    contract_json = small_model.contract.to_json()
    assert export(small_model.estimator, small_model.contract, contract_json) == exported
    assert export(small_model.fit(), small_model.contract, contract_json) == exported
    assert export(small_model.fit(C=3.0), small_model.contract, contract_json) != exported


def test_the_outputs_are_a_label_and_a_probability_for_each_row(exported):
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    assert [(x.name, x.type, x.shape[1:]) for x in session.get_inputs()] == [
        ("features", "tensor(double)", [4])
    ]
    assert [(x.name, x.type, len(x.shape)) for x in session.get_outputs()] == [
        ("label", "tensor(int64)", 1),
        ("probability", "tensor(double)", 1),
    ]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_any_number_of_rows_is_answered(scorer, small_model, rows):
    label, probability = scorer.score(small_model.X[:rows])
    assert label.shape == probability.shape == (rows,)
    assert (label.dtype, probability.dtype) == (np.int64, np.float64)


def test_a_rows_answer_does_not_depend_on_its_neighbours(scorer, small_model):
    together = scorer.score(small_model.X)[1]
    alone = [scorer.score(row[np.newaxis])[1][0] for row in small_model.X]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-14)


def test_the_threshold_itself_is_a_yes(small_model):
    probabilities = opened(small_model.estimator, small_model.contract).score(small_model.X)[1]
    for threshold in np.sort(probabilities)[[0, 70, -1]]:
        contract = msgspec.structs.replace(small_model.contract, threshold=float(threshold))
        label, probability = opened(small_model.estimator, contract).score(small_model.X)
        np.testing.assert_array_equal(label, probability >= threshold)
        np.testing.assert_array_equal(probability, probabilities)
        assert label[probability == threshold].all()


def test_the_graph_carries_the_contracts_digest(small_model, exported):
    model = onnx.load_from_string(exported)
    digest = sha256(small_model.contract.to_json()).hexdigest()
    assert {entry.key: entry.value for entry in model.metadata_props} == {"contract_sha256": digest}


def test_the_graph_uses_onnxs_own_operators_alone(exported):
    model = onnx.load_from_string(exported)
    assert {node.domain for node in model.graph.node} == {""}
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]


def test_a_contract_without_a_threshold_is_not_exported(small_model):
    contract = msgspec.structs.replace(small_model.contract, threshold=None)
    with pytest.raises(ValueError, match="without a threshold"):
        export(small_model.estimator, contract, contract.to_json())


@pytest.mark.parametrize(("C", "gamma"), [(0.01, 0.001), (100.0, 0.3), (1000.0, 5.0)])
def test_the_approximate_model_answers_as_scikit_learn_does(small_model, C, gamma):
    estimator = small_model.fit(C=C, gamma=gamma, approximation=Nystroem(25, 3))
    scorer = opened(estimator, small_model.contract)
    rows = np.vstack([small_model.X, np.full((1, 4), NAN), [[1e6, -1e6, 1e6, 1]]])
    expected = estimator.predict_proba(rows)[:, 1]
    np.testing.assert_allclose(scorer.score(rows)[1], expected, rtol=0, atol=1e-7)
    assert np.ptp(expected) > 1e-6


@pytest.fixture(scope="module")
def mixed_scorer(mixed_model) -> Scorer:
    return opened(mixed_model.estimator, mixed_model.contract)


# Categories, one of them in no row of training; texts that mean missing, and one that none is.
MIXED_ROWS = st.fixed_dictionaries(
    {
        "colour": st.sampled_from(["red", "green", "blue", "black", "?", "mauve", None]),
        "b": st.one_of(st.floats(-1e6, 1e6), st.sampled_from([None, -1])),
        "size": st.sampled_from(["small", "large"]),
        "d": st.none() | st.floats(-1e3, 1e3),
    }
)


@given(st.lists(MIXED_ROWS, min_size=1, max_size=8))
@settings(max_examples=200)
def test_any_row_with_categories_is_answered_as_scikit_learn_does(mixed_model, mixed_scorer, rows):
    X = to_matrix(mixed_model.contract, rows)
    expected = mixed_model.estimator.predict_proba(X)[:, 1]
    label, probability = mixed_scorer.score(X)
    np.testing.assert_allclose(probability, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(label, probability >= 0.4)


def test_a_category_that_is_not_known_is_answered_as_the_most_frequent(mixed_model, mixed_scorer):
    rows = [
        {"colour": colour, "b": 90, "size": "large", "d": 0}
        for colour in ("green", "?", "mauve", None, "red")
    ]
    probability = mixed_scorer.score(to_matrix(mixed_model.contract, rows))[1]
    assert np.ptp(probability[:4]) == 0
    assert abs(probability[4] - probability[0]) > 1e-6


def test_a_thousand_categories_and_all_others_are_exported():
    rng = np.random.default_rng(0)
    shops = tuple(f"S{place}" for place in range(1000))
    shop = Feature(name="shop", type="category", categories=shops, unseen="other", nullable=True)
    contract = Contract(target="y", classes=(0, 1), threshold=0.5, features=(shop,))
    X = rng.integers(0, 1000, (300, 1)).astype(float)
    X[::10] = NAN
    y = (X[:, 0] > 500).astype(np.int64)
    estimator = build_estimator(contract, Candidate(1, 0.1), SIGMOIDS).fit(X, y)
    assert check_parity(estimator, opened(estimator, contract), X) < 1e-12


def test_a_table_of_categories_alone_is_exported():
    rng = np.random.default_rng(1)
    X, y = rng.integers(0, 3, (60, 2)).astype(float), np.array([0, 1] * 30)
    features = tuple(
        Feature(name=name, type="category", categories=("x", "y", "z")) for name in "ab"
    )
    contract = Contract(target="y", classes=(0, 1), features=features, threshold=0.5)
    estimator = build_estimator(contract, Candidate(1.0, 0.5), SIGMOIDS).fit(X, y)
    answers = opened(estimator, contract).score(X)[1]
    np.testing.assert_allclose(answers, estimator.predict_proba(X)[:, 1], rtol=0, atol=1e-12)


def test_the_approximate_model_has_categories_as_well(mixed_model):
    estimator = mixed_model.fit(approximation=Nystroem(25, 3))
    answers = opened(estimator, mixed_model.contract).score(mixed_model.X)[1]
    expected = estimator.predict_proba(mixed_model.X)[:, 1]
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-7)


def test_a_graph_with_categories_uses_onnxs_own_operators_in_double_precision(mixed_model):
    contract = mixed_model.contract
    model = onnx.load_from_string(export(mixed_model.estimator, contract, contract.to_json()))
    assert {node.domain for node in model.graph.node} == {""}
    types = {tensor.data_type for tensor in model.graph.initializer}
    assert types == {onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64}


def baseline_of(model):
    table = Table(pd.DataFrame(), model.X, model.y, model.contract)
    return fit_baseline(table, repeated_folds(model.y, 3, 1, 5))


@pytest.mark.parametrize("model", ["small_model", "mixed_model", "four_classes_model"])
def test_the_baseline_answers_as_scikit_learn_does(request, model):
    fitted = request.getfixturevalue(model)
    estimator = baseline_of(fitted)
    scorer = opened(estimator, fitted.contract)
    assert check_parity(estimator, scorer, fitted.X) < 1e-12
    assert np.ptp(scorer.score(fitted.X)[1]) > 0.5


def test_the_baselines_graph_is_its_preparation_and_a_weighted_sum(small_model):
    contract = small_model.contract
    model = onnx.load_from_string(export(baseline_of(small_model), contract, contract.to_json()))
    assert {node.domain for node in model.graph.node} == {""}
    assert [node.op_type for node in model.graph.node][-5:] == [
        *("Gemm", "Squeeze", "Sigmoid", "GreaterOrEqual", "Cast")
    ]
    assert "Exp" not in {node.op_type for node in model.graph.node}


@pytest.fixture(scope="module")
def four_scorer(four_classes_model) -> Scorer:
    return opened(four_classes_model.estimator, four_classes_model.contract)


@given(st.lists(MIXED_ROWS, min_size=1, max_size=8))
def test_any_row_is_answered_for_each_of_four_classes(four_classes_model, four_scorer, rows):
    X = to_matrix(four_classes_model.contract, rows)
    label, probability = four_scorer.score(X)
    expected = four_classes_model.estimator.predict_proba(X)
    np.testing.assert_allclose(probability, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(label, expected.argmax(axis=1))


def test_the_outputs_are_a_label_and_a_probability_of_each_class(four_classes_model):
    contract = four_classes_model.contract
    content = export(four_classes_model.estimator, contract, contract.to_json())
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [(x.name, x.type, len(x.shape)) for x in session.get_outputs()] == [
        ("label", "tensor(int64)", 1),
        *((f"probability_{place}", "tensor(double)", 1) for place in range(4)),
    ]
    assert {node.domain for node in onnx.load_from_string(content).graph.node} == {""}


@pytest.mark.parametrize("rows", [0, 1, 300])
def test_any_number_of_rows_is_answered_for_each_class(four_scorer, four_classes_model, rows):
    label, probability = four_scorer.score(np.tile(four_classes_model.X, (2, 1))[:rows])
    assert (label.shape, probability.shape) == ((rows,), (rows, 4))
    assert (label.dtype, probability.dtype) == (np.int64, np.float64)


def test_classes_share_their_support_vectors(four_classes_model):
    contract = four_classes_model.contract
    content = export(four_classes_model.estimator, contract, contract.to_json())
    constants = {one.name: one.dims for one in onnx.load_from_string(content).graph.initializer}
    svms = four_classes_model.estimator.named_steps["classify"].svm_.estimators_
    distinct = {vector.tobytes() for svm in svms for vector in svm.support_vectors_}
    assert list(constants["weights"]) == [len(distinct), 4]
    assert len(distinct) < sum(len(svm.support_vectors_) for svm in svms)


@pytest.mark.parametrize("far", [1.0, 1e3, 1e9])
@pytest.mark.parametrize("value", [1e6, 1e155, -1e308])
def test_rows_that_no_class_claims_have_finite_probabilities(four_classes_model, far, value):
    """Slopes as steep, and offsets as low, leave all sigmoids of a row at 0."""
    contract = four_classes_model.contract
    sigmoids = tuple(Sigmoid(far * slope, far * offset) for slope, offset in FOUR_SIGMOIDS)
    estimator = build_estimator(contract, Candidate(2.0, 0.3), sigmoids)
    estimator.fit(four_classes_model.X, four_classes_model.y)
    rows = np.vstack([four_classes_model.X, [[1, value, 0, -value]]])
    label, probability = opened(estimator, contract).score(rows)
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(label, probability.argmax(axis=1))


@pytest.mark.parametrize("approximation", [None, Nystroem(25, 3)])
@pytest.mark.parametrize(("C", "gamma"), [(0.01, 0.001), (1000.0, 5.0)])
def test_four_classes_are_in_parity(four_classes_model, approximation, C, gamma):
    estimator = four_classes_model.fit(C=C, gamma=gamma, approximation=approximation)
    scorer = opened(estimator, four_classes_model.contract)
    assert check_parity(estimator, scorer, four_classes_model.X) < 1e-7
