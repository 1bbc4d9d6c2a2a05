"""What is no request is refused in our shape of an error, written out as HTTP."""

import json

import pytest
from gunicorn.http import errors
from werkzeug.http import HTTP_STATUS_CODES

from serving.server.http_errors import SENTENCES, refusal, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.LimitRequestLine(5000, 4094), 414),
        (errors.LimitRequestHeaders("limit request headers fields size"), 431),
        (errors.UnsupportedTransferCoding("br"), 501),
        (errors.ExpectationFailed("200-ok"), 417),
        (errors.InvalidRequestLine("\x16\x03\x01"), 400),
        (errors.InvalidHeader("X: <script>"), 400),
        (errors.InvalidHTTPVersion((4, 2)), 400),
        (RuntimeError("the secret reason"), 500),
    ],
)
def test_status_of_what_gunicorn_raises(error, status):
    assert status_of(error) == status


@pytest.mark.parametrize("status", SENTENCES)
@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/predict", {"type", "title", "status", "detail"}),
        ("/invocations", {"error_code", "message"}),
        ("/v2/models/heart/infer", {"error"}),
        ("", {"type", "title", "status", "detail"}),
    ],
)
def test_refusal_has_the_shape_of_its_protocol(status, path, keys):
    head, _, body = refusal(path, status, "abc-1").partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == f"HTTP/1.1 {status} {HTTP_STATUS_CODES[status]}"
    assert (headers["Connection"], headers["X-Request-ID"]) == ("close", "abc-1")
    assert int(headers["Content-Length"]) == len(body)
    told = json.loads(body)
    assert set(told) == keys
    assert SENTENCES[status] in told.values()
