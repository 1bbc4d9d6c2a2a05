"""Promotion by the gates on a real store, beside what a person decides."""

from pathlib import Path

import pytest

from pipeline import params_file as settings
from pipeline.promotion.automatic import place
from pipeline.promotion.by_hand import challenger_of
from pipeline.promotion.challenger import Challenger
from pipeline.promotion.transitions import move, reconcile
from pipeline.registry import stages
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.references import find_version
from pipeline.tracking.store import open_tracking
from tests.pipeline.registered import NAME, contender_of


@pytest.fixture
def again(project):
    return project.come_out


def test_next_repro_does_not_undo_what_a_person_decided(again, done, stages):
    for version in "12":
        assert again(version, new=True).why_not == {}
    done("rollback", "--reason", "wrong at night")
    placed = again("2")
    assert placed.stages == ["staging"]
    why_not = placed.why_not["production"]
    assert "decided for version 1, back from version 2 on " in why_not
    assert "by `rollback` (wrong at night)" in why_not
    assert "`python -m pipeline promote 2 --to production` decides" in why_not
    assert stages() == {"production": "1", "staging": "2"}


def test_next_repro_puts_back_a_stage_moved_by_hand(again, client, done, stages):
    for version in "12":
        again(version, new=True)
    client.set_registered_model_alias(NAME, "production", "1")
    assert again("2", new=True).why_not == {}
    assert stages() == {"production": "2", "staging": "2"}
    assert "changed outside" in done("history", "--stage", "production")


def test_experiment_moves_no_stage_unless_production_is_empty(again, done, stages):
    assert again("1", experiment="first", new=True).stages == ["staging", "production"]
    placed = again("2", experiment="tall-reef", new=True)
    assert (placed.stages, placed.moves) == ([], ())
    assert placed.why_not["production"].startswith("an experiment moves no stage; ")
    assert stages() == {"production": "1", "staging": "1"}
    assert "production  - → 1     experiment        " in done("history")
    assert "; first; all 10 gates passed" in done("history")


def test_moves_are_reported(again):
    again("1", new=True)
    assert [str(entry) for entry in again("2", new=True).moves] == [
        "staging: 1 → 2",
        "production: 1 → 2",
    ]


class Slow(Challenger):
    """Somebody promotes another version by hand while this one is tried."""

    def check_whole(self, stage: str) -> None:
        if stage == "production" and reconcile(self.store, stage).version_in(stage) == "1":
            by_hand = {"command": "promote", "outcome": "moved", "target": "3", "reason": "mine"}
            move(self.store, stage, lambda _: by_hand)

    @property
    def store(self) -> LedgerStore:
        return LedgerStore(self.tracking, self.name)


def test_decision_during_judgement_is_not_undone(project, capsys):
    with open_tracking(NAME) as tracking:
        stages.set_stage(tracking, NAME, "production", "1")
        params = settings.load(Path("params.yaml"))
        found = challenger_of(tracking, params, find_version(tracking, NAME, "2"))
        placed = place(Slow(**vars(found)), contender_of(found), params.register)
        assert stages.number_at(tracking, NAME, "production") == "3"
    assert placed.stages == ["staging"]
    assert "moved meanwhile (" in capsys.readouterr().out
    assert "decided for version 3" in placed.why_not["production"]
