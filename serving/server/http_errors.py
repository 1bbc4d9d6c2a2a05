"""Errors that gunicorn answers with before there is a request, in our shape of an error."""

from gunicorn.http import errors as http_errors
from werkzeug.http import HTTP_STATUS_CODES

from serving.errors import DETAILS
from serving.web.problems import plain_answer

SENTENCES = {
    414: "The address of the request is too long.",
    431: "The headers of the request are too many or too large.",
    501: "This transfer coding is not supported; send the body as it is, or chunked.",
    417: "Of expectations only 100-continue is met.",
    400: "This is not a well-formed HTTP request.",
    500: DETAILS[500],
}


def status_of(error: Exception) -> int:
    if isinstance(error, http_errors.LimitRequestLine):
        return 414
    if isinstance(error, http_errors.LimitRequestHeaders):
        return 431
    if isinstance(error, http_errors.UnsupportedTransferCoding):
        return 501
    if isinstance(error, http_errors.ExpectationFailed):
        return 417
    return 400 if isinstance(error, http_errors.ParseException) else 500


def refusal(path: str, status: int, request_id: str) -> bytes:
    """Write an answer as it goes over the wire; the connection is closed after it."""
    answer = plain_answer(path, status, SENTENCES[status], [("X-Request-ID", request_id)])
    head = [
        f"HTTP/1.1 {status} {HTTP_STATUS_CODES[status]}",
        "Connection: close",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + answer.body
