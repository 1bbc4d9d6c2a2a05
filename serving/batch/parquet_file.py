"""A Parquet file in chunks, however large its row groups are."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from serving.batch.arrow_columns import is_readable
from serving.batch.chunk_scoring import Part
from serving.batch.table import CHUNK_BYTES, CHUNK_CELLS, Chunk, ScoringError
from serving.formats.csv_table import check_columns, places
from serving.model.contract import Contract
from serving.model.reading import of_typed_cells

READ_BYTES = 2**20  # of a column at once; without this, all of it in a row group
NEEDED = {"category": "text or whole numbers are", "date": "dates, timestamps or text are"}
FEW, MANY = 2**8, 2**16  # rows of a chunk; a multiple of the fewest


class ParquetFile:
    """An open Parquet file.

    Raises ServingError for one without the contract's columns, ScoringError for one that is
    damaged, or has a feature in a column that holds something else than numbers, booleans or text.
    """

    newline = "\n"

    def __init__(self, contract: Contract, path: Path) -> None:
        self._path = path
        self.read = of_typed_cells(contract.table_format)
        try:
            self._file = parquet.ParquetFile(str(path), buffer_size=READ_BYTES, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise ScoringError(f"{path} is no Parquet file, or a damaged one.") from error
        self.schema = self._file.schema_arrow
        check_columns(contract, self.schema.names)
        self.places = places(contract, self.schema.names)
        for feature, place in zip(contract.features, self.places, strict=True):
            field = self.schema.field(place)
            if not is_readable(feature, field.type):
                needed = NEEDED.get(feature.type, "numbers, booleans or text are")
                raise ScoringError(
                    f"{path} has {field.type} in the column {field.name}, where {needed} needed."
                )

    def chunks(self) -> Iterator[Chunk]:
        all_rows, done = self._file.metadata.num_rows, 0
        try:
            for rows in self._file.iter_batches(self._chunk_rows(), use_threads=False):
                done += rows.num_rows
                yield Chunk(partial(Part, rows, {}), done / all_rows)
        except (pa.ArrowException, OSError) as error:
            raise ScoringError(
                f"{self._path} cannot be read on after row {done}: it is damaged."
            ) from error

    def _chunk_rows(self) -> int:
        """Return how many rows to take at once, by their size on disk and in memory."""
        metadata = self._file.metadata
        groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
        on_disk = sum(group.total_byte_size for group in groups) / max(1, metadata.num_rows)
        first = next(self._file.iter_batches(FEW, use_threads=False), None)
        in_memory = first.nbytes / first.num_rows if first is not None and first.num_rows else 0
        room = 2 * CHUNK_BYTES / max(1.0, on_disk, in_memory)
        rows = min(MANY, room, CHUNK_CELLS / len(self.places))
        return max(FEW, int(rows) // FEW * FEW)
