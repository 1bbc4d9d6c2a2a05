"""The work on one part of a file: rows -> their answers, and what is wrong with those without.

`prepare` and `finish` stand around the model, which may be another process's.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from serving.batch.arrow_columns import cell, decoded, to_values
from serving.model.contract import Contract, FloatMatrix
from serving.model.reading import PLAIN, Read
from serving.model.rows import to_matrix
from serving.model.scorer import Answers
from serving.model.validation import (
    InvalidRowsError,
    Violation,
    bounds,
    training_warnings,
    violations,
)

NO_ANSWERS: Answers = (np.empty(0, np.int64), np.empty(0, np.float64))
NOT_EXPLAINED: FloatMatrix = np.empty((0, 0))
TOO_EXTREME = "its values are too extreme for this model"


class Part(NamedTuple):
    """Rows of a table, with the sentence to say of those that could not be read, by their place."""

    rows: pa.RecordBatch
    faults: dict[int, str]


class Prepared(NamedTuple):
    """A part's rows that the contract allows, as numbers; `places` says which they are.

    `refused` has the sentence to say of each of the others, by its place in the part, and `unseen`
    that of texts which are no category and were taken as missing.
    """

    rows: pa.RecordBatch
    refused: dict[int, str]
    places: npt.NDArray[np.intp]
    values: FloatMatrix
    unseen: dict[int, list[str]]


class Answered(NamedTuple):
    """A part's rows, those that have answers, their answers, and why the others have none.

    The probabilities are those of the positive class `[rows]`, or of all `[rows, classes]`; the
    explanations are columns `[1 + features, rows]`, or none: see `Parts.columns`.
    """

    rows: pa.RecordBatch
    refused: dict[int, str]
    scored: pa.RecordBatch
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    warnings: list[str]
    explanations: FloatMatrix = NOT_EXPLAINED


def prepare(contract: Contract, columns: list[int], part: Part, read: Read = PLAIN) -> Prepared:
    """Hold a part's rows to the contract; `columns` are the places of its features."""
    places = np.delete(np.arange(part.rows.num_rows), list(part.faults))
    rows = part.rows.take(pa.array(places)) if part.faults else part.rows
    features = [decoded(rows.column(i)) for i in columns]
    values = to_values(contract, features, rows.num_rows, read)
    found: dict[int, list[Violation]] = {}
    for i in np.flatnonzero(values.unread).tolist():
        found[i] = _unread(contract, features, i, read)
    for violation in violations(contract, values.matrix):
        if not values.unread[violation.row]:
            found.setdefault(violation.row, []).append(violation)
    refused = {int(places[i]): _sentence(reasons) for i, reasons in found.items()}
    allowed = np.delete(np.arange(len(places)), list(found))
    matrix = values.matrix[allowed] if found else values.matrix
    unseen: dict[int, list[str]] = {}
    for one in values.unseen:
        unseen.setdefault(int(places[one.row]), []).append(one.warning)
    return Prepared(part.rows, part.faults | refused, places[allowed], matrix, unseen)


def finish(contract: Contract, prepared: Prepared, answers: Answers) -> Answered:
    """Put the answers beside their rows, with the values that training has not seen."""
    labels, probabilities = answers
    rows, refused, places, values, unseen = prepared
    finite = has_answer(probabilities)
    if not finite.all():
        refused = refused | {int(place): TOO_EXTREME for place in places[~finite]}
        places, values = places[finite], values[finite]
        labels, probabilities = labels[finite], probabilities[finite]
    scored = rows.take(pa.array(places)) if refused else rows
    warnings = _warnings(contract, places, values, unseen)
    return Answered(rows, refused, scored, labels, probabilities, warnings)


def has_answer(probabilities: FloatMatrix) -> npt.NDArray[np.bool_]:
    """Return which rows have an answer: values may be too extreme for a model's arithmetic."""
    # The largest of a row is no number where one of them is none.
    return np.isfinite(probabilities if probabilities.ndim == 1 else probabilities.max(axis=1))


def _unread(contract: Contract, features: list[pa.Array], row: int, read: Read) -> list[Violation]:
    """Return what is wrong with a row that has text for a number, as for that row alone."""
    pairs = zip(contract.features, features, strict=True)
    try:
        to_matrix(contract, [{f.name: cell(f, column, row, read) for f, column in pairs}])
    except InvalidRowsError as error:
        return error.violations
    raise AssertionError(f"row {row} was taken for text")


def _sentence(reasons: list[Violation]) -> str:
    return "; ".join(f"{violation.feature}: {violation.detail}" for violation in reasons)


def _warnings(
    contract: Contract,
    places: npt.NDArray[np.intp],
    values: FloatMatrix,
    unseen: dict[int, list[str]],
) -> list[str]:
    """Return for each row what training has not seen; `places` are the keys of `unseen`."""
    texts = [""] * len(values)
    rules = bounds(contract)
    # Most rows are usual: only of the others is asked what is unusual.
    unusual = ((values < rules.seen_from) | (values > rules.seen_to)).any(axis=1)
    unusual |= np.isin(places, list(unseen))
    chosen = np.flatnonzero(unusual)
    notes, _ = training_warnings(contract, values[chosen])
    for row, said in zip(chosen.tolist(), notes, strict=True):
        texts[row] = "; ".join([*said, *unseen.get(int(places[row]), [])])
    return texts
