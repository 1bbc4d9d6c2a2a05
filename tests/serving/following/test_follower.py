"""The process that follows the registry: what it says, and when it ends."""

import logging
import subprocess
import sys
import time

import pytest

from serving.following import follower as module
from serving.following.follower import Follower
from serving.store import sync_status
from tests.conftest import ROOT

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
"""
CHILD = """
import os, sys, time
from serving.following.follower import end_with
end_with(os.getppid())
os.write(1, b"ready\\n")
os.dup2(2, 1)
time.sleep(60)
"""


def test_it_ends_with_the_process_that_started_it():
    started = time.monotonic()
    # Done when stderr is closed, which the child holds for as long as it lives.
    subprocess.run(
        [sys.executable, "-c", PARENT, CHILD],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        check=True,
        timeout=20,
    )
    assert time.monotonic() - started < 10


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "serving")

    def take() -> list[tuple[str, str]]:
        found = [(record.levelname, record.getMessage()) for record in caplog.records]
        caplog.clear()
        return found

    return take


def test_an_outcome_is_said_when_it_is_another_than_before(
    registry, make_model, settings, tmp_path, said
):
    follower = Follower(settings, registry.uri)

    def step() -> list[tuple[str, str]]:
        follower._step(retry=False)
        return said()

    ((level, text),) = step()
    assert (level, text.split(" of ")[0]) == ("WARNING", "No version")
    assert step() == []
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    now = "heart version 1 (production) was downloaded and is now in force."
    assert step() == [("INFO", now)]
    assert step() == []
    registry.register(tmp_path / "made", "0" * 64)
    ((level, text),) = step()
    assert (level, text.split(":")[0]) == ("WARNING", "heart version 2 (production) is refused")
    assert step() == []
    registry.client().set_registered_model_alias("heart", "production", "1")
    assert step() == [("INFO", "heart version 1 (production) is in force already.")]
    assert step() == []


def test_at_the_start_it_is_said_what_is_in_force(registry, make_model, settings, tmp_path, said):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    Follower(settings, registry.uri)._step(retry=False)
    said()
    Follower(settings, registry.uri)._step(retry=False)
    assert said() == [("INFO", "heart version 1 (production) is in force already.")]


def test_a_sync_that_takes_too_long_is_overdue_and_that_is_noted(stored, settings, registry, said):
    sync_status.write(settings.store, sync_status.Status("unchanged", "", 1.0, 1.0, stored))
    follower = Follower(settings, registry.uri)
    assert not follower.is_overdue
    follower._due = time.monotonic() - 0.01
    assert follower.is_overdue
    follower.give_up()
    found = sync_status.read(settings.store)
    assert (found.outcome, found.good, found.reached_at) == ("overdue", False, 1.0)
    assert "did not end within 90 seconds" in found.detail
    assert found.desired == stored, "what the registry said last"
    assert said() == [("ERROR", found.detail)]


def test_a_failure_that_nobody_foresaw_is_noted(settings, registry, said, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(module, "sync", fail)
    Follower(settings, registry.uri)._step(retry=False)
    found = sync_status.read(settings.store)
    assert (found.outcome, found.good) == ("failed", False)
    assert "RuntimeError" in found.detail
    assert "secret" not in found.detail
