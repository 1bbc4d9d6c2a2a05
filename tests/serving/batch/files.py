"""Files to score: tables of the small model's features."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

HEADER = "Glucose,Age,Smoker\n"
ANSWERS = ["label", "probability", "warnings"]


def write_large(path: Path, rows: int) -> Path:
    """Write random rows that the contract allows; a Parquet file has one row group."""
    random = np.random.default_rng(7)
    table = pa.table(
        {
            "id": np.arange(rows),
            "Glucose": random.uniform(50, 190, rows),
            "Age": random.integers(21, 80, rows),
            "Smoker": random.integers(0, 2, rows),
        }
    )
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=rows)
    else:
        arrow_csv.write_csv(table, path)
    return path


def read_csv(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True))


def probabilities(path: Path) -> list[float]:
    """Give the answers in a file, of either format."""
    if path.suffix == ".parquet":
        found: list[float] = parquet.read_table(path)["probability"].to_pylist()
        return found
    header, *rows = read_csv(path)
    return [float(row[header.index("probability")]) for row in rows]


def write_parquet(path: Path, **columns: Any) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".*.part"))
