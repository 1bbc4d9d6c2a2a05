"""Columns read all at once mean what their cells mean one by one."""

import decimal

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serving.batch.arrow_columns import cell, decoded, is_readable, to_values
from serving.model.cells import ABSENT, read_cell
from serving.model.contract import Contract, Feature, NumberFormat
from serving.model.rows import Unseen

WORDS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.text("0123456789+-.eE nNaAiIfFxX_\t\u00a0", max_size=8),
    st.sampled_from([*ABSENT, "true", "FALSE", " 1", "+1", "1e999", "1e-999", "١", "\x1f1", "NAN"]),
)


def contract(kind: str = "number") -> Contract:
    return of(Feature(name="x", type=kind))


def of(feature: Feature) -> Contract:
    return Contract(target="y", classes=(0, 1), features=(feature,))


def read(column: pa.Array, kind: str = "number"):
    values = to_values(contract(kind), [decoded(column)], len(column))
    return values.matrix[:, 0], values.unread


@given(st.lists(st.none() | WORDS), st.sampled_from(["number", "boolean"]))
@example(["1", "", None, "-"], "number")
@example(["1", "NAN"], "number")
def test_text_is_read_as_word_by_word(words, kind):
    numbers, unread = read(pa.array(words, pa.string()), kind)
    feature = contract(kind).features[0]
    cells = [None if word is None else read_cell(feature, word) for word in words]
    assert unread.tolist() == [isinstance(cell, str) for cell in cells]
    known = [np.nan if c is None or isinstance(c, str) else float(c) for c in cells]
    np.testing.assert_array_equal(numbers, np.array(known, dtype=np.float64))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False).map(repr), min_size=1))
def test_plain_numbers_are_those_of_python_to_the_last_bit(words):
    numbers, unread = read(pa.array(words))
    assert numbers.tobytes() == np.array([float(word) for word in words]).tobytes()
    assert not unread.any()


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        (pa.array([1, None], pa.int8()), [1, np.nan]),
        (pa.array([2**64 - 1], pa.uint64()), [float(2**64 - 1)]),
        (pa.array([2**53 + 1], pa.int64()), [float(2**53 + 1)]),
        (pa.array([1.5, None, np.nan], pa.float32()), [1.5, np.nan, np.nan]),
        (pa.array(np.array([1.5], np.float16)), [1.5]),
        (pa.array([decimal.Decimal("1.25"), None]), [1.25, np.nan]),
        (pa.array([True, False, None]), [1, 0, np.nan]),
        (pa.array([None, None]), [np.nan, np.nan]),
        (pa.array(["1", " NA", None], pa.large_string()), [1, np.nan, np.nan]),
        (pa.array(["1", "+2"], pa.string_view()), [1, 2]),
        (pa.array(["1", "NA", None, "1"]).dictionary_encode(), [1, np.nan, np.nan, 1]),
        (pa.array([5, None, 5]).dictionary_encode(), [5, np.nan, 5]),
        (pa.array(["9", "1", "+2", "9"])[1:3], [1, 2]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_every_type_of_numbers_booleans_and_text_is_read(column, numbers):
    assert is_readable(Feature(name="x"), column.type)
    np.testing.assert_array_equal(read(column)[0], numbers)


@pytest.mark.parametrize(
    "kind",
    [pa.date32(), pa.timestamp("us"), pa.duration("s"), pa.binary(), pa.list_(pa.int8())],
    ids=str,
)
def test_other_types_are_not_readable(kind):
    assert not is_readable(Feature(name="x"), kind)
    assert not is_readable(Feature(name="x"), pa.dictionary(pa.int8(), kind))


COLOUR = Feature(
    name="colour",
    type="category",
    nullable=True,
    categories=("red", "green", "None"),
    missing_values=("?",),
)
TEXTS = pa.array(["green", " red ", "?", None, "NA", "None", "mauve", "1", "green"])
CODES = [1, 0, np.nan, np.nan, np.nan, 2, np.nan, np.nan, 1]


@pytest.mark.parametrize(
    "column",
    [TEXTS, TEXTS.cast(pa.large_string()), TEXTS.cast(pa.string_view()), TEXTS.dictionary_encode()],
    ids=lambda column: str(column.type),
)
def test_a_category_is_read_from_any_kind_of_text(column):
    assert is_readable(COLOUR, column.type)
    values = to_values(of(COLOUR), [decoded(column)], len(column))
    np.testing.assert_array_equal(values.matrix[:, 0], CODES)
    assert np.flatnonzero(values.unread).tolist() == [6, 7]
    assert values.unseen == []


def test_texts_that_are_taken_as_missing_are_told_with_their_rows():
    lenient = msgspec.structs.replace(COLOUR, unseen="missing")
    values = to_values(of(lenient), [TEXTS], len(TEXTS))
    np.testing.assert_array_equal(values.matrix[:, 0], CODES)
    assert not values.unread.any()
    assert values.unseen == [Unseen(6, "colour", "mauve"), Unseen(7, "colour", "1")]


def test_rare_and_new_texts_are_one_category_and_told():
    grouped = msgspec.structs.replace(
        COLOUR, categories=("red", "None"), grouped=("green", "blue"), unseen="other"
    )
    values = to_values(of(grouped), [TEXTS], len(TEXTS))
    nan = np.nan
    np.testing.assert_array_equal(values.matrix[:, 0], [2, 0, nan, nan, nan, 1, 2, 2, 2])
    assert not values.unread.any()
    assert [(one.row, one.taken_as) for one in sorted(values.unseen)] == [
        *[(0, "rare"), (6, "other"), (7, "other"), (8, "rare")],
    ]


def test_a_category_that_reads_like_a_number_is_a_text():
    graded = msgspec.structs.replace(COLOUR, categories=("3", "1", "2"))
    values = to_values(of(graded), [pa.array(["1", "2", "3", "1.0"])], 4)
    np.testing.assert_array_equal(values.matrix[:, 0], [1, 2, 0, np.nan])
    assert values.unread.tolist() == [False, False, False, True]


def test_codes_are_read_from_whole_numbers_as_training_reads_them():
    zipcode = msgspec.structs.replace(COLOUR, categories=("8010", "1020"))
    column = pa.array([1020, 8010, None, 4020], pa.int32())
    assert is_readable(zipcode, column.type)
    values = to_values(of(zipcode), [column], 4)
    np.testing.assert_array_equal(values.matrix[:, 0], [1, 0, np.nan, np.nan])
    assert values.unread.tolist() == [False, False, False, True]
    assert cell(zipcode, column, 3) == "4020"


def test_a_category_that_is_never_known_has_no_type():
    assert is_readable(COLOUR, pa.null())
    assert np.isnan(to_values(of(COLOUR), [pa.nulls(2)], 2).matrix).all()


@pytest.mark.parametrize("kind", [pa.float64(), pa.bool_(), pa.date32()], ids=str)
def test_amounts_are_no_category(kind):
    assert not is_readable(COLOUR, kind)
    assert not is_readable(COLOUR, pa.dictionary(pa.int8(), kind))


def test_numbers_of_a_format_are_never_read_as_plain_ones():
    price = Feature(name="x", number_format=NumberFormat(decimal=",", thousands="."))
    values = to_values(of(price), [pa.array(["1.614", "2,5", None, "-3"])], 4)
    np.testing.assert_array_equal(values.matrix[:, 0], [1614, 2.5, np.nan, -3])


DAYS = pa.array([19_782, None, 0], pa.int32()).cast(pa.date32())


@pytest.mark.parametrize(
    "column",
    [DAYS, DAYS.cast(pa.timestamp("us")), pa.array(["2024-02-29", "NA", " 1970-01-01"])],
    ids=lambda column: str(column.type),
)
def test_date_is_read_from_dates_and_from_texts(column):
    day = Feature(name="d", type="date", date_format="%Y-%m-%d", parts=("year",), nullable=True)
    assert is_readable(day, column.type)
    values = to_values(of(day), [column], 3)
    np.testing.assert_array_equal(values.matrix[:, 0], [19_782, np.nan, 0])
    assert cell(day, column, 0) == "2024-02-29"
