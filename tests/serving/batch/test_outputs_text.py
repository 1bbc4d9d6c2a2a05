"""Columns as text are what Python's csv module writes."""

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batch.outputs import has_text, numbers_to_text, to_lines, to_text

CELL = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(['a"b', "a,b", "\r", ""])


@given(st.lists(st.tuples(CELL, CELL)))
def test_cells_are_quoted_where_they_have_to_be(rows):
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in (0, 1)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([(*row, 1) for row in rows])
    numbers = to_text(pa.array([1] * len(rows)))
    lines = to_lines([*map(to_text, columns), numbers], "\r\n")
    assert bytes(lines).decode() == out.getvalue()


NUMBERS = st.sampled_from([0.0, 1.0, 1e-5, 1e-4, 0.1, 1 - 2**-53])


@given(
    st.lists(st.floats(-1, 1) | st.floats(allow_nan=False) | NUMBERS | NUMBERS.map(float.__neg__))
)
def test_a_number_is_written_as_python_writes_it(values):
    assert numbers_to_text(np.array(values, dtype=np.float64)).to_pylist() == [
        repr(value) for value in values
    ]


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (pa.array([1, None]), ["1", ""]),
        (pa.array([0.1, 1 / 3, None]), ["0.1", "0.3333333333333333", ""]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["a,b", None, "c"])[0:2], ['"a,b"', ""]),
        (pa.array(["a,b", "c"])[1:], ["c"]),
        (pa.array(['"', None]).dictionary_encode(), ['""""', ""]),
        (pa.array([0], pa.timestamp("s")), ["1970-01-01 00:00:00"]),
        (pa.array([None]), [""]),
        (pa.array(["x"], pa.large_string()), ["x"]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_every_type_that_csv_can_hold_is_written(column, cells):
    assert has_text(column.type)
    assert to_text(column).to_pylist() == cells


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.list_(pa.int8()), pa.struct([]), pa.month_day_nano_interval()], ids=str
)
def test_what_csv_cannot_hold_is_known(kind):
    assert not has_text(kind)
