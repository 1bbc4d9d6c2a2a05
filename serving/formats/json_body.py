"""A JSON body -> rows: quickly where it is right, and step by step where it is not.

A body is one row as an object, or many as `{"rows": [...]}`. A feature may itself be called `rows`:
a body is a batch exactly where the value of `rows` is a list, which no feature's value can be.
"""

import json
import re
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from serving.errors import (
    FieldError,
    InvalidBodyError,
    MalformedBodyError,
    TooLargeError,
    invalid_rows,
    pointer,
    too_many_rows,
)
from serving.formats.json_reader import Reader
from serving.model.rows import LONGEST_NAME, Rows
from serving.model.validation import InvalidRowsError

BATCH = re.compile(rb'\s*\{\s*"rows"\s*:\s*\[')
# The start of an object or a list, or the end, behind whatever texts and the like stand before it.
# Nothing is read twice: what is possessive gives nothing back, an open quote reaches to the end.
CONTAINER = re.compile(rb'(?:[^"{\[]++|"(?:[^"\\]++|\\.)*+"?)*+([{\[]|\Z)', re.DOTALL)


class Asked(NamedTuple):
    rows: list[dict[str, Any]]
    batch: bool


def read_rows(reader: Reader, body: bytes, most: int) -> Rows:
    """Read the rows of a body.

    Raises MalformedBodyError (400), InvalidBodyError (422) and, over `most` rows, TooLargeError
    (413).
    """
    # Of a batch all but two, the body and the list, are rows; counted before they are made.
    if has_more_containers(body, most + 2):
        raise too_many_rows(most) if BATCH.match(body) else _too_many_containers(most + 2)
    rows = reader.read(body, most)
    if rows is not None:
        return rows
    asked = split_rows(_decode(body))
    check_count(len(asked.rows), most)
    try:
        return Rows.of(reader.contract, asked.rows)
    except InvalidRowsError as error:
        raise invalid_rows(error, batch=asked.batch) from error


def check_count(rows: int, most: int) -> None:
    if rows > most:
        raise too_many_rows(most)


def has_more_containers(body: bytes, most: int) -> bool:
    """True if a body has more objects and lists than this, seen without making them.

    An empty one is three bytes of the body, and sixty-four of memory.
    """
    if body.count(b"{") + body.count(b"[") <= most:
        return False
    found = (match for match in CONTAINER.finditer(body) if match[1])
    return next(islice(found, most, None), None) is not None


def decode(body: bytes, most: int) -> Any:
    """Decode strict JSON: no NaN, nothing after the end, no key twice in an object.

    Raises MalformedBodyError, and TooLargeError for more than `most` objects and lists.
    """
    if has_more_containers(body, most):
        raise _too_many_containers(most)
    return _decode(body)


def _too_many_containers(most: int) -> TooLargeError:
    return TooLargeError(f"The body has more than {most} objects and lists, the most taken.")


def _decode(body: bytes) -> Any:
    try:
        value = msgspec.json.decode(body)
        if body.count(b":") != _keys(value):
            json.loads(body, object_pairs_hook=_refuse_repeated, parse_int=str)
    except RecursionError as error:
        raise MalformedBodyError("The body is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise MalformedBodyError("The body is not UTF-8.") from error
    except msgspec.DecodeError as error:
        hint = "; JSON has no NaN, send null for what is missing" if b"NaN" in body else ""
        raise MalformedBodyError(f"The body is not valid JSON: {error}{hint}.") from error
    return value


def _keys(value: Any) -> int:
    """Count the keys of a body of the usual form.

    Each key in the text has a colon. As many colons as keys: no key was lost, so none is repeated.
    The slow, exact look is needed only for other bodies.
    """
    if not isinstance(value, dict):
        return 0
    rows = value.get("rows")
    inner = rows if isinstance(rows, list) else []
    return len(value) + sum(len(row) for row in inner if isinstance(row, dict))


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise MalformedBodyError(f"The key {json.dumps(key[:80])} is twice in one object.")
        seen.add(key)


def split_rows(body: Any) -> Asked:
    if not isinstance(body, dict):
        raise InvalidBodyError('The body must be one row as an object, or {"rows": [...]}.')
    rows = body.get("rows")
    if not isinstance(rows, list):
        return Asked([body], batch=False)
    for key in (key[:LONGEST_NAME] for key in body if key != "rows"):
        raise _refused([key], f"`{key}` stands beside `rows`, where nothing else may")
    if not rows:
        raise _refused(["rows"], "`rows` is empty; it must hold at least one row")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise _refused(["rows", index], f"row {index + 1} is not an object")
    return Asked(rows, batch=True)


def _refused(steps: list[str | int], detail: str) -> InvalidBodyError:
    return InvalidBodyError(
        f"{detail[:1].upper()}{detail[1:]}.", [FieldError(pointer(steps), detail)]
    )
