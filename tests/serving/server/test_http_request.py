"""A parsed request is checked, bounded, and knows whether its connection can be kept."""

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidHeader, LimitRequestHeaders, UnsupportedTransferCoding
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

from serving.server.http_request import LONGEST_LINE, REST, prepare

HOST = "Host: x"


def parse(*headers: str, body: bytes = b"", line: str = "POST /predict HTTP/1.1") -> Request:
    head = "\r\n".join([line, *headers, "", ""]).encode()
    cut = [head, *(body[i : i + 8192] for i in range(0, len(body), 8192))]
    return next(RequestParser(Config(), iter(cut), ("127.0.0.1", 1)))


def prepared(*headers: str, body: bytes = b"") -> Request:
    request = parse(HOST, *headers, body=body)
    prepare(request)
    return request


def test_http_1_1_needs_a_host():
    with pytest.raises(InvalidHeader):
        prepare(parse())
    prepare(parse(HOST))
    prepare(parse(line="GET / HTTP/1.0"))


@pytest.mark.parametrize("codings", ["gzip, chunked", "gzip", "Deflate,chunked", "compress"])
def test_coding_that_is_not_undone(codings):
    with pytest.raises(UnsupportedTransferCoding):
        prepared(f"Transfer-Encoding: {codings}")


@pytest.mark.parametrize("codings", ["chunked", "Chunked", "identity"])
def test_coding_that_is_taken(codings):
    prepared(f"Transfer-Encoding: {codings}", body=b"0\r\n\r\n")


@pytest.mark.parametrize(
    "body", [b"0\r\nA: ", b"1;", b"1" * LONGEST_LINE, b"0\r\n" + b"A: b\r\n" * LONGEST_LINE]
)
def test_line_of_a_chunked_body_is_bounded(body):
    request = prepared("Transfer-Encoding: chunked", body=body + b"x" * 1_000_000)
    with pytest.raises(LimitRequestHeaders):
        request.body.read(100)


@pytest.mark.parametrize(
    ("headers", "body", "closes"),
    [
        ([], b"", False),
        (["Connection: close"], b"", True),
        ([f"Content-Length: {REST - 1}"], b"", False),
        ([f"Content-Length: {REST}"], b"", True),
        (["Transfer-Encoding: chunked"], b"1\r\nx\r\n0\r\n\r\n", True),
    ],
)
def test_connection_closes_before_a_long_body_that_is_unread(headers, body, closes):
    assert prepared(*headers, body=body).should_close() is closes


def test_body_that_was_read_keeps_the_connection():
    long = b"x" * 2 * REST
    request = prepared(f"Content-Length: {len(long)}", body=long)
    request.body.read(REST)
    assert request.should_close()
    request.body.read(1)
    assert not request.should_close()
    chunked = prepared(
        "Transfer-Encoding: chunked", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(long), long)
    )
    assert chunked.body.read(len(long) + 1) == long
    assert not chunked.should_close()
