"""Errors as HTTP answers: problem+json, MLflow's and Open Inference's shapes."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from serving.errors import DETAILS, JSON, FieldError, Headers, ServingError

PROBLEM_JSON = "application/problem+json"

# MLflow's names for what it answers with these (mlflow/protos/databricks.proto).
MLFLOW_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    503: "TEMPORARILY_UNAVAILABLE",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: Sequence[FieldError] | msgspec.UnsetType = msgspec.UNSET


class MlflowError(msgspec.Struct, frozen=True):
    error_code: str
    message: str


class InferenceError(msgspec.Struct, frozen=True):
    error: str


class ErrorAnswer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


def error_answer(path: str, error: ServingError) -> ErrorAnswer:
    """Return an error of ours in the shape of the protocol that `path` belongs to."""
    headers = list(error.headers.items())
    return plain_answer(path, error.status, error.detail, headers, error.errors)


def http_error_answer(path: str, error: HTTPException) -> ErrorAnswer:
    """Do the same for Flask's own errors, and for an exception of ours (500, logged by Flask)."""
    status = error.code or 500
    detail = DETAILS.get(status) or error.description or HTTP_STATUS_CODES[status]
    kept = [(key, value) for key, value in error.get_headers() if key.lower() != "content-type"]
    return plain_answer(path, status, detail, kept)


def plain_answer(
    path: str,
    status: int,
    detail: str,
    headers: Iterable[tuple[str, str]] = (),
    errors: Sequence[FieldError] = (),
) -> ErrorAnswer:
    """Return a status and a sentence in the shape of the protocol that `path` belongs to."""
    shape: msgspec.Struct
    mimetype = JSON
    if path == "/invocations":
        shape = MlflowError(MLFLOW_CODES.get(status, _mlflow_code(status)), detail)
    elif path == "/v2" or path.startswith("/v2/"):
        shape = InferenceError(detail)
    else:
        mimetype = PROBLEM_JSON
        shape = Problem(
            title=HTTP_STATUS_CODES[status],
            status=status,
            detail=detail,
            errors=errors or msgspec.UNSET,
        )
    return ErrorAnswer(status, [*headers, ("Content-Type", mimetype)], msgspec.json.encode(shape))


def _mlflow_code(status: int) -> str:
    return "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"
