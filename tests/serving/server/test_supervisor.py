"""The follower is kept alive beside the workers, with pauses where it ends at once."""

import signal
import sys
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest

from serving.server import supervisor
from serving.server.supervisor import LONGEST_PAUSE, SHORT_LIFE, Supervisor, attach
from tests.running import eventually

FOLLOWER = """
import os, signal, sys, time
path = sys.argv[1]
def note(word):
    with open(path, "a") as file:
        file.write(f"{word} {os.getpid()}\\n")
signal.signal(signal.SIGHUP, lambda *_: note("asked"))
note("started")
beat = os.environ.get("BEAT")
while True:
    if beat:
        os.write(int(sys.argv[-1]), b".")
    time.sleep(0.05)
"""


class Follower:
    """A process that notes what happens to it."""

    def __init__(self, path) -> None:
        self.path = path
        self.command = [sys.executable, "-S", "-c", FOLLOWER, str(path)]

    def notes(self, word: str) -> list[int]:
        text = self.path.read_text() if self.path.exists() else ""
        lines = [line.split() for line in text.splitlines()]
        return [int(pid) for noted, pid in lines if noted == word]

    def wait_for(self, word: str, count: int) -> list[int]:
        eventually(lambda: len(self.notes(word)) >= count, within=10, every=0.01)
        return self.notes(word)


def is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def follower(tmp_path, monkeypatch):
    made = Follower(tmp_path / "notes")
    monkeypatch.setattr(supervisor, "COMMAND", made.command)
    return made


@pytest.fixture
def supervising():
    made = Supervisor()
    yield made
    made.stop()
    if made._process is not None:
        made._process.wait(10)


def test_the_follower_is_started_once(supervising, follower):
    for _ in range(3):
        supervising.keep_alive()
    follower.wait_for("started", 1)
    supervising.keep_alive()
    time.sleep(0.1)
    assert len(follower.notes("started")) == 1


def test_a_follower_that_was_killed_is_started_again(supervising, follower, monkeypatch, caplog):
    monkeypatch.setattr(supervisor, "SHORT_LIFE", 0.0)
    supervising.keep_alive()
    (first,) = follower.wait_for("started", 1)
    supervising._process.send_signal(signal.SIGKILL)
    supervising._process.wait(10)
    supervising.keep_alive()
    assert follower.wait_for("started", 2)[1] != first
    assert [record.getMessage() for record in caplog.records] == [
        "the process that follows the registry has ended; it is started again"
    ]


@pytest.mark.parametrize("beats", [True, False])
def test_a_follower_that_gives_no_sign_of_life_is_started_again(
    supervising, follower, monkeypatch, caplog, beats
):
    monkeypatch.setattr(supervisor, "SILENCE", 1.0)
    monkeypatch.setattr(supervisor, "SHORT_LIFE", 0.0)
    if beats:
        monkeypatch.setenv("BEAT", "1")
    supervising.keep_alive()
    follower.wait_for("started", 1)
    ends = time.monotonic() + 1.5
    while time.monotonic() < ends:
        supervising.keep_alive()
        time.sleep(0.05)
    if beats:
        assert (len(follower.notes("started")), caplog.messages) == (1, [])
    else:
        follower.wait_for("started", 2)
        assert "the process that follows the registry hangs; it is ended" in caplog.messages


def test_sighup_is_passed_on(supervising, follower):
    supervising.keep_alive()
    (pid,) = follower.wait_for("started", 1)
    supervising.ask()
    assert follower.wait_for("asked", 1) == [pid]


def test_a_follower_is_stopped_and_there_may_be_none(supervising, follower):
    supervising.stop()
    supervising.ask()
    supervising.keep_alive()
    (pid,) = follower.wait_for("started", 1)
    supervising.stop()
    eventually(lambda: is_gone(pid), within=10)
    supervising.stop()
    supervising.ask()


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


def starts(supervising: Supervisor, clock: Clock, seconds: int) -> list[float]:
    """Look each second, as gunicorn's master does; gives when a new process was started."""
    found: list[float] = []
    process = supervising._process
    for _ in range(seconds):
        supervising.keep_alive()
        if supervising._process is not process and supervising._process is not None:
            process = supervising._process
            process.wait(10)
            found.append(clock.now)
        clock.now += 1
    return found


def test_a_follower_that_ends_at_once_is_started_later_and_later(supervising, clock, monkeypatch):
    monkeypatch.setattr(supervisor, "COMMAND", ["/bin/true"])
    found = starts(supervising, clock, 120)
    pauses = [later - earlier for earlier, later in pairwise(found)]
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE]


def test_one_that_lived_for_a_while_is_started_again_at_once(supervising, clock, monkeypatch):
    monkeypatch.setattr(supervisor, "COMMAND", ["/bin/true"])
    assert starts(supervising, clock, 4) == [1000, 1001, 1003]
    clock.now += SHORT_LIFE
    assert starts(supervising, clock, 1) == [clock.now - 1]
    assert starts(supervising, clock, 4) == [clock.now - 4, clock.now - 2], "from the beginning"


def test_gunicorns_master_outlives_what_it_cannot_start(caplog):
    """No process, no file: it tries again in a second."""

    def fail() -> None:
        raise OSError("Resource temporarily unavailable")

    server = SimpleNamespace(manage_workers=fail)
    attach(server, SimpleNamespace(keep_alive=fail, ask=None))
    server.manage_workers()
    assert [m.split(":")[0] for m in caplog.messages] == [
        "the process that follows the registry cannot be looked after",
        "the workers cannot be looked after",
    ]


def test_gunicorns_master_looks_after_it_and_still_after_its_workers():
    done: list[str] = []
    server = SimpleNamespace(manage_workers=lambda: done.append("workers"))
    watched = SimpleNamespace(
        keep_alive=lambda: done.append("follower"), ask=lambda: done.append("asked")
    )
    attach(server, watched)
    server.manage_workers()
    server.handle_hup()
    assert done == ["follower", "workers", "asked"]
