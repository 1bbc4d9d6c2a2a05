"""The log: a JSON object a line, whatever is logged."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from select import PIPE_BUF

import pytest

from serving import log
from serving.log import QUEUED, LineWriter, pieces
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


def test_a_request_is_written_and_what_is_unknown_is_left_out(capfd):
    log.write(line())
    log.flush()
    assert capfd.readouterr().out == (
        '{"time":"2026-01-02T03:04:05.000678Z","level":"INFO","message":"request",'
        '"request_id":"abc-1","method":"GET","path":"/livez","status":200,"milliseconds":0.125}\n'
    )
    log.write(line(key="frontend", rows=3, version="7", client="192.0.2.7"))
    log.flush()
    told = json.loads(capfd.readouterr().out)
    assert [told[name] for name in ("client", "key", "rows", "version")] == [
        "192.0.2.7",
        "frontend",
        3,
        "7",
    ]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def test_a_log_that_nobody_reads_any_more_costs_the_lines_and_no_answer(pipe):
    reading, writing = pipe
    writer = LineWriter(writing)
    os.close(reading)
    writer.put(b"one\n")
    writer.flush()
    os.close(writing)
    writer.put(b"two\n")
    writer.flush()
    assert writer.dropped == 2


def test_a_reader_that_hangs_costs_the_lines_that_find_no_room_and_no_time(pipe):
    reading, writing = pipe
    writer = LineWriter(writing)
    lines = [b"%06d %s\n" % (number, b"x" * 90) for number in range(3 * QUEUED)]
    started = time.monotonic()
    for each in lines:
        writer.put(each)
    writer.flush(0.1)
    assert time.monotonic() - started < 2
    assert QUEUED <= writer.dropped <= 2 * QUEUED
    text = b""
    while text.count(b"\n") < len(lines) - writer.dropped:
        text += os.read(reading, 1 << 20)
    came = text.splitlines(keepends=True)
    assert came == sorted(came)
    assert set(came) < set(lines), "each of them whole"
    writer.put(b"after it\n")
    writer.flush()
    assert os.read(reading, 100) == b"after it\n"


def test_lines_of_two_processes_do_not_mix(pipe):
    """What goes out at once is no longer than what a pipe takes whole."""
    assert all(len(piece) <= PIPE_BUF for piece in pieces([b"x" * 1500] * 10))
    assert (
        b"".join(pieces([b"a\n", b"b\n", b"c" * 5000, b"d\n"])) == b"a\nb\n" + b"c" * 5000 + b"d\n"
    )


def test_a_process_that_is_forked_writes_its_own_lines(pipe):
    reading, writing = pipe
    writer = LineWriter(writing)
    writer.put(b"parent\n")
    child = os.fork()
    if not child:
        writer.put(b"child\n")
        writer.flush()
        os._exit(0)
    os.waitpid(child, 0)
    writer.flush()
    assert sorted(os.read(reading, 100).splitlines()) == [b"child", b"parent"]
