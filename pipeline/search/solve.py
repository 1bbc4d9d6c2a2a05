"""Solve one unit: all C of a gamma on a fold, on the one kernel that they share."""

from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt
from sklearn.kernel_approximation import Nystroem as KernelMap

from pipeline.evaluation.metrics import roc_auc
from pipeline.search import libsvm, linear_svm
from pipeline.search.kernel import Buffers, Distances, distances, rbf
from pipeline.search.memory import Layout, Plan
from pipeline.search.problem import Nystroem, Prepared
from pipeline.search.units import Unit, UnitScores

Array = npt.NDArray[np.float64]
Decisions = Iterator[Array]


def solve_unit(
    fold: Prepared,
    unit: Unit,
    plan: Plan,
    approximation: Nystroem | None,
    shared: Distances | None = None,
    buffers: Buffers | None = None,
) -> UnitScores:
    """Fit each C of a unit and score it on the fold's test rows, to the same bits in each layout.

    `shared` are the fold's distances where they are kept; `buffers` is memory to work in.
    """
    if approximation is not None:
        decisions = _approximate(fold, unit, approximation)
    elif plan.layout is Layout.OWN:
        decisions = _own_kernel(fold, unit, plan)
    else:
        decisions = _shared_kernel(fold, unit, plan, shared, buffers or Buffers())
    scores, fit_s, score_s = [], [], []
    for _ in unit.C:
        start = perf_counter()
        decided = next(decisions)
        fitted = perf_counter()
        scores.append(roc_auc(fold.y_test, decided))
        fit_s.append(fitted - start)
        score_s.append(perf_counter() - fitted)
    return UnitScores(tuple(scores), tuple(fit_s), tuple(score_s))


def _shared_kernel(
    fold: Prepared, unit: Unit, plan: Plan, shared: Distances | None, buffers: Buffers
) -> Decisions:
    squared = shared or distances(fold.A, fold.B, buffers)
    K, K_test = rbf(squared, unit.gamma, buffers)
    machines: list[tuple[float, libsvm.Machine]] = []
    for C in unit.C:
        if _is_unbounded(machines[-2:]):
            machine = machines[-1][1]
        else:
            machine = libsvm.fit(K, fold.y_training, C, cache_bytes=plan.cache_bytes)
        yield libsvm.decision(machine, K_test)
        machines = [*machines[-1:], (C, machine)]


def _is_unbounded(machines: Sequence[tuple[float, libsvm.Machine]]) -> bool:
    """True if C no longer affects the solver's steps.

    C is only met as a bound of the coefficients. Where two C led the same way, step for step and
    bit for bit, to coefficients below both, neither was met, and no larger one will be.
    """
    if len(machines) < 2:
        return False
    (lower, first), (_, second) = machines
    return second.same_as(first) and float(np.abs(second.coefficients).max()) < lower


def _own_kernel(fold: Prepared, unit: Unit, plan: Plan) -> Decisions:
    for C in unit.C:
        machine = libsvm.fit(
            fold.A, fold.y_training, C, cache_bytes=plan.cache_bytes, gamma=unit.gamma
        )
        yield libsvm.decision(machine, fold.B)


def _approximate(fold: Prepared, unit: Unit, approximation: Nystroem) -> Decisions:
    mapping = KernelMap(
        gamma=unit.gamma,
        n_components=min(approximation.components, len(fold.A)),
        random_state=approximation.seed,
    ).fit(fold.A)
    Z, Z_test = (linear_svm.with_ones(mapping.transform(rows)) for rows in (fold.A, fold.B))
    for w in linear_svm.path(Z, 2 * fold.y_training - 1, unit.C):
        yield Z_test @ w
