"""An error has the shape of the protocol that its path belongs to."""

import msgspec
import pytest
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.http import HTTP_STATUS_CODES

from serving.errors import ServingError
from serving.web.problems import error_answer, http_error_answer, plain_answer
from tests.serving.test_errors import FAMILY


def of_family(kind: type[ServingError]) -> ServingError:
    error = kind.__new__(kind)
    ServingError.__init__(error, "A sentence.")
    return error


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize(
    ("path", "mimetype", "keys"),
    [
        ("/predict", "application/problem+json", {"type", "title", "status", "detail"}),
        ("/v2x", "application/problem+json", {"type", "title", "status", "detail"}),
        ("/invocations", "application/json", {"error_code", "message"}),
        ("/v2", "application/json", {"error"}),
        ("/v2/models/heart/infer", "application/json", {"error"}),
    ],
)
def test_error_has_the_shape_of_its_protocol(kind, path, mimetype, keys):
    status, headers, body = error_answer(path, of_family(kind))
    assert status == kind.status
    assert HTTP_STATUS_CODES[status]
    assert dict(headers) == {**kind.headers, "Content-Type": mimetype}
    told = msgspec.json.decode(body)
    assert set(told) == keys
    assert "A sentence." in told.values()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BAD_REQUEST"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "ENDPOINT_NOT_FOUND"),
        (413, "BAD_REQUEST"),
        (500, "INTERNAL_ERROR"),
        (503, "TEMPORARILY_UNAVAILABLE"),
    ],
)
def test_mlflows_protocol_has_its_own_names_for_a_status(status, code):
    assert msgspec.json.decode(plain_answer("/invocations", status, "x").body)["error_code"] == code


def test_flask_s_errors_keep_their_headers_only():
    answer = http_error_answer("/predict", MethodNotAllowed(["POST"]))
    assert sorted(answer.headers) == [
        ("Allow", "POST"),
        ("Content-Type", "application/problem+json"),
    ]
    assert b"<" not in answer.body
