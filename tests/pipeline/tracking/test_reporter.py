"""The search's side of its tracking: it never waits, and never fails with what tracks it."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.search.units import Candidate
from pipeline.tracking import reporter
from pipeline.tracking.reporter import report_search
from tests.pipeline.tracking.searches import KEY, SCORED, SELECTION, SETTINGS, tables, tell

ECHO = "import sys; open('said', 'w').write(sys.stdin.read())"


@pytest.fixture
def tracked_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Put a script in the place of the process that tracks."""
    monkeypatch.chdir(tmp_path)
    return lambda script: monkeypatch.setattr(reporter, "LIVE", script)


def report_all() -> None:
    with report_search() as report:
        report.begin("trial", KEY, SETTINGS, 3, SELECTION)
        tell(report, SCORED)
        report.finish(*tables())


@pytest.mark.parametrize(
    ("error", "how"), [(None, "done"), (ValueError, "failed"), (KeyboardInterrupt, "killed")]
)
def test_messages_are_json_lines(tracked_by, error, how):
    def search():
        with report_search() as report:
            report.begin("trial", KEY, SETTINGS, 1, SELECTION)
            report.candidate(Candidate(1.0, 0.5), (0.5,), 0.1, 0.2, {"iter": 2})
            if error is not None:
                raise error

    tracked_by(ECHO)
    if error is None:
        search()
    else:
        with pytest.raises(error):
            search()
    begin, candidate, end = (json.loads(line) for line in Path("said").read_text().splitlines())
    assert (begin["type"], begin["params"], len(begin["process"])) == ("begin", SETTINGS, 32)
    assert (candidate["type"], candidate["extra"]) == ("candidate", {"iter": 2})
    assert end == {"type": "end", "how": how}


def test_report_never_waits_for_its_process(tracked_by):
    tracked_by("import time; time.sleep(2)")
    with report_search() as report:
        report.begin("trial", KEY, SETTINGS, 1, SELECTION)
        started = time.monotonic()
        for number in range(20_000):
            report.candidate(Candidate(float(number), 0.5), (0.5,) * 10, 0.1, 0.1, {})
        assert time.monotonic() - started < 1


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # the killed one is not waited for
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "its process "),  # is gone, or ended with -9
        ("import time; time.sleep(60)", "its process did not come to an end"),
    ],
)
def test_process_that_dies_or_hangs_costs_a_line(tracked_by, monkeypatch, capsys, script, reason):
    tracked_by(script)
    monkeypatch.setattr(reporter, "PATIENCE_S", 1.0)
    monkeypatch.setattr(reporter, "PATIENCE_FOR_EACH_S", 0.0)
    report_all()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"the search goes on, not tracked any more: {reason}")


def test_search_goes_on_where_no_process_can_be_started(tracked_by, monkeypatch, capsys):
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    tracked_by("")
    report_all()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "its process cannot be started (no memory)" in said
