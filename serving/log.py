"""Structured logs: a JSON object a line, with `time`, `level` and `message`.

What a request asked and what it was answered never stands here: it may be somebody's health.
"""

import logging
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

STDOUT = 1

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
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stderr",
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


def write(line: RequestLine) -> None:
    """Write a line at once and whole: below a pipe's buffer, lines of workers do not mix.

    Not through `logging`, which takes longer than a prediction. A full disk or a reader that is
    gone costs the line, not the answer.
    """
    with suppress(OSError):
        os.write(STDOUT, _encoder.encode(line) + b"\n")


def new_request_id() -> str:
    return secrets.token_hex(16)


def now() -> datetime:
    return datetime.now(UTC)
