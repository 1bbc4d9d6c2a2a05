"""What is wrong with a row is found where it can be: in its text, by the contract, by the model."""

import numpy as np
import pyarrow as pa

from serving.batch.chunk_scoring import TOO_EXTREME, Part, finish, prepare
from serving.model.rows import to_matrix
from serving.model.validation import InvalidRowsError
from tests.serving.small_model import WITH_ANY_WORD


def part(contract, rows, faults=None):
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    return Part(pa.record_batch(columns, names=contract.names), faults or {})


def test_rows_are_refused_with_the_sentences_that_predict_has(contract):
    texts = [("abc", "50", "x"), ("5000", "50.5", "1"), ("", "", "2"), ("148", "50", "true")]
    rows = [("abc", 50, "x"), (5000, 50.5, 1), (None, None, 2)]
    expected = []
    for row in rows:
        try:
            to_matrix(contract, [dict(zip(contract.names, row, strict=True))])
        except InvalidRowsError as error:
            expected.append("; ".join(f"{v.feature}: {v.detail}" for v in error.violations))
    prepared = prepare(contract, [0, 1, 2], part(contract, texts))
    assert list(prepared.refused.items()) == list(enumerate(expected))
    assert prepared.places.tolist() == [3]
    assert prepared.values.tolist() == [[148, 50, 1]]


def test_rows_that_could_not_be_read_are_not_looked_at(contract):
    rows = [("abc", "50", "1"), ("148", "5", "1"), ("148", "50", "1")]
    prepared = prepare(contract, [0, 1, 2], part(contract, rows, {0: "is no row"}))
    assert prepared.refused == {0: "is no row", 1: "Age: 5 is below the lowest possible, 18"}
    assert prepared.places.tolist() == [2]


def test_a_row_that_is_too_extreme_for_the_model_is_refused(contract):
    prepared = prepare(contract, [0, 1, 2], part(contract, [(120.0, 50, 0)] * 4))
    model = np.zeros(4, np.int64), np.array([0.25, np.nan, 0.75, np.inf])
    found = finish(contract, prepared, model)
    assert found.refused == {1: TOO_EXTREME, 3: TOO_EXTREME}
    assert found.probabilities.tolist() == [0.25, 0.75]
    assert found.scored.num_rows == len(found.labels) == len(found.warnings) == 2


def test_of_more_classes_a_row_is_too_extreme_where_one_probability_is_no_number(contract):
    prepared = prepare(contract, [0, 1, 2], part(contract, [(120.0, 50, 0)] * 2))
    model = np.zeros(2, np.int64), np.array([[0.25, np.nan, 0.5], [0.25, 0.5, 0.25]])
    found = finish(contract, prepared, model)
    assert found.refused == {0: TOO_EXTREME}
    assert found.probabilities.tolist() == [[0.25, 0.5, 0.25]]


def test_a_text_that_is_taken_as_missing_is_told_in_its_own_row_alone():
    texts = [
        ("148", "50", "hourly"),
        ("abc", "50", "hourly"),
        ("300", "50", "hourly"),
        ("148", "50", "daily"),
        ("148", "50", "weekly"),
    ]
    prepared = prepare(WITH_ANY_WORD, [0, 1, 2], part(WITH_ANY_WORD, texts, {0: "is no row"}))
    assert prepared.refused == {0: "is no row", 1: 'Glucose: "abc" is not a number'}
    model = np.zeros(3, np.int64), np.array([0.25, 0.5, 0.75])
    found = finish(WITH_ANY_WORD, prepared, model)
    taken = 'Smoker "{}" was not among the categories in training: treated as missing'
    assert found.warnings == [
        "Glucose 300 is outside the range seen in training, 44 to 199; " + taken.format("hourly"),
        "",
        taken.format("weekly"),
    ]
    model = np.zeros(3, np.int64), np.array([np.nan, 0.5, 0.75])
    assert finish(WITH_ANY_WORD, prepared, model).warnings == ["", taken.format("weekly")]
