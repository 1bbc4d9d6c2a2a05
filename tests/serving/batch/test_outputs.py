"""What stands in a Parquet output, and what becomes of one that is given up."""

import gc
import io
from types import SimpleNamespace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from serving.batch import outputs
from serving.batch.chunk_scoring import Answered
from serving.batch.outputs import CsvOutput, ParquetOutput
from serving.model.contract import Contract
from serving.model.reading import PLAIN
from tests.serving.batch.files import ANSWERS

TABLE = SimpleNamespace(schema=pa.schema([("Age", pa.int64())]), newline="\n")


CONTRACT = Contract(target="y", classes=(0, 1), features=())


def answered(*age: int) -> Answered:
    rows = pa.record_batch([pa.array(age)], schema=TABLE.schema)
    return Answered(
        rows, {}, rows, np.zeros(len(age), np.int64), np.zeros(len(age)), [""] * len(age)
    )


@pytest.fixture
def file():
    return io.BytesIO()


@pytest.fixture
def output(tmp_path, file):
    return ParquetOutput(tmp_path / "out.parquet", file, TABLE, ANSWERS, CONTRACT)


def test_small_parts_are_collected_to_large_row_groups(output, file, monkeypatch):
    monkeypatch.setattr(outputs, "GROUP_ROWS", 5)
    for _ in range(4):
        output.write(answered(50, 60))
    output.close()
    metadata = parquet.read_metadata(file)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [6, 2]


def test_an_output_that_is_given_up_is_not_written_to_later(file, tmp_path):
    output = ParquetOutput(tmp_path / "out.parquet", file, TABLE, ANSWERS, CONTRACT)
    output.write(answered(50))
    output.abandon()
    file.close()
    del output
    gc.collect()  # a failure here is a warning, and so an error


@pytest.mark.parametrize(
    ("classes", "kind", "labels", "texts"),
    [
        ((0, 1), pa.int64(), [1, 0], "1 0"),
        ((-3, 2), pa.int64(), [2, -3], "2 -3"),
        (("no, not", "yes"), pa.string(), ["yes", "no, not"], 'yes "no, not"'),
        (("False", "True"), pa.bool_(), [True, False], "True False"),
        ((0, "yes"), pa.string(), ["yes", "0"], "yes 0"),
    ],
)
def test_a_label_is_its_class(file, tmp_path, classes, kind, labels, texts):
    contract = msgspec.structs.replace(CONTRACT, classes=classes)
    two = answered(50, 60)._replace(labels=np.array([1, 0]))
    output = ParquetOutput(tmp_path / "out.parquet", file, TABLE, ANSWERS, contract)
    output.write(two)
    output.close()
    found = parquet.read_table(file)["label"]
    assert (found.type, found.to_pylist()) == (kind, labels)

    text = io.BytesIO()
    table = SimpleNamespace(**vars(TABLE), read=PLAIN)
    CsvOutput(tmp_path / "out.csv", text, table, ANSWERS, contract).write(two)
    first, second = texts.split(" ", 1)
    assert text.getvalue().decode().splitlines()[1:] == [f"50,{first},0.0,", f"60,{second},0.0,"]
