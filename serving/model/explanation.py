"""Explanations: how much each feature raises or lowers the log-odds of a class, exactly.

A version's explanation.onnx is the model's own graph up to its log-odds. It gives beside them what
the sum of kernels is made of, and background rows to compare with, as outputs that are constants.
So all that answering reads is read by one library, and nothing is unpickled.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from serving.model.contract import Contract, FloatMatrix
from serving.model.runs import TimedRun, check_time
from serving.model.session import open_session
from serving.model.shapley import Factors, quadrature, shapley_values
from serving.model.version_files import EXPLANATION_FILE, ModelError

INPUT = "features"
# The outputs for rows `[n, features]`: what the SVMs take `[n, k]`, and log-odds `[n, classes]`
# (of two classes those of the positive one alone `[n, 1]`).
ENCODED, LOG_ODDS = "encoded_rows", "log_odds"
# The outputs that are constants: support vectors `[m, k]`, weights `[m, classes]`, what is added to
# their sum `[classes]`, gamma, background rows `[b, k]`, and each column's feature `[k]`.
VECTORS, WEIGHTS, BIAS, GAMMA = "kernel_vectors", "kernel_weights", "kernel_bias", "kernel_gamma"
BACKGROUND, FEATURE_OF = "background_rows", "feature_of_column"
CONSTANTS = (VECTORS, WEIGHTS, BIAS, GAMMA, BACKGROUND, FEATURE_OF)

PROBABILITY_TOLERANCE = 1e-9
# Of the sum of all weights, which is what rounding errors follow; a product of many features has
# more of these.
LOG_ODDS_TOLERANCE, TOLERANCE_OF_FEATURE = 1e-12, 2e-15
TRIED = 30_000_000  # products that are worked out when a version is loaded: a tenth of a second

Array = npt.NDArray[Any]


class Explanation(NamedTuple):
    """Log-odds of rows, taken apart: `base` `[classes]` + Σ `contributions` `[rows, d, classes]`.

    Of two classes they are those of the positive one, and the last axis has one place. `background`
    is how many rows the base is the mean of.
    """

    base: FloatMatrix
    contributions: FloatMatrix
    background: int

    @property
    def log_odds(self) -> FloatMatrix:
        """The sums `[rows, classes]`."""
        return np.asarray(self.base + self.contributions.sum(axis=1))


class Explainer:
    """Explains the answers of one model; raises ModelError for a file that cannot."""

    def __init__(self, content: bytes, contract: Contract) -> None:
        self._session = open_session(content, EXPLANATION_FILE)
        found = self._constants(len(contract.features))
        sums = 1 if contract.is_binary else len(contract.classes)
        feature_of = _checked(found, len(contract.features), sums)
        columns = tuple(
            tuple(np.flatnonzero(feature_of == place).tolist())
            for place in range(len(contract.features))
        )
        vectors, weights = (np.ascontiguousarray(found[name]) for name in (VECTORS, WEIGHTS))
        self.factors = Factors(vectors, weights, float(found[GAMMA]), columns)
        self.bias, self.background_rows = found[BIAS], found[BACKGROUND]
        d = len(columns)
        self._products = len(vectors) * d * len(quadrature(d))  # of one row and background row
        scale = np.abs(weights).sum(axis=0).max()
        tolerance = max(LOG_ODDS_TOLERANCE, TOLERANCE_OF_FEATURE * d)
        self._log_odds_tolerance = tolerance * float(scale)

    @property
    def background(self) -> int:
        """How many background rows there are."""
        return len(self.background_rows)

    def background_for(self, rows: int, products: int) -> int:
        """Return how many background rows so many products of kernels are enough for; may be 0."""
        return min(self.background, products // (rows * self._products))

    def rows_for(self, background: int, products: int) -> int:
        """Return how many rows so many products are enough for, against such a background."""
        return products // (background * self._products)

    def explain(
        self, values: FloatMatrix, background: int | None = None, *, until: float | None = None
    ) -> Explanation:
        """Explain rows `[rows, features]` against the first so many background rows, or all.

        Raises OverdueError where it takes until after `until`, on perf_counter's clock.
        """
        chosen = self.background_rows[:background]
        z = self._run([ENCODED], values, until)[0]
        base, found = shapley_values(self.factors, z, chosen, partial(check_time, until))
        return Explanation(base + self.bias, found, len(chosen))

    def disagreement(self, explanation: Explanation, probabilities: FloatMatrix) -> str:
        """Return how an explanation is not one of these probabilities; empty where it is.

        They are `[rows]` or `[rows, classes]`, as the model answers.
        """
        got = to_probabilities(explanation.log_odds)
        worst = float(np.abs(got - probabilities).max(initial=0.0))
        if worst <= max(PROBABILITY_TOLERANCE, self._log_odds_tolerance):
            return ""
        return f"contributions add up to a probability that is off by {worst:.3g}"

    def check(self, values: FloatMatrix, probabilities: FloatMatrix, until: float | None) -> None:
        """Raise ModelError where rows that the model answers are not explained as such.

        They are held against the graph's log-odds, since the probabilities say little of these
        where they are near 0 and 1. As few rows as leave room for a background row are enough.
        """
        affordable = self.background_for(1, TRIED)
        rows = max(1, min(len(values), affordable))
        background = max(1, min(self.background, affordable // rows))
        explanation = self.explain(values[:rows], background, until=until)
        wanted = self._run([LOG_ODDS], values[:rows], until)[0]
        off = float(np.abs(explanation.log_odds - wanted).max())
        if not off <= self._log_odds_tolerance:
            raise ModelError(
                f"{EXPLANATION_FILE}: contributions add up to log-odds that are off by {off:.3g}"
            )
        if reason := self.disagreement(explanation, probabilities[:rows]):
            raise ModelError(f"{EXPLANATION_FILE}: {reason}")

    def _constants(self, n_features: int) -> dict[str, FloatMatrix]:
        names = [output.name for output in self._session.get_outputs()]
        inputs = [(tensor.name, tensor.shape[1:]) for tensor in self._session.get_inputs()]
        if {*names} != {ENCODED, LOG_ODDS, *CONSTANTS} or inputs != [(INPUT, [n_features])]:
            raise ModelError(f"{EXPLANATION_FILE} is no explanation of {n_features} features")
        found = self._run([*CONSTANTS], np.zeros((1, n_features)), None)
        return dict(zip(CONSTANTS, found, strict=True))

    def _run(self, outputs: list[str], values: FloatMatrix, until: float | None) -> list[Array]:
        inputs = {INPUT: values}
        if until is None:
            return list(self._session.run(outputs, inputs))
        with TimedRun(until) as options:
            return list(self._session.run(outputs, inputs, options))


def to_probabilities(log_odds: FloatMatrix) -> FloatMatrix:
    """Return what a model makes of log-odds `[rows, classes]`: as it answers, `[rows]` for one.

    The sigmoid of each, and of several divided by their sum.
    """
    tails = np.exp(-np.abs(log_odds))
    if log_odds.shape[1] == 1:
        return np.asarray((np.where(log_odds >= 0, 1.0, tails) / (1 + tails))[:, 0])
    # By logarithms, since all of them may be too small to add.
    logarithms = np.minimum(log_odds, 0) - np.log1p(tails)
    found = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _checked(found: dict[str, Array], n_features: int, sums: int) -> Array:
    """Return each column's feature; raises ModelError where the constants do not fit together."""
    vectors, feature_of = found[VECTORS], found[FEATURE_OF]
    fits = (
        vectors.ndim == 2
        and len(vectors) > 0
        and found[WEIGHTS].shape == (len(vectors), sums)
        and found[BIAS].shape == (sums,)
        and found[GAMMA].shape == ()
        and found[BACKGROUND].ndim == 2
        and len(found[BACKGROUND]) > 0
        and found[BACKGROUND].shape[1] == vectors.shape[1]
        and feature_of.shape == (vectors.shape[1],)
        and feature_of.dtype == np.int64
        and {*feature_of.tolist()} == {*range(n_features)}
    )
    numbers = [found[name] for name in CONSTANTS if name != FEATURE_OF]
    if not fits or not all(x.dtype == np.float64 and np.isfinite(x).all() for x in numbers):
        raise ModelError(f"{EXPLANATION_FILE} does not hold a sum of kernels of the features")
    return feature_of
