"""A file -> the table in it, by its first bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from serving.batch.csv_file import CsvFile
from serving.batch.excel_file import ExcelFile
from serving.batch.parquet_file import ParquetFile
from serving.batch.table import ScoringError, Table
from serving.errors import ServingError
from serving.model.contract import Contract
from serving.tables.kinds import TableError, kind_of, open_csv


@contextmanager
def open_table(contract: Contract, path: Path) -> Iterator[Table]:
    """Open a file to score; raises ScoringError for one that cannot be."""
    if path.exists() and not path.is_file():
        raise ScoringError(f"{path} is no file.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise ScoringError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        try:
            table = _table(contract, path, file)
        except TableError as error:
            raise ScoringError(f"{path} {error}.") from error
        except ServingError as error:
            raise ScoringError(f"{path}: {error}") from error
        yield table


def _table(contract: Contract, path: Path, file: BinaryIO) -> Table:
    kind = kind_of(path)
    if kind == "parquet" or path.suffix.lower() == ".parquet":
        return ParquetFile(contract, path)
    if kind == "excel":
        return ExcelFile(contract, path)
    return CsvFile(contract, path, file, open_csv(path, file))
