"""Columns of Arrow, which have types, as text."""

import pyarrow as pa
import pyarrow.compute as pc

from serving.tables.kinds import TableError


def to_text(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column's cells as a CSV file has them, empty where there is none.

    Raises TableError for one whose cells are lists, records or bytes that are no text.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return pc.fill_null(pc.cast(column, pa.string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TableError(
            f"has {column.type} in the column {name}, which is no cell of a table: leave it out"
        ) from error
