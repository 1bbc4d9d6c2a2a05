"""Solve one unit: all penalties of a gamma on a fold, on the one kernel that they share.

Of more than two classes each has an SVM of its own, on the same kernel.
"""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.kernel_approximation import Nystroem as KernelMap

from pipeline.evaluation.metrics import average_precision, roc_auc
from pipeline.search import libsvm, linear_svm
from pipeline.search.calibration import mean_and_scale
from pipeline.search.kernel import Buffers, Distances, among_in_blocks, distances, rbf
from pipeline.search.memory import Layout, Plan
from pipeline.search.problem import Nystroem, Prepared, Scoring, Target, side_by_side
from pipeline.search.units import Penalty, Unit, UnitScores

Array = npt.NDArray[np.float64]

SCORES: Mapping[Scoring, Callable[[npt.NDArray[np.int64], Array], float]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
}


class Method(NamedTuple):
    """A way to fit and score a candidate; without an approximation the exact SVM."""

    approximation: Nystroem | None = None
    scoring: Scoring = "roc_auc"


class Fitted(NamedTuple):
    """A fitted SVM: its decision values on the scored rows, and a call for those on its own."""

    decisions: Array
    on_training_rows: Callable[[], Array]
    steps: int = 1

    @property
    def standardized(self) -> Array:
        mean, scale = mean_and_scale(self.on_training_rows())
        return (self.decisions - mean) / scale


def solve_unit(
    fold: Prepared,
    unit: Unit,
    plan: Plan,
    method: Method,
    shared: Distances | None = None,
    buffers: Buffers | None = None,
) -> UnitScores:
    """Fit each penalty of a unit and score it, to the same bits in each layout.

    `shared` are the fold's distances where they are kept; `buffers` is memory to work in.
    """
    scores, fit_s, score_s, steps, kept = [], [], [], [], []
    start = perf_counter()
    fits = _fits(fold, unit, plan, method.approximation, shared, buffers or Buffers())
    for _ in unit.penalties:
        fitted = [next(of_target) for of_target in fits]
        decisions = side_by_side([svm.decisions for svm in fitted])
        done = perf_counter()
        scores.append(SCORES[method.scoring](fold.y_test, decisions))
        if unit.keep_decisions:
            kept.append(side_by_side([svm.standardized for svm in fitted]).tobytes())
        steps.append(sum(svm.steps for svm in fitted))
        fit_s.append(done - start)
        start = perf_counter()
        score_s.append(start - done)
    return UnitScores(tuple(scores), tuple(fit_s), tuple(score_s), tuple(steps), tuple(kept))


def _fits(
    fold: Prepared,
    unit: Unit,
    plan: Plan,
    approximation: Nystroem | None,
    shared: Distances | None,
    buffers: Buffers,
) -> list[Iterator[Fitted]]:
    """Return for each target an iterator over its SVMs, one for each penalty."""
    if approximation is not None:
        Z, Z_test = _mapped(fold, unit.gamma, approximation)
        return [_approximate(Z, Z_test, target, unit) for target in fold.targets]
    if plan.layout is Layout.OWN:
        return [_own_kernel(fold, target, unit, plan) for target in fold.targets]
    squared = shared or distances(fold.A, fold.B, buffers)
    kernels = rbf(squared, unit.gamma, buffers)
    return [_shared_kernel(kernels, target, unit, plan) for target in fold.targets]


def _weights(target: Target, penalty: Penalty) -> Array | None:
    return target.balance if penalty.class_weight == "balanced" else None


def _shared_kernel(
    kernels: tuple[Array, Array], target: Target, unit: Unit, plan: Plan
) -> Iterator[Fitted]:
    K, K_test = kernels
    before: list[tuple[Penalty, libsvm.Machine]] = []
    for penalty in unit.penalties:
        if before and before[-1][0].class_weight != penalty.class_weight:
            before = []
        if _is_unbounded(before, target):
            machine = before[-1][1]
        else:
            machine = libsvm.fit(
                K,
                target.y,
                penalty.C,
                cache_bytes=plan.cache_bytes,
                weights=_weights(target, penalty),
            )
        yield Fitted(libsvm.decision(machine, K_test), _on_kernel(machine, K), machine.steps)
        before = [*before[-1:], (penalty, machine)]


def _on_kernel(machine: libsvm.Machine, K: Array) -> Callable[[], Array]:
    return lambda: machine.decision_on(K, len(K))


def _is_unbounded(before: list[tuple[Penalty, libsvm.Machine]], target: Target) -> bool:
    """True if C no longer affects the solver's steps, of two machines with rising C.

    C times the weight of its class is only met as a bound of a coefficient. Where two C led the
    same way, step for step and bit for bit, to coefficients below both, neither was met, and no
    larger one will be.
    """
    if len(before) < 2:
        return False
    (lower, first), (_, second) = before
    if not second.same_as(first):
        return False
    weights = _weights(target, lower)
    classes = target.y[second.support].astype(np.int64)
    bounds = lower.C if weights is None else lower.C * weights[classes]
    return bool(np.all(np.abs(second.coefficients) < bounds))


def _own_kernel(fold: Prepared, target: Target, unit: Unit, plan: Plan) -> Iterator[Fitted]:
    for penalty in unit.penalties:
        machine = libsvm.fit(
            fold.A,
            target.y,
            penalty.C,
            cache_bytes=plan.cache_bytes,
            gamma=unit.gamma,
            weights=_weights(target, penalty),
        )
        decisions = libsvm.decision(machine, fold.B)
        yield Fitted(decisions, _in_blocks(machine, fold.A, unit.gamma), machine.steps)


def _in_blocks(machine: libsvm.Machine, A: Array, gamma: float) -> Callable[[], Array]:
    return lambda: np.concatenate(
        [machine.decision_on(K, len(A)) for K in among_in_blocks(A, gamma)]
    )


def _mapped(fold: Prepared, gamma: float, approximation: Nystroem) -> tuple[Array, Array]:
    mapping = KernelMap(
        gamma=gamma,
        n_components=min(approximation.components, len(fold.A)),
        random_state=approximation.seed,
    ).fit(fold.A)
    Z, Z_test = (linear_svm.with_ones(mapping.transform(rows)) for rows in (fold.A, fold.B))
    return Z, Z_test


def _approximate(Z: Array, Z_test: Array, target: Target, unit: Unit) -> Iterator[Fitted]:
    for w in linear_svm.path(Z, 2 * target.y - 1, _row_penalties(target, unit)):
        yield Fitted(Z_test @ w, _on_map(Z, w))


def _on_map(Z: Array, w: Array) -> Callable[[], Array]:
    return lambda: np.asarray(Z @ w)


def _row_penalties(target: Target, unit: Unit) -> Iterator[Array]:
    """Yield each row's penalty `[n]`: C times the weight of its class."""
    classes = target.y.astype(np.int64)
    for penalty in unit.penalties:
        weights = _weights(target, penalty)
        yield penalty.C * (np.ones(len(classes)) if weights is None else weights[classes])
