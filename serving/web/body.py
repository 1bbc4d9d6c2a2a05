"""A request's body: read whole, decompressed, and never larger than is taken."""

import zlib
from typing import Any

from gunicorn.http.errors import NoMoreData

from serving.errors import MalformedBodyError, TooLargeError, TooSlowError, UnsupportedTypeError

GZIP = 31  # zlib's number for a gzip header and trailer, and the largest window
MEMBERS = 100  # of a gzip; what follows one is copied, so that a million would take minutes


def media_type(environ: dict[str, Any]) -> str:
    """Return the Content-Type without its parameters."""
    stated: str = environ.get("CONTENT_TYPE", "")
    return stated.partition(";")[0].strip().lower()


def read_body(environ: dict[str, Any], most: int) -> bytes:
    """Read at most `most` bytes, before and after decompression.

    Raises TooLargeError (413), TooSlowError (408) for a body that ends early, MalformedBodyError
    (400) and, for a Content-Encoding other than gzip, UnsupportedTypeError (415).
    """
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise UnsupportedTypeError("Send the body as it is, or with Content-Encoding: gzip.")
    body = _read(environ, most)
    return body if encoding == "identity" else _gunzip(body, most)


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
    except OSError as error:  # gunicorn's errors of chunks are such
        raise MalformedBodyError("The body's chunks are not well formed.") from error
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
