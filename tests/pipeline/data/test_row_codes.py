import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.row_codes import cell_codes, repeats_before, row_codes, row_digests
from serving.model.cells import ABSENT, read_number


def codes(*texts):
    return cell_codes(pd.Series(texts, dtype=str)).tolist()


@pytest.mark.parametrize(
    "same",
    [
        ["1", "1.0", " 1 ", "+1", "1e0", "01", "10E-1"],
        ["0", "-0", "0.0", "-.0"],
        [*sorted(ABSENT), "  ", "?", "Unknown", "#DIV/0!"],
        ["true", "True", "TRUE "],
        ["false", "FALSE"],
        ["red", " red\t"],
    ],
)
def test_cells_that_are_read_as_the_same_have_one_code(same):
    assert len(set(codes(*same))) == 1


def test_cells_that_are_read_otherwise_have_codes_of_their_own():
    texts = [
        "1",
        "2",
        "-1",
        "1.0000000000000002",
        "",
        "true",
        "false",
        "red",
        "Red",
        "1 0",
        "1e400",
    ]
    assert len(set(codes(*texts))) == len(texts)


@settings(max_examples=100)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_has_one_code_however_it_is_written(number):
    texts = [repr(number), f"{number:.17g}", f"{number:.25e}", f" {number!r}"]
    assert len(set(codes(*texts))) == 1
    assert read_number(repr(number)) == number


@settings(max_examples=100)
@given(st.lists(st.text("0123456789.eE+-", max_size=12), min_size=1, max_size=30))
def test_numbers_are_told_as_cells_are_read(texts):
    numbers = [read_number(text) for text in texts]
    for text, number, code in zip(texts, numbers, codes(*texts), strict=True):
        bits = np.array([code], dtype="<u8").view("<f8")[0]
        if number is not None:
            assert bits == number, text


def test_codes_stand_where_their_columns_are_named():
    cells = pd.DataFrame({"a": ["1", "2"], "b": ["x", "1"]}, dtype=str)
    both = row_codes(cells, ["b", "a"])
    assert both.shape == (2, 2)
    assert both[1, 0] == both[0, 1]
    assert row_codes(cells, []).shape == (2, 0)


def test_a_digest_is_of_the_row_and_the_key():
    rows = np.array([[1, 2], [2, 1], [1, 2]], dtype=np.uint64)
    first = row_digests(rows, b"a")
    assert first[0] == first[2] != first[1]
    assert set(first) & set(row_digests(rows, b"b")) == set()


def test_equal_rows_are_counted_from_the_first():
    rows = np.array([[1, 2], [2, 1], [1, 2], [1, 2]], dtype=np.uint64)
    assert repeats_before(rows).tolist() == [0, 0, 1, 2]
