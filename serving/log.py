"""Structured logs: a JSON object a line, with `time`, `level` and `message`.

What a request asked and what it was answered never stands here: it may be somebody's health.

A reader that hangs must not hang the service: lines wait in a queue for a thread that writes them,
and where the queue is full they are dropped and counted.
"""

import atexit
import logging
import os
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from select import PIPE_BUF
from typing import Any

import msgspec

STDOUT, STDERR = 1, 2
QUEUED = 10_000  # lines that wait at most, some 3 MB
GATHER = 0.1  # seconds: a thread that woke more often would disturb those that answer
LAST_WAIT = 1.0  # seconds for the lines that are left at the end of a process

CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.msgspec.MsgspecFormatter",
            "fmt": ["levelname", "name", "message"],
            "rename_fields": {"levelname": "level", "name": "logger"},
            "timestamp": "time",
        }
    },
    "handlers": {
        "stderr": {
            "class": "serving.log.StderrHandler",
            "formatter": "json",
        }
    },
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {
        "serving": {"level": "INFO"},
        "gunicorn.error": {"level": "WARNING", "propagate": True, "handlers": []},
        "gunicorn.access": {"level": "WARNING", "propagate": True, "handlers": []},
    },
}

_encoder = msgspec.json.Encoder()
logger = logging.getLogger("serving")


class LineWriter:
    """Writes lines to a file descriptor, in a thread of each process that has any to write."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._start_anew()
        os.register_at_fork(after_in_child=self._start_anew)
        atexit.register(self.flush)

    def _start_anew(self) -> None:
        self._queue: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._lock = threading.Lock()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def put(self, line: bytes) -> None:
        """Queue a line; returns at once, whatever the reader does."""
        if self._queue.qsize() >= QUEUED:
            self._drop(1)
            return
        self._queue.put(line)
        if self._thread is None:
            self._start()

    def flush(self, seconds: float = LAST_WAIT) -> None:
        """Wait until what was queued so far is written, but no longer than `seconds`."""
        if self._thread is not None:
            done = threading.Event()
            self._queue.put(done)
            self._hurry.set()
            done.wait(seconds)

    def _start(self) -> None:
        with self._lock, suppress(RuntimeError):  # no thread can be had, now or any more
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="log", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            queued = [self._queue.get()]
            self._hurry.wait(GATHER)
            self._hurry.clear()
            with suppress(Empty):
                while True:
                    queued.append(self._queue.get_nowait())
            self._write([line for line in queued if isinstance(line, bytes)])
            for each in queued:
                if isinstance(each, threading.Event):
                    each.set()

    def _write(self, lines: list[bytes]) -> None:
        for piece in pieces(lines):
            try:
                os.write(self._descriptor, piece)
            except OSError:  # a full disk, or a reader that is gone
                self._drop(piece.count(b"\n"))

    def _drop(self, count: int) -> None:
        with self._lock:
            self.dropped += count


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces that a pipe takes whole, so that those of workers do not mix."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece


class StderrHandler(logging.Handler):
    """Queues what goes through `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _stderr.put(self.format(record).encode(errors="backslashreplace") + b"\n")
        except Exception:
            self.handleError(record)


class RequestLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One request, as it is logged; `milliseconds` includes sending the answer."""

    time: datetime
    level: str
    message: str = msgspec.field(name="message")
    request_id: str
    method: str
    path: str
    status: int
    milliseconds: float
    client: str | None = None
    key: str | None = None
    rows: int | None = None
    version: str | None = None


_stdout, _stderr = LineWriter(STDOUT), LineWriter(STDERR)


def write(line: RequestLine) -> None:
    """Queue a request's line. Not through `logging`, which takes longer than a prediction."""
    _stdout.put(_encoder.encode(line) + b"\n")


def flush() -> None:
    """Wait for what is queued, but not for a reader that hangs."""
    _stdout.flush()
    _stderr.flush()


def dropped() -> int:
    """Return how many lines this process has dropped."""
    return _stdout.dropped + _stderr.dropped


def new_request_id() -> str:
    return secrets.token_hex(16)


def now() -> datetime:
    return datetime.now(UTC)
