"""Golden predictions: rows and answers that every copy of a model must repeat."""

from typing import TYPE_CHECKING

import numpy as np

from serving.model.contract import FloatMatrix
from serving.model.scorer import Golden, Prediction, Scorer

if TYPE_CHECKING:
    pass


GOLDEN_ROWS = 16


def golden_predictions(scorer: Scorer, X: FloatMatrix) -> Golden:
    """Return rows spread over the model's probabilities, one of all missing, and their answers."""
    order = np.argsort(scorer.score(X)[1], kind="stable")
    spread = np.unique(np.linspace(0, len(order) - 1, GOLDEN_ROWS - 1).astype(int))
    rows = X[order[spread]]
    features = scorer.contract.features
    unknown = np.where([f.nullable for f in features], np.nan, rows[0])
    rows = np.vstack([rows, unknown])
    labels, probabilities = scorer.score(rows)
    return Golden(
        rows=[
            {f.name: f.decode(value) for f, value in zip(features, row, strict=True)}
            for row in rows.tolist()
        ],
        predictions=[
            Prediction(label=label, probability=probability)
            for label, probability in zip(labels.tolist(), probabilities.tolist(), strict=True)
        ],
    )
