from functools import partial

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from pipeline.errors import PipelineError
from pipeline.export.onnx_model import export
from pipeline.export.parity import check_parity
from pipeline.params import PARITY_TOLERANCE
from serving.model.scorer import Scorer


def open_changed(of, estimator=None, **constants) -> Scorer:
    """Open an estimator's exported model, with constants of its graph replaced."""
    contract_json = of.contract.to_json()
    model = onnx.load_from_string(export(estimator or of.estimator, of.contract, contract_json))
    for tensor in model.graph.initializer:
        if tensor.name in constants:
            change = constants.pop(tensor.name)
            value = change(numpy_helper.to_array(tensor).copy())
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(value), tensor.name))
    assert not constants, "no such constant"
    return Scorer.open(model.SerializeToString(), contract_json)


@pytest.fixture
def open_model(small_model):
    return partial(open_changed, small_model)


def test_the_exported_model_is_in_parity(small_model, open_model):
    assert check_parity(small_model.estimator, open_model(), small_model.X) < 1e-9
    assert PARITY_TOLERANCE == 1e-5


def test_the_model_of_another_estimator_is_refused_in_a_sentence(small_model, open_model):
    other = open_model(small_model.fit(C=50.0))
    with pytest.raises(
        PipelineError,
        match=r"the exported model answers 0\.\d{6} where scikit-learn's answers 0\.\d{6}, "
        r"for a [-.\d]+, b .*, c .*, d .*: nothing is written",
    ):
        check_parity(small_model.estimator, other, small_model.X)


def test_a_difference_of_twice_the_tolerance_is_refused(small_model, open_model):
    def nudged(by):
        return open_model(bias=lambda bias: bias + by)  # a quarter of it in probability

    assert check_parity(small_model.estimator, nudged(1e-5), small_model.X) > 1e-6
    with pytest.raises(PipelineError, match="where scikit-learn's answers"):
        check_parity(small_model.estimator, nudged(8e-5), small_model.X)


def test_a_probability_that_is_no_number_is_refused(small_model, open_model):
    broken = open_model(bias=lambda bias: bias * np.nan)
    with pytest.raises(PipelineError, match="answers nan where scikit-learn's answers"):
        check_parity(small_model.estimator, broken, small_model.X)


def without(column):
    def change(values):
        values[column] = np.nan
        return values

    return change


@pytest.mark.parametrize(
    ("constant", "column"),
    [("missing_value_0", 0), ("missing_value_1", 0), ("missing_value_0", 1), ("medians", 2)],
)
def test_a_way_of_being_missing_that_is_lost_is_noticed(small_model, open_model, constant, column):
    broken = open_model(**{constant: without(column)})
    known = small_model.X[~np.isnan(small_model.X).any(axis=1)]
    known = known[(known[:, 0] > 0) & (known[:, 1] > 0)]  # rows that do not show the fault
    with pytest.raises(PipelineError, match="where scikit-learn's answers"):
        check_parity(small_model.estimator, broken, known)


def test_the_ends_of_what_can_be_asked_are_tried(small_model, open_model):
    """The graph is changed far from the training rows alone."""
    narrow = open_model(highest=lambda _: 6.0, lowest=lambda _: -6.0)
    inside = narrow.score(small_model.X)[1]
    np.testing.assert_array_equal(inside, open_model().score(small_model.X)[1])
    gentle = small_model.fit(gamma=0.001)
    with pytest.raises(PipelineError, match="where scikit-learn's answers"):
        check_parity(
            gentle, open_model(gentle, highest=lambda _: 6.0, lowest=lambda _: -6.0), small_model.X
        )


def test_labels_that_do_not_follow_the_threshold_are_refused(small_model, open_model):
    broken = open_model(threshold=lambda threshold: threshold + 0.1)
    with pytest.raises(PipelineError, match="labels do not follow its threshold"):
        check_parity(small_model.estimator, broken, small_model.X)


def test_a_model_with_categories_is_in_parity(mixed_model):
    assert check_parity(mixed_model.estimator, open_changed(mixed_model), mixed_model.X) < 1e-9


@pytest.mark.parametrize(
    ("constant", "change"),
    [
        ("most_frequent", lambda codes: codes * 0),
        ("codes", without(2)),
        ("codes", without(3)),  # a category that no row of training has
        ("one_hot_columns", lambda places: places[::-1]),
        ("categories_columns", lambda places: places[::-1]),
    ],
)
def test_a_category_that_is_encoded_otherwise_is_noticed(mixed_model, constant, change):
    broken = open_changed(mixed_model, **{constant: change})
    with pytest.raises(PipelineError, match=r"for colour (red|green|blue|black|nan), b .*, size "):
        check_parity(mixed_model.estimator, broken, mixed_model.X[:1])


def test_rows_that_are_made_up_have_only_categories_that_there_are(mixed_model):
    """Between two that are equally frequent, the median is none: scikit-learn would refuse it."""
    small, large = (mixed_model.X[mixed_model.X[:, 2] == size][:20] for size in (0, 1))
    X = np.vstack([small, large])
    assert np.median(X[:, 2]) == 0.5
    assert check_parity(mixed_model.estimator, open_changed(mixed_model), X) < 1e-9


@pytest.mark.parametrize("place", range(4))
def test_a_difference_in_any_class_is_refused(four_classes_model, place):
    def nudged(bias):
        return bias + 1e-3 * np.eye(4)[place]

    with pytest.raises(PipelineError, match="where scikit-learn's answers"):
        check_parity(
            four_classes_model.estimator,
            open_changed(four_classes_model, bias=nudged),
            four_classes_model.X,
        )


def test_labels_that_are_not_of_the_largest_probability_are_refused(four_classes_model):
    class Mislabelled(Scorer):
        def score(self, values, *, until=None):
            label, probability = super().score(values, until=until)
            return (label + 1) % 4, probability

    scorer = open_changed(four_classes_model)
    wrong = Mislabelled(scorer._session, scorer.contract, scorer.digest)
    with pytest.raises(PipelineError, match="labels are not those of its probabilities"):
        check_parity(four_classes_model.estimator, wrong, four_classes_model.X)
