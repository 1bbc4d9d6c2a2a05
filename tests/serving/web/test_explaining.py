"""The thread that explains: in turn, of a low priority, and never waited for too long."""

import os
import threading
from time import perf_counter

import pytest

from serving.errors import OverloadedError
from serving.web import explaining
from serving.web.explaining import NICENESS, STEP_ASIDE, ExplainingThread


@pytest.fixture
def thread():
    found = ExplainingThread()
    yield found
    found._pool.shutdown()


def soon():
    return perf_counter() + 5


def test_work_is_done_and_its_errors_are_raised(thread):
    assert thread.run(lambda: 6 * 7, {}, soon()) == 42
    with pytest.raises(ZeroDivisionError):
        thread.run(lambda: 1 // 0, {}, soon())


def test_work_has_a_low_priority_and_this_thread_its_own(thread):
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def priority():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert thread.run(priority, {}, soon()) == NICENESS
    assert priority() == before


def test_it_goes_on_where_no_priority_can_be_set(monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(explaining.os, "setpriority", refuse)
    assert ExplainingThread().run(lambda: 1, {}, soon()) == 1


def test_one_piece_of_work_is_done_at_a_time(thread):
    names = [thread.run(threading.get_ident, {}, soon()) for _ in range(3)]
    assert len({*names}) == 1
    assert names[0] != threading.get_ident()


def test_the_turn_is_given_away_before_it_waits(thread):
    given = threading.Event()
    assert thread.run(lambda: given.wait(5), {STEP_ASIDE: given.set}, soon())


def test_what_stands_behind_long_work_is_given_up(thread, monkeypatch):
    monkeypatch.setattr(explaining, "MARGIN", 0.05)
    go_on, done = threading.Event(), threading.Event()
    long = threading.Thread(target=thread.run, args=(lambda: go_on.wait(10), {}, soon()))
    long.start()
    with pytest.raises(OverloadedError):
        thread.run(done.set, {}, perf_counter())
    go_on.set()
    long.join()
    assert thread.run(lambda: 1, {}, soon()) == 1
    assert not done.is_set()
