"""What stands in a Parquet output, and what becomes of one that is given up."""

import gc
import io
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from serving.batch import outputs
from serving.batch.chunk_scoring import Answered
from serving.batch.outputs import ParquetOutput
from tests.serving.batch.files import ANSWERS

TABLE = SimpleNamespace(schema=pa.schema([("Age", pa.int64())]), newline="\n")


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
    return ParquetOutput(tmp_path / "out.parquet", file, TABLE, ANSWERS)


def test_small_parts_are_collected_to_large_row_groups(output, file, monkeypatch):
    monkeypatch.setattr(outputs, "GROUP_ROWS", 5)
    for _ in range(4):
        output.write(answered(50, 60))
    output.close()
    metadata = parquet.read_metadata(file)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [6, 2]


def test_an_output_that_is_given_up_is_not_written_to_later(file, tmp_path):
    output = ParquetOutput(tmp_path / "out.parquet", file, TABLE, ANSWERS)
    output.write(answered(50))
    output.abandon()
    file.close()
    del output
    gc.collect()  # a failure here is a warning, and so an error
