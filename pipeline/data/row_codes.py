"""Codes of cells and rows: equal where a table is read as the same, however it is written."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow
from pyarrow import compute

from serving.model.cells import BOOLEANS, NUMBER, is_mark

Codes = npt.NDArray[np.uint64]

CODE = np.dtype("<u8")  # of the same bytes on every machine


def cell_codes(column: "pd.Series[str]") -> Codes:
    """Return a code for each cell of a column `[rows]`, equal where cells are read as the same.

    The code of a number is its bits, so that 1, 1.0 and " 1 " have one; of any other text it is a
    digest. All words for missing have one code, and so have `true` and `True`.
    """
    places, words = pd.factorize(column)  # each distinct text is read once
    texts = pd.Series(words, dtype=str).str.strip()
    texts = texts.mask(texts.map(is_mark), "")
    texts = texts.mask(texts.str.lower().isin(BOOLEANS), texts.str.lower())
    is_number = texts.str.fullmatch(NUMBER.pattern).to_numpy(dtype=bool)
    # Arrow reads as `float` does, and faster.
    numbers = compute.cast(pyarrow.array(texts[is_number]), "float64").to_numpy()
    codes = np.empty(len(texts), dtype=CODE)
    codes[is_number] = (numbers + 0.0).astype("<f8").view(CODE)  # 0.0 for -0.0
    codes[~is_number] = digests(text.encode() for text in texts[~is_number])
    return codes[places]


def row_codes(cells: pd.DataFrame, columns: Iterable[str]) -> Codes:
    """Return the codes of some columns `[rows, columns]`."""
    found = [cell_codes(cells[name]) for name in columns]
    return np.column_stack(found) if found else np.zeros((len(cells), 0), dtype=CODE)


def row_digests(codes: Codes, key: bytes = b"") -> Codes:
    """Return a digest of each row of codes `[rows]`, another one for another key."""
    rows = np.ascontiguousarray(codes, dtype=CODE)
    return digests((row.tobytes() for row in rows), key)


def digests(contents: Iterable[bytes], key: bytes = b"") -> Codes:
    every = (blake2b(content, key=key, digest_size=CODE.itemsize).digest() for content in contents)
    return np.frombuffer(b"".join(every), dtype=CODE)


def repeats_before(codes: Codes) -> npt.NDArray[np.int64]:
    """Return how many equal rows stand before each row `[rows]`."""
    digest = pd.Series(row_digests(codes))
    return np.asarray(digest.groupby(digest).cumcount(), dtype=np.int64)
