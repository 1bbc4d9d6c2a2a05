"""A request as gunicorn has parsed it (26.2): what more is refused, bounded and said of it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import (
    InvalidHeader,
    LimitRequestHeaders,
    ParseException,
    UnsupportedTransferCoding,
)

LONGEST_LINE = 16_384  # bytes of a chunk's first line, or of all trailers
REST = 64 * 1024  # bytes of an unread body that gunicorn reads, to keep the connection

# What a body raises that is not sent as HTTP says: gunicorn's errors of chunks are OSErrors.
BROKEN_BODY = (OSError, ParseException)


def prepare(request: Any) -> None:
    """Check a request, bound its chunks' lines, and let its answer say if the connection closes.

    Raises gunicorn's errors, which are answered as those of its own parser.
    """
    _check(request)
    reader = request.body.reader
    if isinstance(reader, ChunkedReader):
        reader.get_data = partial(_get_bounded, reader.get_data)
    request.should_close = partial(_should_close, request)


def _check(request: Any) -> None:
    """Raise for HTTP/1.1 without a Host (RFC 9112, 3.2), and for codings that are not undone."""
    names = [name for name, _ in request.headers]
    if "HOST" not in names and request.version >= (1, 1):
        raise InvalidHeader("HOST")
    if "TRANSFER-ENCODING" in names:
        _check_codings(request)


def _check_codings(request: Any) -> None:
    for name, value in request.headers:
        codings = {word.strip().lower() for word in value.split(",")}
        if name == "TRANSFER-ENCODING" and codings - {"chunked", "identity"}:
            raise UnsupportedTransferCoding(value)


def _get_bounded(get_data: Callable[..., None], unreader: Any, buffer: Any) -> None:
    """Read on in a line of a chunked body, which would else be read and copied without end."""
    if buffer.tell() > LONGEST_LINE:
        raise LimitRequestHeaders("a chunk's line or the trailers")
    get_data(unreader, buffer)


def _should_close(request: Any) -> bool:
    """True if the connection closes after the answer; asked once the answer is known.

    gunicorn says keep-alive of every body that it has not read, then closes where it is long.
    """
    return bool(type(request).should_close(request)) or _is_long(request.body)


def _is_long(body: Any) -> bool:
    """True if so much is unread that it will not be read; of chunks nobody knows how much."""
    reader = body.reader
    if isinstance(reader, ChunkedReader):
        return reader.parser is not None
    return bool(reader.length + len(body.buf.getbuffer()) >= REST)
