"""One family of errors, and the shape that each protocol gives them.

On routes of our own an error is RFC 9457 problem details; `/invocations` answers as MLflow does,
`/v2` as the Open Inference Protocol says.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec

from serving.model.validation import LISTED, InvalidRowsError

RETRY_AFTER = 5  # seconds

JSON = "application/json"

Headers = list[tuple[str, str]]

# Werkzeug's own sentences talk of URLs typed by hand, and of an overload that may not be there.
DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method; the header Allow names those it takes.",
    500: "The service failed to answer this request; its log says why.",
}


class FieldError(msgspec.Struct, frozen=True):
    """One field's error, with a JSON pointer (RFC 6901) into the body of the request."""

    pointer: str
    detail: str


class ServingError(Exception):
    """The service cannot answer: an HTTP status, and a sentence for the caller."""

    status: ClassVar[int]
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class MalformedBodyError(ServingError):
    status = 400


class UntrustedHostError(ServingError):
    status = 400


class NoKeyError(ServingError):
    status = 401
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class ForbiddenError(ServingError):
    status = 403


class NotFoundError(ServingError):
    status = 404


class TooSlowError(ServingError):
    status = 408


class TooLargeError(ServingError):
    status = 413


class UnsupportedTypeError(ServingError):
    status = 415


class InvalidBodyError(ServingError):
    status = 422


class FailedError(ServingError):
    status = 500

    def __init__(self) -> None:
        super().__init__(DETAILS[500])


class TooLongError(ServingError):
    """The model itself takes too long; the same rows would again, so nothing says to retry."""

    status = 500


class OverloadedError(ServingError):
    status = 503
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class NoModelError(ServingError):
    status = 503
    headers: ClassVar[dict[str, str]] = {"Retry-After": str(RETRY_AFTER)}

    def __init__(self, name: str, stage: str, why: str = "") -> None:
        super().__init__(
            f"No version of `{name}` is in stage `{stage}` yet; "
            f"{why or 'run `dvc repro` to train, register and promote one'}."
        )


def explanation_overdue() -> OverloadedError:
    """Return the error for an explanation that takes, or waits, too long."""
    return OverloadedError(
        "The explanation was not ready within the deadline; try again, or with fewer rows."
    )


def invalid_rows(found: InvalidRowsError, *, batch: bool) -> InvalidBodyError:
    """Return the error for values that break the contract, in a batch or in one row."""
    listed = found.violations[:LISTED]
    first = listed[0]
    where = f"Row {first.row + 1}, {first.feature}" if batch else first.feature
    more = f" ({found.in_all}, {len(listed)} listed)" if found.total > 1 else ""
    errors = [
        FieldError(pointer(["rows", v.row, v.feature] if batch else [v.feature]), v.detail)
        for v in listed
    ]
    return InvalidBodyError(f"{where}: {first.detail}{more}.", errors)


def too_many_rows(most: int) -> TooLargeError:
    """Return the error for a body of more rows than are taken."""
    return TooLargeError(f"The body has more than {most} rows, the most taken at once.")


def pointer(steps: Iterable[str | int]) -> str:
    """Write a JSON pointer: RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
