import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.delong import paired_roc_auc_difference
from pipeline.evaluation.metrics import roc_auc

# Scores on a coarse grid, so that many are equal.
SCORE = st.integers(0, 9).map(lambda k: k / 9)
ROWS = (
    st.lists(st.tuples(st.integers(0, 1), SCORE, SCORE), min_size=2, max_size=40)
    .filter(lambda rows: len({label for label, _, _ in rows}) == 2)
    .map(lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True)))
)


def naive(y, a, b, confidence):
    """Follow the paper: every pair of a positive and a negative is looked at."""

    def components(scores):
        pairs = [
            [1.0 if p > n else 0.5 if p == n else 0.0 for n in scores[y == 0]]
            for p in scores[y == 1]
        ]
        return np.mean(pairs, axis=1), np.mean(pairs, axis=0)

    (a10, a01), (b10, b01) = components(a), components(b)
    s10, s01 = np.cov(a10, b10), np.cov(a01, b01)
    covariance = s10 / len(a10) + s01 / len(a01)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    difference, error = a10.mean() - b10.mean(), math.sqrt(max(variance, 0))
    width = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return difference, difference - width, difference + width, error


@given(ROWS, st.sampled_from([0.5, 0.95]))
def test_the_fast_form_gives_what_looking_at_every_pair_gives(rows, confidence):
    y, a, b = rows
    got = paired_roc_auc_difference(y, a, b, confidence=confidence)
    assert got.difference == pytest.approx(roc_auc(y, a) - roc_auc(y, b), abs=1e-12)
    if min(np.sum(y == 0), np.sum(y == 1)) < 2:
        assert got[1:] == (-1, 1, 1)
        return
    difference, low, high, error = naive(y, a, b, confidence)
    assert got.low == pytest.approx(max(low, -1), abs=1e-6)
    assert got.high == pytest.approx(min(high, 1), abs=1e-6)
    if error > 1e-6:
        expected = 2 * NormalDist().cdf(-abs(difference) / error)
        assert got.p == pytest.approx(expected, abs=1e-9)


@given(ROWS)
def test_no_rows_whatever_give_something_that_is_no_number(rows):
    got = paired_roc_auc_difference(*rows, confidence=0.95)
    assert all(math.isfinite(value) for value in got)
    assert -1 <= got.low <= got.difference <= got.high <= 1
    assert 0 <= got.p <= 1


@given(ROWS)
def test_the_other_way_round_the_difference_is_the_same_and_negative(rows):
    y, a, b = rows
    there = paired_roc_auc_difference(y, a, b, confidence=0.9)
    back = paired_roc_auc_difference(y, b, a, confidence=0.9)
    assert back == pytest.approx((-there.difference, -there.high, -there.low, there.p))


def test_scores_of_the_same_order_do_not_differ_at_all():
    y, a = np.array([0, 1, 0, 1, 1, 0, 1]), np.array([0.1, 0.7, 0.3, 0.3, 0.2, 0.9, 0.8])
    for b in (a, a**3):
        assert paired_roc_auc_difference(y, a, b, confidence=0.95) == (0, 0, 0, 1)


def test_two_models_that_leave_no_doubt_differ_without_a_division_by_zero():
    y = np.array([0, 1] * 10)
    got = paired_roc_auc_difference(y, y.astype(float), 1.0 - y, confidence=0.95)
    assert got == (1, 1, 1, 0)


def test_rows_of_one_class_alone_are_refused():
    with pytest.raises(ValueError, match="both classes"):
        paired_roc_auc_difference(np.ones(3), np.ones(3), np.ones(3), confidence=0.95)


def correlated(rows=400, seed=3):
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.35).astype(np.int64)
    signal = y + rng.normal(size=rows)
    return y, signal + rng.normal(size=rows) * 0.5, signal + rng.normal(size=rows) * 0.9


def test_the_interval_is_that_of_a_bootstrap_of_the_same_rows():
    y, a, b = correlated()
    rng = np.random.default_rng(1)
    differences = []
    for _ in range(4000):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(y == label), np.sum(y == label)) for label in (0, 1)]
        )
        differences.append(roc_auc(y[rows], a[rows]) - roc_auc(y[rows], b[rows]))
    got = paired_roc_auc_difference(y, a, b, confidence=0.95)
    assert (got.low, got.high) == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=0.004)
    assert got.high - got.low > 0.04  # so that the tolerance says something


def test_p_says_how_often_chance_alone_gives_as_much():
    """Of two models that are equally good, one in ten pairs has a p below 0.1."""
    ps = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], [90, 60])
        a, b = (y + rng.normal(size=150) for _ in range(2))
        ps.append(paired_roc_auc_difference(y, a, b, confidence=0.95).p)
    assert np.mean(np.array(ps) < 0.1) == pytest.approx(0.1, abs=0.04)


def test_a_hundred_thousand_rows_take_no_table_of_pairs():
    y, a, b = correlated(100_000)
    got = paired_roc_auc_difference(y, a, b, confidence=0.95)
    assert got.high - got.low < 0.01
