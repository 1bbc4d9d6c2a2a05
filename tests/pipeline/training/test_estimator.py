import numpy as np

from pipeline.search.calibration import Sigmoid
from pipeline.search.units import Candidate
from pipeline.training.estimator import build_estimator, build_transformer, mark_missing
from serving.model.contract import Contract, Feature

NAN = np.nan
CONTRACT = Contract(
    target="y",
    classes=(0, 1),
    features=(Feature(name="a", nullable=True, missing_values=(0.0, -1.0)), Feature(name="b")),
)


def test_only_a_features_own_values_mean_missing():
    X = np.array([[0.0, 0.0], [-1.0, -1.0], [2.0, 5.0], [NAN, 7.0]])
    before = X.copy()
    marked = mark_missing(X, [(0.0, -1.0), (5.0,)])
    np.testing.assert_array_equal(marked, [[NAN, 0.0], [NAN, -1.0], [2.0, NAN], [NAN, 7.0]])
    np.testing.assert_array_equal(X, before)


def test_what_is_missing_gets_the_median_of_what_is_known():
    X = np.array([[0.0, 1.0], [-1.0, 2.0], [2.0, 3.0], [4.0, 4.0], [9.0, 5.0]])
    fitted = build_transformer(CONTRACT).fit(X)
    assert fitted.named_steps["impute"].statistics_.tolist() == [4.0, 3.0]
    answers = fitted.transform(np.array([[0.0, 3.0], [-1.0, 3.0], [NAN, 3.0], [4.0, 3.0]]))
    np.testing.assert_allclose(answers[:3], np.tile(answers[3], (3, 1)))


def test_features_are_scaled_to_unit_variance():
    X = np.random.default_rng(0).normal(size=(50, 2)) * [3, 1e6] + [10, 1e9]
    scaled = build_transformer(CONTRACT).fit_transform(X)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(axis=0), 1)


def test_the_estimator_gives_probabilities_of_one_svm(small_model):
    probability = small_model.estimator.predict_proba(small_model.X)
    assert probability.shape == (len(small_model.X), 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    svm = small_model.estimator.named_steps["classify"].svm_
    assert (svm.C, svm.gamma, svm.kernel, svm.class_weight) == (2.0, 0.3, "rbf", None)
    balanced = small_model.fit(class_weight="balanced").named_steps["classify"].svm_
    assert balanced.class_weight == "balanced"


def test_an_estimator_is_not_fitted_when_it_is_built():
    estimator = build_estimator(CONTRACT, Candidate(1.0, 1.0), (Sigmoid(1.0, 0.0),))
    assert not hasattr(estimator.named_steps["impute"], "statistics_")


MIXED = Contract(
    target="y",
    classes=(0, 1),
    features=(
        Feature(name="colour", type="category", categories=("red", "green", "blue"), nullable=True),
        Feature(name="a", nullable=True, missing_values=(-1.0,)),
        Feature(name="size", type="category", categories=("small", "large")),
    ),
)


def test_a_category_becomes_a_column_for_each_and_numbers_stay_as_they_are():
    X = np.array([[0, 1.0, 1], [2, 3.0, 0], [2, -1.0, 0], [NAN, 5.0, 1], [1, 3.0, 0]])
    encoded = build_transformer(MIXED).fit_transform(X)
    numbers = Contract(target="y", classes=(0, 1), features=MIXED.features[1:2])
    np.testing.assert_array_equal(
        encoded[:, :1], build_transformer(numbers).fit_transform(X[:, 1:2])
    )
    assert encoded[:, 1:].tolist() == [
        [1, 0, 0, 0, 1],
        [0, 0, 1, 1, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 1, 0, 1],  # the most frequent colour
        [0, 1, 0, 1, 0],
    ]


def test_every_category_has_its_column_whichever_rows_it_is_fitted_on():
    fitted = build_transformer(MIXED).fit(np.array([[1, 1.0, 0], [1, 2.0, 0]]))
    assert fitted.transform(np.array([[2, 1.5, 1]]))[0].tolist() == [0, 0, 0, 1, 0, 1]


def test_there_may_be_nothing_but_categories():
    contract = Contract(target="y", classes=(0, 1), features=MIXED.features[::2])
    encoded = build_transformer(contract).fit_transform(np.array([[0, 1.0], [NAN, 0]]))
    assert encoded.tolist() == [[1, 0, 0, 0, 1], [1, 0, 0, 1, 0]]


def test_without_categories_the_steps_are_those_of_numbers_alone():
    assert list(build_transformer(CONTRACT).named_steps) == ["mark", "impute", "scale"]
