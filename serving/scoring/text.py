"""Columns -> CSV text, a column at a time."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.scoring.columns import decoded, is_text

SPECIAL = (b'"', b",", b"\r", b"\n")


def has_text(kind: pa.DataType) -> bool:
    """Tell whether CSV can hold a column of this type."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    plain = pa.types.is_primitive(kind) and not pa.types.is_interval(kind)
    return bool(plain or is_text(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind))


def to_text(column: pa.Array) -> pa.Array:
    """Write a column's values as cells, quoted where they have to be; null is an empty one."""
    text = pc.fill_null(pc.cast(decoded(column), pa.string()), "")
    return _quoted(text)


def probabilities_to_text(values: npt.NDArray[np.float64]) -> pa.Array:
    """Write each as the shortest text that reads back the same, in the form that `repr` gives."""
    text = pc.cast(pa.array(values), pa.string())
    # Arrow has another form for what is very small, or a whole number.
    other = ~((values >= 1e-4) & (values < 1))
    if not other.any():
        return text
    said = pa.array([repr(value) for value in values[other].tolist()], pa.string())
    return pc.replace_with_mask(text, pa.array(other), said)


def to_lines(columns: list[pa.Array], newline: str) -> memoryview:
    """Join columns of text to lines."""
    last = pc.binary_join_element_wise(columns[-1], newline, "")
    lines = pc.binary_join_element_wise(*columns[:-1], last, ",")
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(lines) + 1)
    return memoryview(data)[ends[0] : ends[-1]] if len(lines) else memoryview(b"")


def _quoted(text: pa.Array) -> pa.Array:
    data = text.buffers()[2]
    content = data.to_pybytes() if data is not None else b""
    if not any(char in content for char in SPECIAL):
        return text
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(text, '[",\r\n]'), quoted, text)
