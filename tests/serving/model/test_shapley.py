"""Shapley values against their definition: the mean over all orders of the features."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.model import shapley
from serving.model.shapley import Factors, kernels, quadrature, shapley_values
from tests.coalitions import coalitions, mean_over_orders

FAR = 1e100  # what the graph makes of the largest values


def made(seed, d, *, m=6, sums=2, rows=2, background=4, gamma=0.3):
    """Draw a sum of kernels of d features, some of several columns, with rows and a background."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 4, d)
    ends = np.cumsum(widths)
    columns = tuple(tuple(range(end - width, end)) for end, width in zip(ends, widths, strict=True))
    vectors = rng.normal(size=(m, ends[-1]))
    factors = Factors(vectors, rng.normal(size=(m, sums)), gamma, columns)
    return factors, rng.normal(size=(rows, ends[-1])), rng.normal(size=(background, ends[-1]))


def sums_of(factors, z):
    return np.prod(kernels(factors, z), axis=0) @ factors.weights


def by_definition(factors, row, background):
    """Return `[features, sums]` from the value of each of the 2^d coalitions."""
    value = {}
    for coalition in coalitions(len(factors.columns)):
        mixed = background.copy()
        for feature in coalition:
            columns = list(factors.columns[feature])
            mixed[:, columns] = row[columns]
        value[coalition] = sums_of(factors, mixed).mean(axis=0)
    return np.array(mean_over_orders(value, len(factors.columns)))


def close(wanted, factors):
    return pytest.approx(wanted, rel=0, abs=1e-14 * np.abs(factors.weights).sum())


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([1e-4, 0.3, 20.0]))
def test_they_are_the_mean_over_all_orders(seed, d, gamma):
    factors, z, background = made(seed, d, gamma=gamma)
    found = shapley_values(factors, z, background)
    for row, values in zip(z, found.values, strict=True):
        assert values == close(by_definition(factors, row, background), factors)


@pytest.mark.parametrize("d", [11, 12])
def test_so_they_are_of_a_dozen_features(d):
    factors, z, background = made(d, d, rows=1, gamma=0.05)
    values = shapley_values(factors, z, background).values[0]
    assert values == close(by_definition(factors, z[0], background), factors)


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_base_and_values_make_up_the_sum(seed, d):
    factors, z, background = made(seed, d, m=20, gamma=0.1 / d)
    found = shapley_values(factors, z, background)
    assert found.base == close(sums_of(factors, background).mean(axis=0), factors)
    assert found.base + found.values.sum(axis=1) == close(sums_of(factors, z), factors)


@given(st.integers(0, 10_000))
def test_a_feature_that_is_the_same_everywhere_adds_nothing(seed):
    factors, z, background = made(seed, 5)
    columns = list(factors.columns[2])
    z[:, columns] = background[:, columns] = 0.7
    values = shapley_values(factors, z, background).values
    assert np.array_equal(values[:, 2], np.zeros_like(values[:, 2]))
    assert np.all(values[:, 1])


@given(st.integers(0, 10_000))
def test_features_that_are_alike_add_alike(seed):
    factors, z, background = made(seed, 5)
    first, second = factors.columns[1], factors.columns[3]
    pairs = list(zip(first, second, strict=False))
    for matrix in (factors.vectors, z, background):
        for a, b in pairs:
            matrix[:, b] = matrix[:, a]
    columns = list(factors.columns)
    columns[1], columns[3] = (tuple(each) for each in zip(*pairs, strict=True))
    factors = factors._replace(columns=tuple(columns))
    values = shapley_values(factors, z, background).values
    assert values[:, 1] == close(values[:, 3], factors)


@given(st.integers(0, 10_000))
def test_they_add_up_over_sums_and_mean_over_backgrounds(seed):
    factors, z, background = made(seed, 4)
    whole = shapley_values(factors, z, background).values
    together = factors._replace(weights=factors.weights.sum(axis=1, keepdims=True))
    assert shapley_values(together, z, background).values[:, :, 0] == close(
        whole.sum(axis=2), factors
    )
    each = [shapley_values(factors, z, background[[row]]).values for row in range(4)]
    assert whole == close(np.mean(each, axis=0), factors)


def test_a_factor_of_zero_is_no_trouble():
    factors, z, background = made(1, 6)
    z[0, list(factors.columns[2])] = FAR
    background[1, list(factors.columns[2])] = -FAR
    background[2, list(factors.columns[4])] = FAR
    values = shapley_values(factors, z, background).values
    assert np.isfinite(values).all()
    assert values[0] == close(by_definition(factors, z[0], background), factors)


def test_products_too_small_for_a_double_are_no_trouble():
    factors, z, background = made(2, 200, gamma=5.0)
    z[1], background[0] = factors.vectors[1], factors.vectors[2]
    found = shapley_values(factors, z, background)
    off = found.base + found.values.sum(axis=1) - sums_of(factors, z)
    assert np.abs(off).max() < 1e-13 * np.abs(factors.weights).sum()
    assert np.abs(found.values[1]).max() > 0


@pytest.mark.parametrize("block", [1, 9, 40])
def test_blocks_make_no_difference(monkeypatch, block):
    factors, z, background = made(3, 3, m=11, rows=5, background=7)
    whole = shapley_values(factors, z, background)
    monkeypatch.setattr(shapley, "BLOCK", block)
    found = shapley_values(factors, z, background)
    assert found.values == close(whole.values, factors)
    assert found.base == close(whole.base, factors)


def test_the_clock_may_end_it():
    def over():
        raise TimeoutError

    factors, z, background = made(0, 3)
    with pytest.raises(TimeoutError):
        shapley_values(factors, z, background, over)


@pytest.mark.parametrize("d", [1, 2, 3, 8, 28])
def test_the_quadrature_of_few_features_is_exact_for_their_degree(d):
    points, weights = np.array(quadrature(d)).T
    assert len(points) == (d + 1) // 2
    for degree in range(d):
        assert np.sum(weights * points**degree) == pytest.approx(1 / (degree + 1), abs=1e-15)


@pytest.mark.parametrize("d", [29, 60, 200])
def test_fewer_points_are_as_good_for_many_features(d):
    exact = np.polynomial.legendre.leggauss((d + 1) // 2)
    points, weights = np.array(quadrature(d)).T
    assert len(points) < len(exact[0])
    rng = np.random.default_rng(d)
    # The products that change most on the way: all from 0 to 1, all the other way, a few, random.
    for ends in (
        np.tile([0.0, 1.0], (d - 1, 1)),
        np.tile([1.0, 0.0], (d - 1, 1)),
        np.repeat([[0.0, 1.0], [1.0, 0.0]], [3, d - 4], axis=0),
        rng.random((d - 1, 2)),
    ):
        wanted, found = (
            np.sum(w * np.prod(np.outer(1 - t, ends[:, 0]) + np.outer(t, ends[:, 1]), axis=1))
            for t, w in (((exact[0] + 1) / 2, exact[1] / 2), (points, weights))
        )
        assert found == pytest.approx(wanted, rel=0, abs=1e-14)
