"""How far the mean prediction is from the base rate: Platt's way, ours, and logistic regression.

    python -m bench.calibration

Made-up tables of 600 training and 600 test rows; the mean of the absolute difference over twelve
seeds, and the worst one. Small C puts every coefficient at its limit.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from pipeline.search import local
from pipeline.search.calibration import fit_sigmoid
from pipeline.search.memory import make_plan
from pipeline.search.problem import Problem
from pipeline.search.selection import scored_folds
from pipeline.search.strategy import Result, cross_validated
from pipeline.search.units import Candidate, ClassWeight
from pipeline.training.calibrated_svm import CalibratedSVM
from pipeline.training.estimator import build_svm
from pipeline.training.folds import repeated_folds

ROWS, SEEDS, FOLDS = 600, range(12), 5
SHARES = (0.5, 0.35, 0.1)
SETTINGS = ((0.01, 1e-4), (0.0359, 1e-4), (0.01, 0.01), (0.01, 10), (1, 0.01))
WEIGHTS: tuple[ClassWeight, ...] = ("none", "balanced")
MEMORY = 10**9


class Labelled(NamedTuple):
    X: npt.NDArray[np.float64]
    y: npt.NDArray[np.int64]


def table(seed: int, share: float) -> Labelled:
    """Return rows whose first feature decides, with noise; as many are positive as `share`."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * ROWS, 3))
    score = 2 * X[:, 0] + rng.normal(0, 1, 2 * ROWS)
    return Labelled(X, (score > np.quantile(score, 1 - share)).astype(np.int64))


def ours(rows: Labelled, candidate: Candidate) -> CalibratedSVM:
    """Fit and calibrate a candidate as the pipeline does."""
    folds = repeated_folds(rows.y, FOLDS, 1, 42)
    problem = Problem(*rows, FunctionTransformer(), folds)
    plan = make_plan(problem.shape, 1, MEMORY)
    (final,) = cross_validated(
        problem,
        [Result(candidate, (), 0, 0, {})],
        lambda on, units: local.run(on, plan, units),
        lambda _: None,
    )
    sigmoid = fit_sigmoid(scored_folds(final, problem, FOLDS))
    return CalibratedSVM(build_svm(candidate), (sigmoid,)).fit(*rows)


def platt(rows: Labelled, candidate: Candidate) -> Any:
    folds = [*repeated_folds(rows.y, FOLDS, 1, 42)]
    svm: SVC = build_svm(candidate)
    return CalibratedClassifierCV(svm, cv=folds, ensemble=False).fit(*rows)


def regression(rows: Labelled, _: Candidate | None = None) -> Any:
    return LogisticRegression().fit(*rows)


def bias(fit: Any, seed: int, share: float, candidate: Candidate | None = None) -> float:
    X, y = table(seed, share)
    predicted = fit(Labelled(X[:ROWS], y[:ROWS]), candidate).predict_proba(X[ROWS:])[:, 1]
    return abs(float(predicted.mean() - y[ROWS:].mean()))


def figure(fit: Any, share: float, candidate: Candidate | None = None) -> str:
    biases = [bias(fit, seed, share, candidate) for seed in SEEDS]
    return f"{np.mean(biases):.4f} ({max(biases):.3f})"


def main() -> None:
    warnings.simplefilter("ignore")
    print("| positives | class weights | C | gamma | Platt | standardised | logistic regression |")
    print("|---|---|---|---|---|---|---|")
    for share in SHARES:
        peer = figure(regression, share)
        for weight in WEIGHTS:
            for C, gamma in SETTINGS:
                candidate = Candidate(C, gamma, weight)
                found = figure(platt, share, candidate), figure(ours, share, candidate)
                line = [f"{share:g}", weight, f"{C:g}", f"{gamma:g}", *found, peer]
                print(f"| {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
