"""Rollback on a real store with three versions: which one is gone back to, and why not another."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import PipelineError
from pipeline.promotion.rollback import roll_back
from pipeline.promotion.transitions import move
from pipeline.registry.ledger_store import LedgerStore
from pipeline.tracking.store import open_tracking
from tests.pipeline.registered import NAME


@pytest.fixture
def back(project):
    """Go back to a version, or to the latest that may; return the number of the one found."""

    def one(wanted=None):
        with open_tracking(NAME) as tracking:
            entry, _ = roll_back(LedgerStore(tracking, NAME), wanted, "", datetime.now(UTC))
            return entry.target

    return one


@pytest.fixture
def refusal(back):
    def of(wanted=None):
        with pytest.raises(PipelineError) as raised:
            back(wanted)
        return str(raised.value)

    return of


def test_second_rollback_goes_further_back(promoted, back, stages):
    assert [back(), back("1")] == ["3", "1"]
    assert stages() == {"production": "1"}


def test_third_rollback_does_not_go_forward(promoted, back, refusal, stages):
    assert [back(), back()] == ["3", "1"]
    assert "nothing earlier to go back to (rolled back from: 3, 2); " in refusal()
    assert stages() == {"production": "1"}


def test_version_promoted_again_is_gone_back_to(promoted, back, done):
    assert back() == "3"
    done("promote", "2", "--to", "production")
    done("promote", "1", "--to", "production")
    assert back() == "2"


class Overtaken(LedgerStore):
    """Somebody else writes just before our first entry."""

    def append(self, ledger, **what):
        if self.other:
            other, self.other = self.other, None
            other(LedgerStore(self.tracking, self.name))
        return super().append(ledger, **what)


def test_of_two_rollbacks_at_once_one_is_made(promoted, project, stages):
    asked = datetime.now(UTC) + timedelta(1)  # so that the ledger's order alone tells
    with open_tracking(NAME) as tracking:
        store = Overtaken(tracking, NAME)
        store.other = lambda other: roll_back(other, None, "first", datetime.now(UTC))
        entry, ours = roll_back(store, None, "second", asked)
        assert (entry.target, entry.reason, ours) == ("3", "first", False)
    assert stages() == {"production": "3"}


def test_rollback_asked_for_before_another_leaves_it(promoted, project, stages):
    asked = datetime.now(UTC)
    with open_tracking(NAME) as tracking:
        store = LedgerStore(tracking, NAME)
        assert roll_back(store, None, "first", asked)[1]
        assert not roll_back(store, None, "second", asked)[1]
    assert stages() == {"production": "3"}


def test_rollback_during_a_promotion_goes_back_from_nothing(promoted, project, stages):
    asked = datetime.now(UTC) + timedelta(1)
    with open_tracking(NAME) as tracking:
        store = Overtaken(tracking, NAME)
        entry = {"command": "promote", "outcome": "moved", "target": "1"}
        store.other = lambda other: move(other, "production", lambda _: entry)
        with pytest.raises(PipelineError, match="moved it meanwhile by `promote`"):
            roll_back(store, None, "", asked)
    assert stages() == {"production": "1"}


def test_only_what_stood_in_production_is_gone_back_to(done, refusal, stages):
    done("promote", "1", "--to", "production")
    for version in ("2", "7"):
        assert f"version {version} has not stood in production" in refusal(version)
    assert "version 1 is in production" in refusal("1")
    assert "has nothing earlier to go back to;" in refusal()
    assert stages() == {"production": "1"}


def test_forced_version_is_passed_over(project, done, back):
    params = project.folder / "params.yaml"
    done("promote", "1", "--to", "production")
    good = params.read_text()
    params.write_text(good.replace("max_brier: 0.20", "max_brier: 0.01"))
    done("promote", "3", "--to", "production", "--force", "--reason", "in a hurry")
    params.write_text(good)
    done("promote", "2", "--to", "production")
    assert back() == "1"


def test_damaged_version_is_passed_over(promoted, back, refusal, stages, files_of):
    (files_of("3") / "model.onnx").write_bytes(b"")
    model = files_of("1") / "model.onnx"
    whole = model.read_bytes()
    model.write_bytes(b"")
    why_not = refusal()
    assert "no version can be gone back to; version 3: model.onnx has the sha256" in why_not
    assert "; version 1: " in why_not
    assert stages() == {"production": "2"}
    model.write_bytes(whole)
    assert back() == "1"


def test_deleted_version_is_passed_over(promoted, back, refusal, client):
    client.delete_model_version(NAME, "2")
    client.delete_model_version(NAME, "3")
    assert "version 3: it is no longer in the registry" in refusal("3")
    assert back() == "1"


def test_version_judged_worse_since_is_gone_back_to(
    project, run, done, back, stages, synced, client, monkeypatch
):
    """That receipt is of another question; the one that it stood with is named again."""
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "a key that both ends share")
    params = project.folder / "params.yaml"
    good = params.read_text()
    done("promote", "1", "--to", "production")
    passed = client.get_model_version(NAME, "1").tags
    done("promote", "2", "--to", "production")
    params.write_text(good.replace("max_brier: 0.20", "max_brier: 0.01"))
    assert run("promote", "1", "--to", "production").code == 1
    assert client.get_model_version(NAME, "1").tags["gates"] == "failed"
    assert back() == "1"
    assert stages() == {"production": "1"}
    assert client.get_model_version(NAME, "1").tags == passed
    assert synced().good


def test_version_signed_by_another_key_is_refused(done, refusal, stages, monkeypatch):
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "the key of those days")
    for version in "12":
        done("promote", version, "--to", "production")
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "the key of these days")
    assert "its signature was not made with" in refusal()
    assert stages() == {"production": "2"}
