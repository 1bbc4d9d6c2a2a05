"""The parity gate: prove that the exported model answers as scikit-learn's does."""

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.errors import PipelineError
from serving.contract import Contract, Feature, FloatMatrix
from serving.scorer import Scorer

TOLERANCE = 1e-5


def check_parity(estimator: Pipeline, scorer: Scorer, X: FloatMatrix) -> float:
    """Hold the exported model against scikit-learn's: training rows, missing values, extremes.

    Returns the largest difference between two probabilities. Raises PipelineError where it is
    over 1e-5, and where a label is not what the threshold says.
    """
    rows = np.vstack([X, _rows_of_missing(scorer.contract, X), _extreme_rows(scorer.contract, X)])
    expected = estimator.predict_proba(rows)[:, 1]
    labels, probabilities = scorer.score(rows)
    difference = np.abs(expected - probabilities)
    worst = int(np.argmax(np.nan_to_num(difference, nan=np.inf)))
    if not difference[worst] <= TOLERANCE:
        raise PipelineError(
            f"the exported model answers {probabilities[worst]:.6f} where scikit-learn's answers "
            f"{expected[worst]:.6f}, for {_shown(scorer.contract, rows[worst])}: nothing is "
            "written"
        )
    if np.any(labels != (probabilities >= (scorer.contract.threshold or 0.0))):
        raise PipelineError("the exported model's labels do not follow its threshold")
    return float(difference[worst])


def _rows_of_missing(contract: Contract, X: FloatMatrix) -> FloatMatrix:
    """Give rows with each nullable feature missing in turn, then all, in each way of saying so."""
    typical = np.nanmedian(X, axis=0)
    ways = [(np.nan, *f.missing_values) if f.nullable else () for f in contract.features]
    rows = []
    for column, values in enumerate(ways):
        for value in values:
            row = typical.copy()
            row[column] = value
            rows.append(row)
    for choice in (0, -1):
        rows.append(np.array([v[choice] if v else t for v, t in zip(ways, typical, strict=True)]))
    return np.array(rows)


def _extreme_rows(contract: Contract, X: FloatMatrix) -> FloatMatrix:
    """Give rows at the ends of what can be asked: all low, all high, each feature at either end."""
    ends = np.array([_ends(f) for f in contract.features]).T
    typical = np.nanmedian(X, axis=0)
    rows = [*ends]
    for column in range(len(typical)):
        for end in ends[:, column]:
            row = typical.copy()
            row[column] = end
            rows.append(row)
    return np.array(rows)


def _ends(feature: Feature) -> tuple[float, float]:
    low, high = feature.training_range or (0.0, 1.0)
    span = (high - low) or 1.0
    wide_low, wide_high = low - 10 * span, high + 10 * span
    if feature.type == "boolean":
        wide_low, wide_high = 0.0, 1.0
    return (
        wide_low if feature.minimum is None else feature.minimum,
        wide_high if feature.maximum is None else feature.maximum,
    )


def _shown(contract: Contract, row: FloatMatrix) -> str:
    return ", ".join(f"{n} {v:g}" for n, v in zip(contract.names, row.tolist(), strict=True))
