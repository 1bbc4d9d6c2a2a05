import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import _sigmoid_calibration

from pipeline.search.calibration import (
    Fold,
    Sigmoid,
    cross_fitted,
    fit_sigmoid,
    mean_and_scale,
    probabilities,
)


def drawn(seed, rows=120, gap=1.0):
    rng = np.random.default_rng(seed)
    y = (np.arange(rows) % 3 == 0).astype(np.int64)
    return rng.normal(size=rows) + gap * y, y


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([12, 60, 400]), st.sampled_from([-1, 0, 1, 30]))
def test_sigmoid_is_that_of_scikit_learn(seed, rows, gap):
    values, y = drawn(seed, rows, gap)
    ours = fit_sigmoid([Fold(values, y, 0)])
    grid = np.linspace(-3, 33, 40)
    a, b = _sigmoid_calibration(values, y)
    theirs = Sigmoid(-a, -b)
    np.testing.assert_allclose(ours.probability(grid), theirs.probability(grid), atol=2e-4)


def test_sigmoid_is_at_the_minimum_of_its_loss():
    values, y = drawn(3)
    slope, offset = fit_sigmoid([Fold(values, y, 0)])
    positives, negatives = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    residual = 1 / (1 + np.exp(-(slope * values + offset))) - target
    assert abs(residual.sum()) < 1e-7
    assert abs((residual * values).sum()) < 1e-7


def test_a_row_counts_once_however_often_it_was_scored():
    values, y = drawn(5, rows=30)
    once = fit_sigmoid([Fold(values, y, 0)])
    thrice = fit_sigmoid([Fold(values, y, repeat) for repeat in range(3)])
    assert thrice == pytest.approx(once, abs=1e-8)


def test_cross_fitted_probabilities_come_from_the_other_folds():
    folds = [Fold(*drawn(seed, rows=40 + seed), seed // 2) for seed in range(4)]
    expected = [
        fit_sigmoid([other]).probability(fold.decisions)
        for fold, other in zip(folds, (folds[1], folds[0], folds[3], folds[2]), strict=True)
    ]
    y, probability = cross_fitted(folds)
    np.testing.assert_array_equal(y, np.concatenate([fold.y for fold in folds]))
    np.testing.assert_allclose(probability, np.concatenate(expected), atol=1e-9)


def test_in_time_probabilities_come_from_the_earlier_folds():
    folds = [Fold(*drawn(seed, rows=40 + seed), 0) for seed in range(3)]
    expected = [
        fit_sigmoid(folds[:number]).probability(folds[number].decisions) for number in (1, 2)
    ]
    y, probability = cross_fitted(folds, in_time=True)
    np.testing.assert_array_equal(y, np.concatenate([fold.y for fold in folds[1:]]))
    np.testing.assert_allclose(probability, np.concatenate(expected), atol=1e-9)


def test_of_more_classes_the_probabilities_are_the_sigmoids_divided_by_their_sum():
    folds = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = np.arange(60) % 4
        folds.append(Fold(rng.normal(size=(60, 4)) + np.eye(4)[y], y, 0))
    y, probability = cross_fitted(folds)
    of_each = [
        cross_fitted([Fold(f.decisions[:, c], (f.y == c).astype(np.int64), 0) for f in folds])[1]
        for c in range(4)
    ]
    expected = np.column_stack(of_each) / np.sum(of_each, axis=0)[:, np.newaxis]
    np.testing.assert_array_equal(y, np.concatenate([fold.y for fold in folds]))
    np.testing.assert_allclose(probability, expected, atol=1e-12)


@pytest.mark.parametrize("far", [1e3, 1e9, 1e300])
def test_rows_that_no_class_claims_still_have_probabilities_that_sum_to_one(far):
    p = probabilities(np.array([[-far, -far, -far], [-far, -2 * far, far], [-far, -far - 1, -far]]))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(p[0], 1 / 3)
    assert p[1, 2] == 1


@pytest.mark.parametrize("values", [np.zeros(30), np.full(30, 1e-300)])
def test_constant_values_give_the_base_rate(values):
    y = (np.arange(30) < 10).astype(np.int64)
    assert fit_sigmoid([Fold(values, y, 0)]).probability(values) == pytest.approx(1 / 3, abs=0.02)


def test_standardising_takes_noise_for_constant():
    values = np.full(10, 5.0)
    values[0] += 1e-13
    assert mean_and_scale(values)[1] == 1.0
    assert mean_and_scale(np.array([1.0, 3.0])) == (2.0, 1.0)
