"""One meaning of a cell: training and every way of asking the model read the same text alike."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.data.source import read_source
from pipeline.errors import PipelineError
from pipeline.params import Data
from pipeline.profiling.columns.column import Column
from pipeline.profiling.columns.describe import describe
from serving.batch.arrow_columns import to_values
from serving.formats.csv_table import Table, to_rows
from serving.model.cells import ABSENT, read_column
from serving.model.contract import Contract, Feature
from serving.model.reading import PLAIN, Read
from serving.model.rows import to_matrix
from serving.model.validation import InvalidRowsError, violations

ODD = (
    "1,5",
    "-1.5",
    "?",
    "Unknown",
    "#DIV/0!",
    "True",
    "FALSE",
    "inf",
    "-Infinity",
    "NAN",
    "1_000",
    "1,5",
    "0x1F",
    "１",
    "٣",
    "#N/A",
)
TEXTS = st.one_of(
    st.sampled_from([*ABSENT, *ODD]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.text("0123456789+-.eExX_ \t\u00a0\u2009nNaAiIfF", max_size=8),
)
FEATURES = {
    "number": Feature(name="a", nullable=True),
    "boolean": Feature(name="a", type="boolean", nullable=True),
    "category": Feature(name="a", type="category", nullable=True, categories=("1", "NA", "inf")),
}
UNREADABLE = "unreadable"


READS = [
    PLAIN,
    Read(decimal=","),
    Read(na_values=("NAN", -1.5)),
    Read(decimal=",", na_values=(2.5,)),
]


def preprocess(feature: Feature, text: str, path: Path, read: Read) -> Any:
    # The second row is there because two classes are needed.
    pd.DataFrame({"a": [text, "1"], "y": ["0", "1"]}).to_csv(path, index=False)
    spec: dict[str, Any] = {"type": feature.type, "nullable": True}
    if feature.categories:
        spec["categories"] = feature.categories
    settings = {
        "file": str(path),
        "read": read.to_builtins(),
        "features": {"a": spec},
        "target": "y",
        "positive_class": 1,
    }
    try:
        return read_source(path, msgspec.convert(settings, Data)).X[0, 0]
    except PipelineError:
        return UNREADABLE


def csv_body(feature: Feature, text: str, read: Read) -> Any:
    contract = contract_of(feature)
    try:
        return to_matrix(contract, to_rows(contract, Table(["a"], [[text]], "\n", read)))[0, 0]
    except InvalidRowsError:
        return UNREADABLE


def score(feature: Feature, text: str, read: Read) -> Any:
    contract = contract_of(feature)
    values = to_values(contract, [pa.array([text])], 1, read)
    refused = values.unread[0] or list(violations(contract, values.matrix))
    return UNREADABLE if refused else values.matrix[0, 0]


def contract_of(feature: Feature) -> Contract:
    return Contract(target="y", classes=(0, 1), features=(feature,))


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
@given(text=TEXTS, read=st.sampled_from(READS))
@example(text="inf", read=PLAIN)
@example(text="NA", read=PLAIN)
@example(text=" True ", read=PLAIN)
@example(text="\u00a01\u2009", read=PLAIN)
@example(text="1e999", read=PLAIN)
@example(text="1,5", read=READS[1])
@example(text="1.5", read=READS[1])
@example(text="-1.50", read=READS[2])
@example(text="2,50", read=READS[3])
def test_preprocess_a_csv_body_and_score_read_a_cell_alike(feature, text, read, tmp_path_factory):
    expected = csv_body(feature, text, read)
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    for meaning in (preprocess(feature, text, path, read), score(feature, text, read)):
        np.testing.assert_equal(meaning, expected, err_msg=repr(text))


@given(text=TEXTS)
@example(text="inf")
@example(text="NAN")
def test_init_reads_a_cell_among_numbers_as_preprocess_does(text):
    cells = pd.Series([*(str(x + 0.5) for x in range(200)), text.strip()], dtype=str)
    column = describe("a", cells)
    assert isinstance(column, Column)
    (number,), (unread,) = read_column(FEATURES["number"], [text])
    assert column.nullable == (not unread and bool(np.isnan(number)))
    # A text that is no number is a slip of the pen, which preprocess then refuses.
    assert column.type == "number"
