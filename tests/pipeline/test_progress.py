import io

import pytest

from pipeline import progress
from pipeline.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_there_is_a_line_now_and_then(clock):
    out = io.StringIO()
    with Progress(4, "median ROC AUC", out) as shown:
        shown.add(1.0, 0.5, 0.8)
        clock[0] += 12
        shown.add(2.0, 0.5, 0.9)
        clock[0] += 1
        shown.add(3.0, 0.5, 0.7)
        clock[0] += 12
        shown.add(1000.0, 0.00012345, 0.95)
    assert out.getvalue() == (
        "grid search: 2 of 4 candidates, best median ROC AUC 0.9000 (C 2, gamma 0.5), "
        "about 12 s left\n"
        "grid search: 4 of 4 candidates, best median ROC AUC 0.9500 (C 1000, gamma 0.0001234), "
        "in 25 s\n"
    )


def test_on_a_terminal_there_is_a_bar_with_the_best_so_far():
    out = Terminal()
    with Progress(3, "mean ROC AUC", out) as shown:
        for score in (0.8, 0.9, 0.7):
            shown.add(1.0, 0.5, score)
    last = out.getvalue().split("\r")[-1]
    assert "3/3" in last
    assert "best mean ROC AUC 0.9000 (C 1, gamma 0.5)" in last


def test_the_best_on_few_rows_is_not_the_best_on_more(clock):
    out = io.StringIO()
    with Progress(3, "mean ROC AUC", out) as shown:
        shown.add(1.0, 0.5, 0.99, 100)
        shown.add(2.0, 0.5, 0.8, 300)
        shown.add(3.0, 0.5, 0.7, 300)
    assert "best mean ROC AUC 0.8000 (C 2, gamma 0.5)" in out.getvalue()


def test_after_a_failure_nothing_is_said(clock):
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress(3, "mean ROC AUC", out):
        raise KeyboardInterrupt
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (99.4, "99 s"), (100, "2 min"), (5940, "99 min"), (6000, "1 h 40 min")],
)
def test_a_duration_reads_as_a_person_says_it(seconds, text):
    assert duration(seconds) == text
