"""The use case: rows in, predictions out, by the version in force. No transport here.

The web service and the command line both answer through `answer`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from serving import store
from serving.config import Settings
from serving.contract import to_matrix, training_warnings
from serving.errors import InvalidBodyError, NoModelError
from serving.scorer import Scorer
from serving.store import Version


class Served(NamedTuple):
    """What answers: a version's identity in the registry, and the version itself in memory."""

    version: Version
    scorer: Scorer


class Prediction(msgspec.Struct, frozen=True):
    """One row's answer; `label` is 1 exactly where `probability` reaches the threshold."""

    label: int
    probability: float
    warnings: list[str]


class ModelInfo(msgspec.Struct, frozen=True):
    name: str
    version: str
    stage: str


class Answer(msgspec.Struct, frozen=True):
    predictions: list[Prediction]
    model: ModelInfo


def load_served(settings: Settings) -> Served:
    """Load the store's current version.

    Raises NoModelError where the store has none of this name and stage, and ModelError where the
    one it has must not answer.
    """
    version = store.current(settings.store)
    # A store may have followed another model before: that one must not answer under this name.
    if version is None or (version.name, version.stage) != (settings.model, settings.stage):
        raise NoModelError(settings.model, settings.stage)
    directory = store.version_dir(settings.store, version.digest)
    return Served(version, Scorer.load(directory, version.digest))


def model_info(served: Served) -> ModelInfo:
    version = served.version
    return ModelInfo(version.name, version.version, version.stage)


def answer(served: Served, rows: Sequence[Mapping[str, Any]]) -> Answer:
    """Predict for rows as JSON gives them.

    Raises InvalidRowsError (see `contract.to_matrix`), and InvalidBodyError where a row's values
    are so extreme that the model's arithmetic breaks down.
    """
    contract = served.scorer.contract
    values = to_matrix(contract, rows)
    labels, probabilities = served.scorer.score(values)
    for row in np.flatnonzero(~np.isfinite(probabilities)):
        raise InvalidBodyError(f"The values of row {row + 1} are too extreme for this model.")
    warnings = training_warnings(contract, values)
    predictions = [
        Prediction(label, probability, notes)
        for label, probability, notes in zip(
            labels.tolist(), probabilities.tolist(), warnings, strict=True
        )
    ]
    return Answer(predictions, model_info(served))
