"""The use case: rows in, predictions out, by the version in force. No transport here.

Every protocol and the command line answer through `score`.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from serving.config import Settings
from serving.errors import InvalidBodyError, NoModelError, TooLongError
from serving.formats.json_reader import Reader
from serving.model.contract import Contract
from serving.model.rows import Rows
from serving.model.runs import OverdueError
from serving.model.scorer import Scorer
from serving.model.validation import training_warnings
from serving.model.version_files import CONTRACT_FILE, ModelError
from serving.store import versions
from serving.store.versions import Provenance, Version


class ServedModel(NamedTuple):
    """A version that answers: its identity in the registry, its scorer, its reader, its facts."""

    version: Version
    scorer: Scorer
    reader: Reader
    facts: Provenance = Provenance()


class Scored(NamedTuple):
    """Answers to rows: a label and a probability for each.

    A label is the place of a class in the contract's `classes`. Of two classes the probability is
    that of the positive one; of more that of the label, and `by_class` has all `[rows, classes]`.
    `warnings` are for each row the values that training has not seen, in words: those outside its
    range, and those that are no category. `outside` counts them by feature.
    """

    labels: list[int]
    probabilities: list[float]
    warnings: list[list[str]]
    outside: dict[str, int]
    by_class: list[list[float]] | None = None


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """One row's answer; `label` is a class, as the contract's `labels` have it.

    Of two classes it is the positive one exactly where `probability`, which is of it, reaches the
    threshold. Of more it is the one of the largest of `probabilities`, which are by class.
    """

    label: str | int | bool
    probability: float | msgspec.UnsetType = msgspec.UNSET
    probabilities: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    warnings: list[str] = msgspec.field(default_factory=list)


class ModelInfo(msgspec.Struct, frozen=True):
    name: str
    version: str
    stage: str


class Answer(msgspec.Struct, frozen=True):
    predictions: list[Prediction]
    model: ModelInfo


def load_served(settings: Settings) -> ServedModel:
    """Load the store's current version.

    Raises NoModelError where the store has none of this name and stage, ModelError where the one
    it has must not answer, and OSError where it cannot be read.
    """
    version = current_version(settings)
    directory = versions.version_dir(settings.store, version.digest)
    until = perf_counter() + settings.load_timeout
    # Whether it is whole the follower sees to: a version that answers is better than none.
    scorer, reader = load_model(directory, version.digest, until=until, whole=False)
    return ServedModel(version, scorer, reader, versions.facts(settings.store, version))


def current_version(settings: Settings) -> Version:
    """Return the store's current version; raises as `load_served`."""
    version = versions.current(settings.store)
    # A store may have followed another model before: that one must not answer under this name.
    if version is None or (version.name, version.stage) != (settings.model, settings.stage):
        raise NoModelError(settings.model, settings.stage)
    return version


def load_model(
    directory: Path, digest: str, *, until: float | None = None, whole: bool = True
) -> tuple[Scorer, Reader]:
    """Load and verify a version's files: what a worker needs of them, so what the follower tries.

    `until` and `whole` are as in `Scorer.load`. Raises ModelError where the version must
    not answer, OSError where it cannot be read.
    """
    scorer = Scorer.load(directory, digest, until=until, whole=whole)
    try:
        return scorer, Reader(scorer.contract)
    except Exception as error:
        raise ModelError(f"{CONTRACT_FILE} is of no use for reading rows: {error}") from error


def model_info(served: ServedModel) -> ModelInfo:
    version = served.version
    return ModelInfo(version.name, version.version, version.stage)


def score(served: ServedModel, rows: Rows, *, until: float | None = None) -> Scored:
    """Predict for rows that the contract allows.

    Raises InvalidBodyError where a row's values are so extreme that the model's arithmetic breaks
    down, TooLongError where the model was ended after `until` (see `Scorer.score`).
    """
    try:
        found = served.scorer.score(rows.values, until=until)
    except OverdueError as error:
        raise TooLongError("The model did not answer these rows within the deadline.") from error
    labels, probabilities, by_class = _to_lists(*found)
    if not all(map(isfinite, probabilities)):
        row = next(i for i, p in enumerate(probabilities, 1) if not isfinite(p))
        raise InvalidBodyError(f"The values of row {row} are too extreme for this model.")
    if rows.usual:
        return Scored(labels, probabilities, [[] for _ in labels], {}, by_class)
    warnings, outside = training_warnings(served.scorer.contract, rows.values)
    for unseen in rows.unseen:
        warnings[unseen.row].append(unseen.warning)
        outside[unseen.feature] = outside.get(unseen.feature, 0) + 1
    return Scored(labels, probabilities, warnings, outside, by_class)


def _to_lists(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]
) -> tuple[list[int], list[float], list[list[float]] | None]:
    if probabilities.ndim == 1:
        return labels.tolist(), probabilities.tolist(), None
    # The label has the largest; what is no number stays one.
    return labels.tolist(), probabilities.max(axis=1).tolist(), probabilities.tolist()


def to_answer(served: ServedModel, scored: Scored) -> Answer:
    contract = served.scorer.contract
    of_rows = _of_two if scored.by_class is None else _of_more
    return Answer(of_rows(contract, scored), model_info(served))


def _of_two(contract: Contract, scored: Scored) -> list[Prediction]:
    labels = contract.labels
    return [
        Prediction(labels[label], probability, msgspec.UNSET, notes)
        for label, probability, notes in zip(
            scored.labels, scored.probabilities, scored.warnings, strict=True
        )
    ]


def _of_more(contract: Contract, scored: Scored) -> list[Prediction]:
    labels, names = contract.labels, [str(value) for value in contract.classes]
    return [
        Prediction(labels[label], msgspec.UNSET, dict(zip(names, row, strict=True)), notes)
        for label, row, notes in zip(
            scored.labels, scored.by_class or (), scored.warnings, strict=True
        )
    ]


def answer(served: ServedModel, rows: Sequence[Mapping[str, Any]]) -> Answer:
    """Predict for rows as JSON gives them; raises InvalidRowsError (see `contract.to_matrix`)."""
    return to_answer(served, score(served, Rows.of(served.scorer.contract, rows)))
