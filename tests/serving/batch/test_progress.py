"""How far a run is stands on stderr: a bar on a terminal, plain lines elsewhere."""

import io
import sys

import pytest

from serving.batch import progress
from serving.batch.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_guesses_the_total(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress() as shown:
        shown.add(500, 0.25)
        shown.say("row 3: is bad")
        shown.add(500, 0.5)
        assert shown._bar.total == 2000
        shown.add(1000, 1.0)
    told = sys.stderr.getvalue()
    assert "100%" in told
    assert "2.00k/2.00k" in told
    assert "row 3: is bad\n" in told


def test_elsewhere_a_line_is_told_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(
        progress.time, "monotonic", iter([0.0, 4.0, 12.0, 12.0, 12.0, 14.0]).__next__
    )
    with Progress() as shown:
        shown.add(1000, 0.1)  # after 4 seconds
        shown.add(2000, 0.3)  # after 12 seconds
        shown.add(2000, 0.5)  # after 14 seconds
    assert capsys.readouterr().err == "3,000 rows, 30%, about 28 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (42.4, "42 s"), (720, "12 min"), (12_000, "3 h 20 min")],
)
def test_a_duration_is_written_as_a_person_would(seconds, text):
    assert duration(seconds) == text
