"""`python -m pipeline rollback` and `history` on a real store, with real models."""

from datetime import UTC, datetime, timedelta

import pytest

from serving.store.sync_status import Kind
from tests.pipeline.registered import NAME


@pytest.fixture
def promoted(done):
    """Versions 1, then 3, then 2 in production."""
    for version in "132":
        done("promote", version, "--to", "production", "--reason", f"it is {version}")


def test_production_goes_back_to_the_version_before_and_the_service_follows(
    promoted, done, stages, synced
):
    assert synced().kind is Kind.UPDATED
    said = done("rollback", "--reason", "too many alarms")
    assert said == f"version 3 of {NAME} is in production again, which was version 2\n"
    assert stages() == {"production": "3"}
    assert "version 3 (production)" in synced().detail


def test_a_second_rollback_goes_further_back_than_to_what_was_left(promoted, done, stages):
    done("rollback")
    done("rollback", "--to", "1")
    assert stages() == {"production": "1"}


def test_a_version_that_was_never_there_is_not_gone_back_to(done, run, stages):
    done("promote", "1", "--to", "production")
    for version in ("2", "7"):
        refused = run("rollback", "--to", version)
        assert refused.code == 1
        assert f"version {version} has not stood in production" in refused.err
    assert "version 1 is in production" in run("rollback", "--to", "1").err
    assert "no other version of" in run("rollback").err
    assert stages() == {"production": "1"}


def test_what_was_forced_is_passed_over(project, done, stages):
    params = project.folder / "params.yaml"
    done("promote", "1", "--to", "production")
    good = params.read_text()
    params.write_text(good.replace("max_brier: 0.20", "max_brier: 0.01"))
    done("promote", "3", "--to", "production", "--force", "--reason", "in a hurry")
    params.write_text(good)
    done("promote", "2", "--to", "production")
    done("rollback")
    assert stages() == {"production": "1"}


def test_what_is_no_longer_whole_is_passed_over(promoted, done, stages, files_of):
    (files_of("3") / "model.onnx").write_bytes(b"")
    done("rollback")
    assert stages() == {"production": "1"}


def test_what_was_deleted_is_passed_over(promoted, done, run, stages, client):
    client.delete_model_version(NAME, "2")
    client.delete_model_version(NAME, "3")
    assert "version 3: it is no longer in the registry" in run("rollback", "--to", "3").err
    done("rollback")
    assert stages() == {"production": "1"}


def test_where_none_is_whole_each_reason_is_said(promoted, run, stages, files_of):
    for version in "13":
        (files_of(version) / "model.onnx").write_bytes(b"")
    refused = run("rollback")
    assert refused.code == 1
    assert "no version can be gone back to; version 3: model.onnx has the sha256" in refused.err
    assert "; version 1: " in refused.err
    assert stages() == {"production": "2"}


def test_the_history_says_who_moved_what_when_and_why(promoted, done, as_json, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    done("rollback", "--reason", "too many alarms")
    lines = as_json("history")["lines"]
    assert [(line.get("from"), line["to"]) for line in lines] == [
        (None, "1"),
        ("1", "3"),
        ("3", "2"),
        ("2", "3"),
    ]
    assert lines[-1]["actor"] == "ann"
    assert lines[-1]["reason"] == "too many alarms"
    assert lines[1]["reason"] == "it is 3"
    assert {gate["gate"] for gate in lines[1]["gates"]} >= {"max_brier", "max_roc_auc_drop"}
    said = done("history")
    assert "production  2 → 3     rollback          ann; too many alarms; all 10 gates" in said
    assert "    ✓ max_brier: Brier score" in done("history", "--gates")


def test_a_reason_is_one_line_whatever_is_in_it(done, as_json):
    forged = 'he said "no"\n2026-03-01 09:30:00 production  1 → 9     \x1b[31mboss  \udcff 😀'
    done("promote", "1", "--to", "production", "--reason", forged)
    assert len(done("history").splitlines()) == 1
    (line,) = as_json("history")["lines"]
    assert line["reason"] == ('he said "no" 2026-03-01 09:30:00 production 1 → 9 [31mboss 😀')


def test_the_history_at_a_time_says_where_the_stages_stood(promoted, as_json, done, run):
    times = [datetime.fromisoformat(line["time"]) for line in as_json("history")["lines"]]
    for time, version in zip(times, "132", strict=True):
        (staging, production) = as_json("history", "--at", time.isoformat())
        assert (production["stage"], production["version"]) == ("production", version)
        assert (staging["stage"], staging["version"]) == ("staging", None)
    before = (times[0] - timedelta(seconds=1)).astimezone(UTC).replace(tzinfo=None)
    assert "production  no version" in done("history", "--at", before.isoformat())
    refused = run("history", "--at", "yesterday")
    assert refused.code == 1
    assert "'yesterday' is no time" in refused.err


def test_a_stage_that_was_moved_by_hand_is_shown_as_changed_outside(promoted, done, client):
    client.set_registered_model_alias(NAME, "production", "1")
    last = done("history", "--stage", "production").splitlines()[-1]
    assert last.split() == [
        "now",
        "production",
        "2",
        "→",
        "1",
        "changed",
        "outside",
        "found",
        "now",
    ]
    done("rollback", "--to", "3")
    said = done("history").splitlines()
    assert "2 → 1     changed outside" in said[-2]
    assert "1 → 3     rollback" in said[-1]


def test_a_stage_of_another_name_has_a_history_as_well(done, client):
    assert f"no stage of {NAME} was ever moved" in done("history")
    client.set_registered_model_alias(NAME, "shadow", "1")
    assert "shadow" in done("history", "--stage", "shadow")


def test_what_was_judged_worse_than_its_successor_can_still_be_gone_back_to(
    project, run, done, stages, synced, client, monkeypatch
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
    done("rollback", "--reason", "at night")
    assert stages() == {"production": "1"}
    assert client.get_model_version(NAME, "1").tags == passed
    assert synced().good


def test_a_receipt_that_another_key_signed_is_not_gone_back_to(done, run, stages, monkeypatch):
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "the key of those days")
    for version in "12":
        done("promote", version, "--to", "production")
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "the key of these days")
    refused = run("rollback")
    assert refused.code == 1
    assert "its signature was not made with" in refused.err
    assert stages() == {"production": "2"}
