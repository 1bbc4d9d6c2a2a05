import time

import numpy as np
import pytest

from pipeline.evaluation import metrics
from pipeline.evaluation.bootstrap import Bootstrap, paired_roc_auc_interval, roc_auc_interval
from tests.pipeline.evaluation.many_classes import random_answers


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


MANY = Bootstrap(0.95, 2000, 1)


def naive_areas(y, models, resamples):
    """Give the macro ROC AUC of each model on each resample `[resamples, models]`, one by one."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(resamples):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(y == c), int(np.sum(y == c))) for c in np.unique(y)]
        )
        found.append([metrics.roc_auc(y[rows], p[rows]) for p in models])
    return np.array(found)


@pytest.fixture(scope="module")
def two_models():
    """Labels of four classes, with the probabilities of a better and of a worse model."""
    y, good = random_answers(120, knows=2.0)
    noise = random_answers(120, seed=5, knows=0.0)[1]
    return y, good, 0.6 * good + 0.4 * noise


def test_several_classes_have_the_interval_of_a_loop_over_resamples(two_models):
    y, good, worse = two_models
    areas = naive_areas(y, (good, worse), 300)
    low, high = roc_auc_interval(y, good, MANY)
    np.testing.assert_allclose((low, high), np.quantile(areas[:, 0], [0.025, 0.975]), atol=0.015)
    found = paired_roc_auc_interval(y, good, worse, MANY)
    expected = np.quantile(areas[:, 0] - areas[:, 1], [0.025, 0.975])
    np.testing.assert_allclose((found.low, found.high), expected, atol=0.015)
    assert found.high - found.low > 0.02


def test_the_difference_is_that_of_the_figures_and_turns_round(two_models):
    y, good, worse = two_models
    there, back = (paired_roc_auc_interval(y, *p, MANY) for p in ((good, worse), (worse, good)))
    assert there.difference == metrics.roc_auc(y, good) - metrics.roc_auc(y, worse)
    assert there == pytest.approx((-back.difference, -back.high, -back.low, back.p), abs=1e-12)
    assert 0 < there.low < there.difference < there.high
    assert there.p < 0.05


def test_the_same_order_differs_by_nothing(two_models):
    y, good, _ = two_models
    assert paired_roc_auc_interval(y, good, good**3, MANY) == (0, 0, 0, 1)


def test_chance_alone_is_seldom_called_a_difference():
    """Of models that know equally much, p is below 0.1 about one time in ten."""
    ps = []
    for seed in range(60):
        y, a = random_answers(90, 3, seed=seed)
        noise = np.random.default_rng(1000 + seed).normal(size=(2, *a.shape))
        first, second = np.log(a) + noise
        ps.append(paired_roc_auc_interval(y, first, second, Bootstrap(0.95, 200, seed)).p)
    assert np.mean(np.array(ps) < 0.1) == pytest.approx(0.1, abs=0.08)


def test_a_class_of_one_row_tells_nothing_and_one_of_none_is_refused():
    y, p = random_answers(40, 3)
    y[y == 0] = 1
    with pytest.raises(ValueError, match="needs rows of every class"):
        paired_roc_auc_interval(y, p, p[::-1], MANY)
    y[0] = 0
    assert paired_roc_auc_interval(y, p, p[::-1], MANY)[1:] == (-1, 1, 1)


def test_a_thousand_rows_of_five_classes_take_seconds():
    y, p = random_answers(1000, 5)
    start = time.perf_counter()
    paired_roc_auc_interval(y, p, p[::-1], MANY)
    assert time.perf_counter() - start < 20  # 2 on an idle core
