"""The parity gate: prove that the exported model answers as scikit-learn's does."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError
from pipeline.params import PARITY_TOLERANCE
from serving.model.cells import write_value
from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.explanation import Explainer
from serving.model.scorer import Scorer
from serving.model.version_files import ModelError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

IntVector = npt.NDArray[np.int64]


def check_parity(estimator: "Pipeline", scorer: Scorer, X: FloatMatrix) -> float:
    """Hold the exported model against scikit-learn's: training rows, missing values, extremes.

    Returns the largest difference between two probabilities. Raises PipelineError where it is
    over 1e-5, and where a label is not what the threshold says.
    """
    rows = np.vstack([X, _rows_of_missing(scorer.contract, X), _extreme_rows(scorer.contract, X)])
    labels, probabilities = scorer.score(rows)
    expected = estimator.predict_proba(rows)
    if probabilities.ndim == 1:
        expected = expected[:, 1]
    difference = np.abs(expected - probabilities)
    worst = np.unravel_index(np.argmax(np.nan_to_num(difference, nan=np.inf)), difference.shape)
    if not difference[worst] <= PARITY_TOLERANCE:
        raise PipelineError(
            f"the exported model answers {probabilities[worst]:.6f} where scikit-learn's answers "
            f"{expected[worst]:.6f}, for {_format_row(scorer.contract, rows[worst[0]])}: nothing "
            "is written"
        )
    _check_labels(labels, probabilities, scorer.contract.threshold)
    if scorer.explainer is not None:
        # The unusual rows first: only as many are explained as is quickly done.
        _check_explanations(scorer.explainer, rows[::-1], probabilities[::-1])
    return float(difference[worst])


def _check_explanations(
    explainer: Explainer, rows: FloatMatrix, probabilities: FloatMatrix
) -> None:
    try:
        explainer.check(rows, probabilities, None)
    except ModelError as error:
        raise PipelineError(f"{error}: nothing is written") from error


def _check_labels(labels: IntVector, probabilities: FloatMatrix, threshold: float | None) -> None:
    if probabilities.ndim > 1:
        if np.any(labels != probabilities.argmax(axis=1)):
            raise PipelineError("the exported model's labels are not those of its probabilities")
    elif np.any(labels != (probabilities >= (threshold or 0.0))):
        raise PipelineError("the exported model's labels do not follow its threshold")


def _rows_of_missing(contract: Contract, X: FloatMatrix) -> FloatMatrix:
    """Return rows with each nullable feature missing in turn, then all, in each way to say so."""
    typical = _typical(contract, X)
    ways = [(np.nan, *f.missing_numbers) if f.nullable else () for f in contract.features]
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
    """Return rows at the ends of what can be asked: all low, all high, each feature at each end."""
    ends = [_ends(f) for f in contract.features]
    typical = _typical(contract, X)
    rows = [np.array([values[place] for values in ends]) for place in (0, -1)]
    for column, values in enumerate(ends):
        for end in values:
            row = typical.copy()
            row[column] = end
            rows.append(row)
    return np.array(rows)


def _typical(contract: Contract, X: FloatMatrix) -> FloatMatrix:
    """Return each feature's median, or its most frequent category: between two there is none."""
    typical: FloatMatrix = np.nanmedian(X, axis=0)
    for column, feature in enumerate(contract.features):
        if feature.type == "category":
            known = X[~np.isnan(X[:, column]), column]
            typical[column] = np.bincount(known.astype(np.int64), minlength=1).argmax()
    return typical


def _ends(feature: Feature) -> tuple[float, ...]:
    """Return the lowest and the highest that can be asked, or every category."""
    if feature.type == "category":
        return tuple(map(float, range(feature.code_count)))
    low, high = feature.training_range or (0.0, 1.0)
    if feature.type == "date":
        return low - 400.0, high + 400.0  # more than a year, which keeps to the calendar
    span = (high - low) or 1.0
    wide_low, wide_high = low - 10 * span, high + 10 * span
    if feature.type == "boolean":
        wide_low, wide_high = 0.0, 1.0
    return (
        wide_low if feature.minimum is None else feature.minimum,
        wide_high if feature.maximum is None else feature.maximum,
    )


def _format_row(contract: Contract, row: FloatMatrix) -> str:
    pairs = zip(contract.features, row.tolist(), strict=True)
    return ", ".join(f"{feature.name} {write_value(feature, value)}" for feature, value in pairs)
