"""Golden predictions: rows and answers that every copy of a model must repeat."""

import numpy as np
import numpy.typing as npt

from serving.model.contract import FloatMatrix
from serving.model.scorer import Golden, Prediction, Scorer

GOLDEN_ROWS = 16


def golden_predictions(scorer: Scorer, X: FloatMatrix) -> Golden:
    """Return rows spread over the model's probabilities, one of all missing, and their answers."""
    order = _in_order(*scorer.score(X))
    spread = np.unique(np.linspace(0, len(order) - 1, GOLDEN_ROWS - 1).astype(int))
    rows = X[order[spread]]
    features = scorer.contract.features
    unknown = np.where([f.nullable for f in features], np.nan, rows[0])
    rows = np.vstack([rows, unknown])
    answers = zip(*(values.tolist() for values in scorer.score(rows)), strict=True)
    return Golden(
        rows=[
            {f.name: f.decode(value) for f, value in zip(features, row, strict=True)}
            for row in rows.tolist()
        ],
        predictions=[_prediction(label, found) for label, found in answers],
    )


def _in_order(labels: npt.NDArray[np.int64], probabilities: FloatMatrix) -> npt.NDArray[np.intp]:
    """Return the places of rows as their probability rises; for more classes, class by class."""
    if probabilities.ndim == 1:
        return np.argsort(probabilities, kind="stable")
    return np.lexsort((probabilities.max(axis=1), labels))


def _prediction(label: int, found: float | list[float]) -> Prediction:
    if isinstance(found, list):
        return Prediction(label, probabilities=tuple(found))
    return Prediction(label, found)
