"""A request's body: read whole, decompressed, and never larger than is taken."""

import zlib
from contextlib import suppress
from threading import Lock
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException

from serving.config import Settings
from serving.errors import (
    MalformedBodyError,
    OverloadedError,
    TooLargeError,
    TooSlowError,
    UnsupportedTypeError,
)

GZIP = 31  # zlib's number for a gzip header and trailer, and the largest window
MEMBERS = 100  # of a gzip; what follows one is copied, so that a million would take minutes
LARGE = 2**18  # bytes, decompressed

# Of this process. What is made of a body takes up to thirty times its size, so that the memory for
# as many large ones as there are places would be gigabytes; in turn they are done as soon.
_large_ones_turn = Lock()


def media_type(environ: dict[str, Any]) -> str:
    """Return the Content-Type without its parameters."""
    stated: str = environ.get("CONTENT_TYPE", "")
    return stated.partition(";")[0].strip().lower()


class OpenedBody:
    """A body, for the block that answers it; of large ones a worker has one open at a time.

    Raises TooLargeError (413) for more bytes than are taken, before or after decompression,
    TooSlowError (408) for a body that ends early, MalformedBodyError (400), for a Content-Encoding
    other than gzip UnsupportedTypeError (415), and OverloadedError (503) if its turn does not come.
    """

    # No generator of contextlib's: that takes a microsecond of each request.
    __slots__ = ("_environ", "_has_turn", "_settings")

    def __init__(self, environ: dict[str, Any], settings: Settings) -> None:
        self._environ, self._settings = environ, settings
        self._has_turn = False

    def __enter__(self) -> bytes:
        packed = _is_packed(self._environ)
        sent = _read(self._environ, self._settings.max_body)
        body = _unpacked(sent, min(LARGE, self._settings.max_body), packed=packed)
        return self._in_turn(sent, packed=packed) if body is None else body

    def __exit__(self, *_: object) -> None:
        if self._has_turn:
            _large_ones_turn.release()

    def _in_turn(self, sent: bytes, *, packed: bool) -> bytes:
        if not _large_ones_turn.acquire(timeout=self._settings.deadline):
            raise OverloadedError("Too many large bodies are being answered already; try again.")
        self._has_turn = True
        try:
            return _gunzip(sent, self._settings.max_body) if packed else sent
        except BaseException:
            self.__exit__()
            raise


def _is_packed(environ: dict[str, Any]) -> bool:
    encoding: str = environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise UnsupportedTypeError("Send the body as it is, or with Content-Encoding: gzip.")
    return encoding != "identity"


def _unpacked(sent: bytes, most: int, *, packed: bool) -> bytes | None:
    """Return what was sent, decompressed; None if it is larger."""
    if not packed:
        return sent if len(sent) <= most else None
    with suppress(TooLargeError):
        return _gunzip(sent, most)
    return None


def _read(environ: dict[str, Any], most: int) -> bytes:
    stated = environ.get("CONTENT_LENGTH") or None
    length = None
    if stated is not None:
        # The server has refused what is no number.
        length = int(stated)
        if length > most:
            raise _too_large(most)
    try:
        body: bytes = environ["wsgi.input"].read(most + 1 if length is None else length)
    except NoMoreData as error:
        raise TooSlowError("The body did not arrive whole in time.") from error
    except (OSError, ParseException) as error:  # gunicorn's errors of chunks, and of trailers
        raise MalformedBodyError("The body's chunks or trailers are not well formed.") from error
    if len(body) > most:
        raise _too_large(most)
    if length is not None and len(body) < length:
        raise TooSlowError(f"Of the body's {length} bytes only {len(body)} arrived in time.")
    return body


def _gunzip(packed: bytes, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while packed:  # a gzip file may have several members
        if len(parts) == MEMBERS:
            raise MalformedBodyError(f"The gzip of the body has more than {MEMBERS} members.")
        member = zlib.decompressobj(GZIP)
        try:
            part = member.decompress(packed, most + 1 - size)
        except zlib.error as error:
            raise MalformedBodyError("The body is not the gzip that its header says.") from error
        size += len(part)
        if size > most:
            raise _too_large(most, " once decompressed")
        if not member.eof:
            raise MalformedBodyError("The gzip of the body is cut short.")
        parts.append(part)
        packed = member.unused_data
    return b"".join(parts)


def _too_large(most: int, when: str = "") -> TooLargeError:
    return TooLargeError(f"The body is larger than {most} bytes{when}, the most that is taken.")
