"""A body is read whole, decompressed, and never larger than is taken."""

import gzip
import io
import threading
import tracemalloc

import pytest
from gunicorn.http.errors import (
    InvalidChunkSize,
    InvalidHeader,
    LimitRequestHeaders,
    NoMoreData,
)

from serving.config import Settings
from serving.errors import (
    MalformedBodyError,
    OverloadedError,
    TooLargeError,
    TooSlowError,
    UnsupportedTypeError,
)
from serving.web.app import create_app
from serving.web.body import LARGE, MEMBERS, OpenedBody, media_type
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.serving.calling import post

MOST = 1000
TEXT = bytes(range(256)) * 3 + b"x" * 232  # exactly as much as is taken


def read_body(environ, most, deadline=5.0) -> bytes:
    settings = Settings(model="heart", max_body=most, deadline=deadline)
    with OpenedBody(environ, settings) as body:
        return body


def read(body: bytes, length: int | str | None = -1, encoding: str | None = None) -> bytes:
    """Read a body; its Content-Length is true unless it is given, and absent with None."""
    environ = {"wsgi.input": io.BytesIO(body)}
    if length is not None:
        environ["CONTENT_LENGTH"] = str(len(body) if length == -1 else length)
    if encoding is not None:
        environ["HTTP_CONTENT_ENCODING"] = encoding
    return read_body(environ, MOST)


@pytest.mark.parametrize("length", [-1, None])
@pytest.mark.parametrize("size", [0, 1, MOST])
def test_a_body_up_to_the_limit_is_read_whole(size, length):
    assert read(TEXT[:size], length) == TEXT[:size]


@pytest.mark.parametrize("length", [-1, None])
def test_one_byte_more_is_too_large(length):
    with pytest.raises(TooLargeError, match=r"^The body is larger than 1000 bytes, the most that"):
        read(TEXT + b"x", length)


class Untouched(io.BytesIO):
    def read(self, _=-1):
        raise AssertionError("it was read")


def test_a_body_that_says_that_it_is_too_large_is_not_read():
    with pytest.raises(TooLargeError):
        read_body({"wsgi.input": Untouched(), "CONTENT_LENGTH": str(MOST + 1)}, MOST)


class Endless(io.RawIOBase):
    """A body without an end, as chunks may be; counts what is taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size=-1):
        assert size >= 0, "all of it was asked for"
        self.taken += size
        return b"x" * size


def test_of_a_body_without_a_length_no_more_is_read_than_shows_that_it_is_too_large():
    source = Endless()
    with pytest.raises(TooLargeError):
        read_body({"wsgi.input": source}, MOST)
    assert source.taken == MOST + 1


def test_a_body_that_does_not_come_in_time_is_told_how_much_came():
    with pytest.raises(TooSlowError) as raised:
        read(b"x" * 20, length=500)
    assert raised.value.status == 408
    assert str(raised.value) == "Of the body's 500 bytes only 20 arrived in time."


def test_no_more_is_read_than_the_length_says():
    assert read(b"12345", length=3) == b"123"


def test_an_empty_length_is_none():
    assert read(b"12345", length="") == b"12345"


@pytest.mark.parametrize(
    ("error", "expected", "sentence"),
    [
        (InvalidChunkSize(b"x"), MalformedBodyError, "chunks or trailers are not well formed"),
        (InvalidHeader("x"), MalformedBodyError, "chunks or trailers are not well formed"),
        (LimitRequestHeaders("x"), MalformedBodyError, "chunks or trailers are not well formed"),
        (NoMoreData(), TooSlowError, "did not arrive whole in time"),
    ],
)
def test_chunks_that_are_broken_and_chunks_that_break_off(error, expected, sentence):
    class Broken(io.BytesIO):
        def read(self, _=-1):
            raise error

    with pytest.raises(expected, match=sentence):
        read_body({"wsgi.input": Broken()}, MOST)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZip "])
@pytest.mark.parametrize("length", [-1, None])
def test_gzip_is_decompressed(encoding, length):
    assert read(gzip.compress(TEXT), length, encoding) == TEXT


@pytest.mark.parametrize("encoding", [None, "identity", "Identity"])
def test_without_an_encoding_a_gzip_is_left_as_it_is(encoding):
    body = gzip.compress(b"x")  # with the time in it: another second, another body
    assert read(body, encoding=encoding) == body


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "gzip,br", ""])
def test_another_encoding_is_told_which_is_taken(encoding):
    with pytest.raises(UnsupportedTypeError, match="as it is, or with Content-Encoding: gzip"):
        read(b"x", encoding=encoding)


def test_a_gzip_may_have_several_members():
    parts = [b"a" * 400, b"", b"b" * 600]
    assert read(b"".join(map(gzip.compress, parts)), encoding="gzip") == b"".join(parts)


def test_members_are_limited_together():
    body = gzip.compress(b"a" * 400) + gzip.compress(b"b" * 601)
    with pytest.raises(TooLargeError, match="larger than 1000 bytes once decompressed"):
        read(body, encoding="gzip")


def test_so_many_members_that_reading_them_takes_minutes_are_refused():
    empty = gzip.compress(b"")
    environ = {"HTTP_CONTENT_ENCODING": "gzip", "wsgi.input": io.BytesIO(empty * MEMBERS)}
    assert read_body(environ, 10**6) == b""
    environ["wsgi.input"] = io.BytesIO(empty * (MEMBERS + 1))
    with pytest.raises(MalformedBodyError, match="has more than 100 members"):
        read_body(environ, 10**6)


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 12])
def test_a_gzip_that_is_cut_short_is_told(cut):
    with pytest.raises(MalformedBodyError, match="cut short"):
        read(gzip.compress(TEXT[:400])[:-cut], encoding="gzip")


def damaged(body: bytes) -> bytes:
    """Change the checksum at the end."""
    return body[:-8] + bytes([body[-8] ^ 1]) + body[-7:]


@pytest.mark.parametrize(
    "body",
    [b"garbage", b"{}", damaged(gzip.compress(TEXT)), gzip.compress(b"a", mtime=0) + b"garbage"],
)
def test_what_is_no_gzip_is_told(body):
    with pytest.raises(MalformedBodyError, match="not the gzip that its header says"):
        read(body, encoding="gzip")


def test_one_byte_over_the_limit_is_too_much_once_decompressed_too():
    assert len(gzip.compress(b"x" * (MOST + 1))) < MOST
    assert read(gzip.compress(b"x" * MOST), encoding="gzip") == b"x" * MOST
    with pytest.raises(TooLargeError):
        read(gzip.compress(b"x" * (MOST + 1)), encoding="gzip")


def test_a_bomb_takes_no_more_memory_than_a_body_may():
    bomb = gzip.compress(b"\0" * 50_000_000)
    most = 100_000
    assert len(bomb) < most
    environ = {"HTTP_CONTENT_ENCODING": "gzip", "wsgi.input": io.BytesIO(bomb)}
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            read_body(environ, most)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * most


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        (" text/csv ;x", "text/csv"),
        ("", ""),
    ],
)
def test_a_media_type_is_without_its_parameters(stated, expected):
    assert media_type({"CONTENT_TYPE": stated}) == expected


def test_without_a_type_there_is_none():
    assert media_type({}) == ""


LARGE_BODIES = {
    "plain": {"wsgi.input": io.BytesIO(b"x" * (LARGE + 1))},
    "gzip": {
        "wsgi.input": io.BytesIO(gzip.compress(b"x" * (LARGE + 1))),
        "HTTP_CONTENT_ENCODING": "gzip",
    },
}


@pytest.mark.parametrize("kind", LARGE_BODIES)
def test_one_large_body_is_open_at_a_time(kind):
    settings = Settings(model="heart", deadline=0.05)
    with OpenedBody(LARGE_BODIES[kind], settings) as body:
        assert len(body) == LARGE + 1
        with pytest.raises(OverloadedError, match=r"^Too many large bodies"):
            read_body({"wsgi.input": io.BytesIO(b"x" * (LARGE + 1))}, 10**6, 0.05)
        assert len(read_body({"wsgi.input": io.BytesIO(b"x" * LARGE)}, 10**6)) == LARGE
    LARGE_BODIES[kind]["wsgi.input"].seek(0)
    assert len(read_body(LARGE_BODIES[kind], 10**6)) == LARGE + 1


def test_turn_is_given_back_after_a_failure():
    for _ in range(2):
        with pytest.raises(TooLargeError, match="once decompressed"):
            read_body(
                {
                    "wsgi.input": io.BytesIO(gzip.compress(b"x" * LARGE * 3)),
                    "HTTP_CONTENT_ENCODING": "gzip",
                },
                2 * LARGE,
                0.05,
            )


def peak_of(work, times: int) -> int:
    """Return the most memory that so many threads at once take, in bytes."""
    threads = [threading.Thread(target=work) for _ in range(times)]
    tracemalloc.start()
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_large_bodies_take_the_memory_of_few(served):
    app = create_app(State(Settings(model="heart"), served, None, Metrics()))
    packed = gzip.compress(b'{"rows":[%s1]}' % (b'"a",' * 200_000))
    statuses = []

    def ask():
        statuses.append(post(app, body=packed, Content_Encoding="gzip").status)

    one, ten = peak_of(ask, 1), peak_of(ask, 10)
    assert statuses == [422] * 11
    assert ten < 3 * one
