"""`python -m pipeline rollback` and `history` on a real store, with real models."""

from datetime import UTC, datetime, timedelta

from serving.store.sync_status import Kind
from tests.pipeline.registered import NAME


def test_production_goes_back_and_the_service_follows(promoted, done, run, stages, synced):
    assert synced().kind is Kind.UPDATED
    said = done("rollback", "--reason", "too many alarms")
    assert said == f"version 3 of {NAME} is in production again, which was version 2\n"
    assert stages() == {"production": "3"}
    assert "version 3 (production)" in synced().detail
    refused = run("rollback", "--to", "7")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("rollback failed: version 7 has not stood in production")


def test_history_says_who_moved_what_when_and_why(promoted, done, as_json, monkeypatch):
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


def test_reason_is_one_line_whatever_is_in_it(done, as_json):
    forged = 'he said "no"\n2026-03-01 09:30:00 production  1 → 9     \x1b[31mboss  \udcff 😀'
    done("promote", "1", "--to", "production", "--reason", forged)
    assert len(done("history").splitlines()) == 1
    (line,) = as_json("history")["lines"]
    assert line["reason"] == ('he said "no" 2026-03-01 09:30:00 production 1 → 9 [31mboss 😀')


def test_history_at_a_time(promoted, as_json, done, run):
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


def test_stage_moved_by_hand_is_shown_as_changed_outside(promoted, done, client):
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


def test_stage_of_another_name_has_a_history_as_well(done, client):
    assert f"no stage of {NAME} was ever moved" in done("history")
    client.set_registered_model_alias(NAME, "shadow", "1")
    assert "shadow" in done("history", "--stage", "shadow")
