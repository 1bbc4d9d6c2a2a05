"""JSON rows -> matrix in one pass, for bodies as they mostly are: right.

Decoders are made for the contract's own fields, so that types, limits, absent and unknown fields
are seen while parsing. They only ever say yes: a body that they do not take whole is looked at
again, step by step, where the caller can be told what is wrong with it.
"""

import re
from math import ceil, floor, nan
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.rows import Rows
from serving.model.validation import allows

BATCH_START = b'{"rows"'

# A repeated key shows as a colon too many, not so where names have colons themselves; the others
# cannot be names of msgspec's fields.
UNFIT = re.compile(r'[:"\\\x00-\x1f]')

LOWEST_INT, HIGHEST_INT = -(2**63), 2**63 - 1  # as bounds of msgspec's

NEVER = Annotated[int, msgspec.Meta(ge=1, le=0)]

FAILURES = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Reader:
    """Reads one row as an object, or many as `{"rows": [...]}`, for one contract."""

    def __init__(self, contract: Contract) -> None:
        names = contract.names
        self.contract = contract
        self._width = len(names)
        has_dates = any(feature.type == "date" for feature in contract.features)
        fit = 0 < len(names) == len(set(names)) and not any(map(UNFIT.search, names))
        self._usable = fit and not has_dates
        if not self._usable:
            return
        self._codes = [
            (place, {None: nan, **feature.own_codes})
            for place, feature in enumerate(contract.features)
            if feature.type == "category"
        ]
        row = _row_type(contract, _allowed)
        batch: Any = msgspec.defstruct("Batch", [("rows", list[row])], forbid_unknown_fields=True)  # type: ignore[valid-type]
        self._usual_row = msgspec.json.Decoder(_row_type(contract, _usual))
        self._row = msgspec.json.Decoder(row)
        self._batch = msgspec.json.Decoder(batch)

    def read(self, body: bytes, most: int) -> Rows | None:
        """Read at most `most` rows that the contract allows; None where the body is another."""
        if not self._usable:
            return None
        if body.startswith(BATCH_START):
            return self._read_batch(body, most)
        return self._read_row(body)

    def _read_row(self, body: bytes) -> Rows | None:
        if body.count(b":") != self._width:
            return None
        try:
            # What is usual needs no other look: a single row is answered in half the time.
            return Rows(self._matrix([self._usual_row.decode(body)]), usual=True)
        except FAILURES:
            pass
        try:
            return self._checked([self._row.decode(body)])
        except FAILURES:
            return None

    def _read_batch(self, body: bytes, most: int) -> Rows | None:
        try:
            rows = self._batch.decode(body).rows
        except FAILURES:
            return None
        if not 0 < len(rows) <= most or body.count(b":") != 1 + self._width * len(rows):
            return None
        return self._checked(rows)

    def _checked(self, rows: list[Any]) -> Rows | None:
        values = self._matrix(rows)
        return Rows(values) if allows(self.contract, values) else None

    def _matrix(self, rows: list[Any]) -> FloatMatrix:
        cells: list[Any] = [msgspec.structs.astuple(row) for row in rows]
        if self._codes:
            cells = [list(row) for row in cells]
            for place, codes in self._codes:
                for row in cells:
                    row[place] = codes[row[place]]
        return np.array(cells, dtype=np.float64)


def _row_type(contract: Contract, kind: Any) -> Any:
    fields = [(f"field_{i}", kind(feature)) for i, feature in enumerate(contract.features)]
    names = {
        field: feature.name for (field, _), feature in zip(fields, contract.features, strict=True)
    }
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, gc=False)


def _allowed(feature: Feature) -> Any:
    if feature.type == "category":
        return _text(feature)
    return bool | float | None if feature.type == "boolean" else float | None


def _usual(feature: Feature) -> Any:
    """Return a type for values within the limits and the range seen in training, or missing."""
    if feature.type == "category":
        return _text(feature)
    low, high = feature.training_range or (None, None)
    lowest = max((v for v in (low, feature.minimum) if v is not None), default=None)
    highest = min((v for v in (high, feature.maximum) if v is not None), default=None)
    kind: Any = Annotated[float, msgspec.Meta(ge=lowest, le=highest)]
    if feature.type == "boolean":
        kind = bool if (lowest or 0) <= 0 and (1 if highest is None else highest) >= 1 else NEVER
    if feature.type == "integer":
        kind = _whole(lowest, highest)
    return kind | None if feature.nullable else kind


def _text(feature: Feature) -> Any:
    """Return a type for the texts of their own; what becomes of others is not told here."""
    texts = tuple(feature.own_codes) if feature.nullable else feature.categories
    known: Any = Literal[texts] if texts else NEVER
    return known | None if feature.nullable else known


def _whole(lowest: float | None, highest: float | None) -> Any:
    least = LOWEST_INT if lowest is None else ceil(lowest)
    most = HIGHEST_INT if highest is None else floor(highest)
    if least > HIGHEST_INT or most < LOWEST_INT:
        return NEVER
    bounds = msgspec.Meta(ge=max(least, LOWEST_INT), le=min(most, HIGHEST_INT))
    return Annotated[int, bounds]
