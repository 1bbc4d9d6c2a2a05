"""Shapley values of a weighted sum of product kernels: exact, for any number of features.

The value of a coalition S of features is the mean over background rows b of `f` at the row that
has x's values in S and b's elsewhere: the interventional value function (Janzing, Minorics and
Bloebaum 2020). `f(x) = Σᵢ aᵢ Πⱼ kⱼ(xⱼ, vᵢⱼ)` is multilinear in what is exchanged, so that its
Shapley values are an integral over the diagonal of the unit cube (Owen 1972, "Multilinear
extensions of games"):

    φⱼ = ∫₀¹ mean_b Σᵢ aᵢ (kᵢⱼ(x) − kᵢⱼ(b)) Π_{l≠j} (t kᵢₗ(x) + (1−t) kᵢₗ(b)) dt

The integrand is a polynomial in t, for which Gauss–Legendre quadrature is exact.
"""

from collections.abc import Callable
from functools import lru_cache
from math import ceil
from typing import NamedTuple

import numpy as np

from serving.model.contract import FloatMatrix

BLOCK = 2**16  # numbers that are worked on at once: they stay in the processor's cache
LEAST = -70.0  # logarithm of a kernel: smaller ones count as e⁻⁷⁰, since factors are divided by
ROUNDING = 1e-16  # of Σ|aᵢ|: an error of the quadrature that double precision does not show


class Factors(NamedTuple):
    """A sum of kernels `f(z) = Σᵢ aᵢ exp(−γ‖z − vᵢ‖²)`, and which columns of z a feature has.

    `vectors` `[m, k]`, `weights` `[m, sums]`, `columns`: those of each feature.
    """

    vectors: FloatMatrix
    weights: FloatMatrix
    gamma: float
    columns: tuple[tuple[int, ...], ...]


class ShapleyValues(NamedTuple):
    """`base` `[sums]` is the mean of f over the background; `values` `[rows, features, sums]`.

    For each row f is the base and the sum of its values.
    """

    base: FloatMatrix
    values: FloatMatrix


def shapley_values(
    factors: Factors,
    z: FloatMatrix,
    background: FloatMatrix,
    check_time: Callable[[], None] = lambda: None,
) -> ShapleyValues:
    """Return the Shapley values of rows `z` `[rows, k]` against a background `[b, k]`.

    `check_time` is called every few milliseconds, and may raise to end it.
    """
    d, sums = len(factors.columns), factors.weights.shape[1]
    base, values = np.zeros(sums), np.zeros((len(z), d, sums))
    at_most = max(1, BLOCK // d)  # kernels
    space = np.empty(3 * d * at_most)
    # An eighth of the vectors that fit: the kernels of `z` then serve several background rows.
    for part in _slices(len(factors.vectors), max(1, at_most // 8)):
        some = factors._replace(vectors=factors.vectors[part], weights=factors.weights[part])
        at_once = max(1, at_most // len(some.vectors))
        for behind in _slices(len(background), at_once):
            b = kernels(some, background[behind])
            spaces = space[: 3 * b.size].reshape(3, *b.shape)
            base += np.einsum("bm,mk->k", np.multiply.reduce(b), some.weights)
            for rows in _slices(len(z), at_once):
                x = kernels(some, z[rows])
                for place, row in enumerate(range(len(z))[rows]):
                    check_time()
                    of_vectors = _integrals(x[:, place], b, spaces)
                    values[row] += np.einsum("dm,mk->dk", of_vectors, some.weights)
    return ShapleyValues(base / len(background), values / len(background))


def _slices(length: int, step: int) -> list[slice]:
    return [slice(start, start + step) for start in range(0, length, step)]


def kernels(factors: Factors, z: FloatMatrix) -> FloatMatrix:
    """Return each feature's part of the kernel of rows and vectors `[features, rows, m]`."""
    columns_of_z, columns_of_vectors = (np.ascontiguousarray(x.T) for x in (z, factors.vectors))
    exponents = np.zeros((len(factors.columns), len(z), len(factors.vectors)))
    for feature, columns in enumerate(factors.columns):
        for column in columns:
            apart = np.subtract.outer(columns_of_z[column], columns_of_vectors[column])
            exponents[feature] += np.square(apart, out=apart)
    exponents *= -factors.gamma
    np.maximum(exponents, LEAST, out=exponents)
    return np.exp(exponents, out=exponents)


def _integrals(x: FloatMatrix, b: FloatMatrix, space: FloatMatrix) -> FloatMatrix:
    """Return the integral of each feature and vector `[d, m]`, summed over the background.

    `x` is `[d, m]`, `b` `[d, rows, m]`; `space` `[3, d, rows, m]` is written over. The product over
    the other features is the whole product divided by the feature's factor, which is e⁻⁷⁰ or more.
    Where the whole is too small for a double, so is the quotient for a contribution.
    """
    difference, factor, integral = space
    np.subtract(x[:, np.newaxis], b, out=difference)
    integral.fill(0)
    for t, weight in quadrature(len(b)):
        np.multiply(difference, t, out=factor)
        factor += b
        product = weight * np.multiply.reduce(factor)
        integral += np.divide(product, factor, out=factor)
    return np.asarray(np.einsum("dbm,dbm->dm", integral, difference))


@lru_cache
def quadrature(d: int) -> tuple[tuple[float, float], ...]:
    """Return points and weights on [0, 1] for the integrand of d features, of degree d − 1.

    n points are exact to degree 2n − 1 (Gauss 1814). For many features fewer do: see `_error`.
    """
    exact = ceil(d / 2)
    enough = next(n for n in range(1, exact + 1) if n == exact or _error(n, d) < ROUNDING)
    points, weights = np.polynomial.legendre.leggauss(enough)
    return tuple(zip(((points + 1) / 2).tolist(), (weights / 2).tolist(), strict=True))


def _error(n: int, d: int) -> float:
    """Return a bound of the error of n points, of Σ|aᵢ|.

    `64 M ρ⁻²ⁿ / 15 (1 − ρ⁻²)`, for any ρ > 1, where M bounds the integrand on the ellipse of
    Bernstein with the parameter ρ (Trefethen 2008, "Is Gauss Quadrature Better than
    Clenshaw–Curtis?", theorem 4.5). There a factor between two values of [0, 1] is at most
    `(1 + (ρ + 1/ρ)/2) / 2`.
    """
    rho = np.geomspace(1.01, 100, 300)
    largest = (1 + (rho + 1 / rho) / 2) / 2
    logarithm = (d - 1) * np.log(largest) - 2 * n * np.log(rho)
    return float(np.exp(min(0.0, (logarithm + np.log(32 / 15 / (1 - rho**-2))).min())))
