"""How far the mean prediction is from the base rate: Platt's way, ours, and logistic regression.

    python -m bench.calibration

Made-up tables of 600 training and 600 test rows; the mean of the absolute difference over twelve
seeds, and the worst one. Small C puts every coefficient at its limit.
"""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from pipeline.training.estimator import stratified_folds
from pipeline.training.standardized_svm import StandardizedSVM

ROWS, SEEDS = 600, range(12)
SHARES = (0.5, 0.35, 0.1)
SETTINGS = ((0.01, 1e-4), (0.0359, 1e-4), (0.01, 0.01), (0.01, 10), (1, 0.01))


def table(seed: int, share: float) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * ROWS, 3))
    score = 2 * X[:, 0] + rng.normal(0, 1, 2 * ROWS)
    return X, (score > np.quantile(score, 1 - share)).astype(int)


def bias(model: Any, seed: int, share: float) -> float:
    X, y = table(seed, share)
    predicted = model.fit(X[:ROWS], y[:ROWS]).predict_proba(X[ROWS:])[:, 1]
    return abs(float(predicted.mean() - y[ROWS:].mean()))


def calibrated(svm: Any) -> CalibratedClassifierCV:
    return CalibratedClassifierCV(svm, cv=stratified_folds(5, 42), ensemble=False)


def figure(model: Any, share: float) -> str:
    biases = [bias(model, seed, share) for seed in SEEDS]
    return f"{np.mean(biases):.4f} ({max(biases):.3f})"


def main() -> None:
    warnings.simplefilter("ignore")
    print("| positives | class weights | C | gamma | Platt | standardised | logistic regression |")
    print("|---|---|---|---|---|---|---|")
    for share in SHARES:
        regression = figure(LogisticRegression(), share)
        for weight in (None, "balanced"):
            for C, gamma in SETTINGS:
                svm = SVC(C=C, gamma=gamma, class_weight=weight)
                ours = figure(calibrated(StandardizedSVM(svm)), share)
                platt = figure(calibrated(svm), share)
                line = [f"{share:g}", weight or "none", f"{C:g}", f"{gamma:g}", platt, ours]
                print(f"| {' | '.join(line)} | {regression} |", flush=True)


if __name__ == "__main__":
    main()
