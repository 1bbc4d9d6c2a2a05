"""`POST /predict`: one row as an object, or many as `{"rows": [...]}`.

A feature may itself be called `rows`: a body is a batch exactly where the value of `rows` is a
list, which no feature's value can be.
"""

import json
from typing import Any, NamedTuple

import msgspec
from flask import Blueprint, Request, Response, jsonify, request

from serving.answer import Answer, Served, answer
from serving.api import served_model, state
from serving.contract import InvalidRowsError
from serving.errors import (
    FieldError,
    InvalidBodyError,
    MalformedBodyError,
    NotJsonError,
    TooManyRowsError,
    invalid_rows,
    pointer,
)

blueprint = Blueprint("predict", __name__)


class Asked(NamedTuple):
    rows: list[dict[str, Any]]
    batch: bool


@blueprint.post("/predict")
def predict() -> Response:
    served = served_model()
    asked = read_rows(request, state().settings.max_rows)
    return jsonify(predictions(served, asked))


def read_rows(request: Request, max_rows: int) -> Asked:
    """Read a request's rows.

    Raises NotJsonError (415), MalformedBodyError (400), InvalidBodyError (422) and, over
    `max_rows`, TooManyRowsError (413).
    """
    if request.mimetype != "application/json":
        raise NotJsonError("Send the rows as JSON, with the header Content-Type: application/json.")
    asked = _split(decode(request.get_data()))
    if len(asked.rows) > max_rows:
        raise TooManyRowsError(
            f"The body has {len(asked.rows)} rows; at most {max_rows} are taken at once."
        )
    return asked


def predictions(served: Served, asked: Asked) -> Answer:
    try:
        return answer(served, asked.rows)
    except InvalidRowsError as error:
        raise invalid_rows(error.violations, batch=asked.batch) from error


def decode(body: bytes) -> Any:
    """Decode strict JSON: no NaN, nothing after the end, no key twice in an object."""
    try:
        value = msgspec.json.decode(body)
        if body.count(b":") != _keys(value):
            json.loads(body, object_pairs_hook=_refuse_repeated, parse_int=str)
    except RecursionError as error:
        raise MalformedBodyError("The body is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise MalformedBodyError("The body is not UTF-8.") from error
    except msgspec.DecodeError as error:
        raise MalformedBodyError(f"The body is not valid JSON: {error}.") from error
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
            raise MalformedBodyError(f"The key {json.dumps(key[:80])} stands twice in one object.")
        seen.add(key)


def _split(body: Any) -> Asked:
    if not isinstance(body, dict):
        raise InvalidBodyError('The body must be one row as an object, or {"rows": [...]}.')
    rows = body.get("rows")
    if not isinstance(rows, list):
        return Asked([body], batch=False)
    for key in (key for key in body if key != "rows"):
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
