import numpy as np
import pytest

from pipeline.evaluation import metrics
from pipeline.evaluation.bootstrap import Bootstrap, roc_auc_interval


def random_data(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    return y, np.round(rng.random(rows) * 0.7 + 0.3 * y, 2)  # with ties


DEFAULT = {"confidence": 0.95, "resamples": 2000, "seed": 1}


def interval(y, p, **changes):
    return roc_auc_interval(y, p, Bootstrap(**{**DEFAULT, **changes}))


def naive_interval(y, p, resamples, confidence):
    rng = np.random.default_rng(99)
    areas = []
    for _ in range(resamples):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(y == label), int(np.sum(y == label))) for label in (0, 1)]
        )
        areas.append(metrics.roc_auc(y[rows], p[rows]))
    return np.quantile(areas, [(1 - confidence) / 2, (1 + confidence) / 2])


@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_the_interval_is_that_of_a_loop_over_resamples(confidence):
    y, p = random_data(80)
    ours = interval(y, p, resamples=6000, confidence=confidence)
    np.testing.assert_allclose(ours, naive_interval(y, p, 6000, confidence), atol=0.006)
    assert ours[1] - ours[0] > 0.03


def test_the_interval_is_that_of_its_seed():
    y, p = random_data()
    assert interval(y, p) == interval(y, p)
    assert interval(y, p) != interval(y, p, seed=2)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_the_figure(seed):
    y, p = random_data(60, seed)
    low, high = interval(y, p)
    assert 0 <= low < metrics.roc_auc(y, p) < high <= 1


def test_the_interval_is_narrower_where_less_confidence_is_asked_for():
    y, p = random_data()
    (low, high), (lower, higher) = interval(y, p, confidence=0.5), interval(y, p)
    assert lower < low < high < higher


def test_the_interval_of_a_perfect_ranking_is_a_point():
    y = np.array([0, 1] * 10)
    assert interval(y, y.astype(float), resamples=100) == (1, 1)


def test_a_long_table_is_resampled_in_blocks():
    y, p = random_data(30_000)
    low, high = interval(y, p, resamples=150)  # 4,500,000 weights, two million at a time
    assert low < metrics.roc_auc(y, p) < high
    assert high - low < 0.02
