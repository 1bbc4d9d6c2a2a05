"""One family of errors, and one shape for every error answer: RFC 9457 problem details."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from serving.contract import Violation

LISTED = 10  # errors in one answer; a table full of them helps nobody
RETRY_AFTER = 5  # seconds

# Werkzeug's own sentences talk of URLs typed by hand, and of an overload that may not be there.
DETAILS = {
    404: "There is nothing at this address.",
    500: "The service failed to answer this request; its log says why.",
}


class FieldError(msgspec.Struct, frozen=True):
    """One field's error, with a JSON pointer (RFC 6901) into the body of the request."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: Sequence[FieldError] | msgspec.UnsetType = msgspec.UNSET


class ServingError(Exception):
    """What keeps the service from answering: an HTTP status, and a sentence for the caller."""

    status: ClassVar[int]
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class MalformedBodyError(ServingError):
    status = 400


class TooManyRowsError(ServingError):
    status = 413


class NotJsonError(ServingError):
    status = 415


class InvalidBodyError(ServingError):
    status = 422


class NoModelError(ServingError):
    status = 503
    headers: ClassVar[dict[str, str]] = {"Retry-After": str(RETRY_AFTER)}

    def __init__(self, name: str, stage: str) -> None:
        super().__init__(
            f"The registry has given no version of `{name}` with the stage `{stage}`; "
            f"run `dvc repro` to train, register and promote one."
        )


def invalid_rows(violations: Sequence[Violation], *, batch: bool) -> InvalidBodyError:
    """Say what breaks the contract, in a body that is a batch `{"rows": [...]}` or one row."""
    first, count = violations[0], len(violations)
    where = f"Row {first.row + 1}, {first.feature}" if batch else first.feature
    more = f" ({count} errors in all, {min(count, LISTED)} listed)" if count > 1 else ""
    errors = [
        FieldError(pointer(["rows", v.row, v.feature] if batch else [v.feature]), v.detail)
        for v in violations[:LISTED]
    ]
    return InvalidBodyError(f"{where}: {first.detail}{more}.", errors)


def pointer(steps: Iterable[str | int]) -> str:
    """Write a JSON pointer: RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def init_app(app: Flask) -> None:
    app.register_error_handler(ServingError, _ours)
    app.register_error_handler(HTTPException, _flasks)


def _ours(error: ServingError) -> Response:
    return _problem(error.status, error.detail, error.errors, list(error.headers.items()))


def _flasks(error: HTTPException) -> Response:
    """Answer for Flask's own errors, and for an exception of ours (500, logged by Flask)."""
    status = error.code or 500
    limit = request.max_content_length
    detail = DETAILS.get(status) or error.description or HTTP_STATUS_CODES[status]
    if status == 413 and limit is not None:
        detail = f"The body is larger than {limit} bytes, the most that is taken."
    kept = [(key, value) for key, value in error.get_headers() if key.lower() != "content-type"]
    return _problem(status, detail, (), kept)


def _problem(
    status: int, detail: str, errors: Sequence[FieldError], headers: list[tuple[str, str]]
) -> Response:
    problem = Problem(
        title=HTTP_STATUS_CODES[status],
        status=status,
        detail=detail,
        errors=errors or msgspec.UNSET,
    )
    body = msgspec.json.encode(problem)
    return Response(body, status, headers, mimetype="application/problem+json")
