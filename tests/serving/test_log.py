"""The log: a JSON object a line, whatever is logged."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from serving import log
from tests.conftest import ROOT

SCRIPT = """
import logging, logging.config
from serving import log

logging.config.dictConfig(log.CONFIG)
log.logger.info("%s answers", "heart version 1")
log.logger.warning("two\\nlines, \\"quoted\\"")
log.logger.debug("not shown")
logging.getLogger("gunicorn.error").info("not shown")
logging.getLogger("gunicorn.error").error("from gunicorn")
logging.getLogger("somebody.else").warning("from a library")
try:
    raise ValueError("the reason")
except ValueError:
    log.logger.exception("it failed")
"""


@pytest.fixture(scope="module")
def records():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_record_is_a_line_with_time_level_logger_and_message(records):
    told = [(record["level"], record["logger"], record["message"]) for record in records]
    assert told == [
        ("INFO", "serving", "heart version 1 answers"),
        ("WARNING", "serving", 'two\nlines, "quoted"'),
        ("ERROR", "gunicorn.error", "from gunicorn"),
        ("WARNING", "somebody.else", "from a library"),
        ("ERROR", "serving", "it failed"),
    ]


def test_times_have_a_zone_and_are_those_of_now(records):
    for record in records:
        moment = datetime.fromisoformat(record["time"])
        assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_an_exception_with_its_trace_is_within_its_one_line(records):
    trace = next(
        value for value in records[-1].values() if isinstance(value, str) and "Traceback" in value
    )
    assert "ValueError: the reason" in trace


def line(**more) -> log.RequestLine:
    usual = {
        "time": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "level": "INFO",
        "message": "request",
        "request_id": "abc-1",
        "method": "GET",
        "path": "/livez",
        "status": 200,
        "milliseconds": 0.125,
    }
    return log.RequestLine(**{**usual, **more})


def test_a_request_is_written_at_once_and_what_is_unknown_is_left_out(capfd):
    log.write(line())
    assert capfd.readouterr().out == (
        '{"time":"2026-01-02T03:04:05.000678Z","level":"INFO","message":"request",'
        '"request_id":"abc-1","method":"GET","path":"/livez","status":200,"milliseconds":0.125}\n'
    )
    log.write(line(key="frontend", rows=3, version="7", client="192.0.2.7"))
    told = json.loads(capfd.readouterr().out)
    assert [told[name] for name in ("client", "key", "rows", "version")] == [
        "192.0.2.7",
        "frontend",
        3,
        "7",
    ]


def test_a_log_that_nobody_reads_any_more_costs_no_answer(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(log, "STDOUT", writing)
    log.write(line())
    os.close(writing)
    log.write(line())
