"""The same commands on the team's set-up: an MLflow server on PostgreSQL, with its artifacts."""

import shutil
from datetime import datetime

import pytest

from pipeline.tracking.store import open_tracking
from serving.store.sync_status import Kind
from tests.conftest import ROOT
from tests.pipeline.registered import NAME, Registered

KEY = "a key that both ends share"


@pytest.fixture
def project(tracking_server, tmp_path, pima, pima_smooth, monkeypatch):
    """Two versions on the server, none in a stage."""
    monkeypatch.delenv("REGISTRY_SIGNING_KEY", raising=False)
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    shutil.copyfile(pima.test, folder / "data/test.csv")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    made = Registered(folder, {}, tracking_server)
    with made.entered():
        with open_tracking(NAME) as tracking:
            for old in tracking.client.search_registered_models(f"name = '{NAME}'"):
                tracking.client.delete_registered_model(old.name)
        assert made.add(pima, "repro one") == "1"
        assert made.add(pima_smooth, "tall-reef") == "2"
        yield made


def test_from_promotion_to_rollback(
    project, run, done, as_json, stages, synced, client, monkeypatch
):
    params = project.folder / "params.yaml"
    good = params.read_text()
    # promoted, and taken by the service
    done("promote", "1", "--to", "production", "--reason", "the first")
    assert synced().kind is Kind.UPDATED

    # refused, forced, and taken only by a service that allows it
    params.write_text(good.replace("max_brier: 0.20", "max_brier: 0.01"))
    assert run("promote", "2", "--to", "production").code == 1
    assert stages() == {"production": "1"}
    done("promote", "2", "--to", "production", "--force", "--reason", "in a hurry")
    assert synced().kind is Kind.REFUSED
    assert synced(allow_forced=True).kind is Kind.UPDATED

    # rolled back
    done("rollback", "--reason", "too many alarms")
    assert stages() == {"production": "1"}
    assert "version 1 (production)" in synced().detail

    # changed outside, found and written down
    client.set_registered_model_alias(NAME, "production", "2")
    assert "changed outside" in done("history").splitlines()[-1]
    assert run("doctor").code == 1
    assert run("doctor", "--fix").code == 0
    lines = as_json("history", "--stage", "production")["lines"]
    assert [(line["what"], line.get("from"), line["to"]) for line in lines] == [
        ("promote", None, "1"),
        ("promote refused", "1", "2"),
        ("promote (forced)", "1", "2"),
        ("rollback", "2", "1"),
        ("changed outside", "1", "2"),
    ]
    at = datetime.fromisoformat(lines[2]["time"]).isoformat()
    assert [s["version"] for s in as_json("history", "--at", at)] == [None, "2"]

    # signed: only by then a service with the key takes it
    params.write_text(good)
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", KEY)
    assert "it is not signed" in synced().detail
    done("promote", "1", "--to", "production")
    assert synced().good


def test_production_moves_only_if_somebody_means_it(project, run, done, as_json, stages, synced):
    params = project.folder / "params.yaml"
    loose = params.read_text().replace("max_roc_auc_drop: 0.05", "max_roc_auc_drop: 0.2")
    params.write_text(loose)
    project.come_out("1", new=True)
    assert project.come_out("2", "tall-reef", new=True).stages == []
    assert synced().kind is Kind.UPDATED
    assert project.come_out("2", new=True).stages == ["staging", "production"]
    assert project.come_out("1").why_not["production"].startswith("version 2 came later (")
    assert "version 2 (production)" in synced().detail

    done("rollback")
    assert run("rollback").code == 1
    assert "back from version 2 on" in project.come_out("2").why_not["production"]
    assert stages() == {"production": "1", "staging": "2"}
    assert "version 1 (production)" in synced().detail
    history = as_json("history", "--stage", "production")
    assert history["faults"] == []
    assert [(line["what"], line.get("from"), line["to"]) for line in history["lines"]] == [
        ("dvc repro", None, "1"),
        ("dvc repro", "1", "2"),
        ("rollback", "2", "1"),
    ]


def test_what_was_changed_on_the_server_is_found(project, run, as_json, synced, client):
    run("promote", "1", "--to", "production")
    client.set_model_version_tag(NAME, "1", "digest", "0" * 64)
    faults = [each["sentence"] for each in as_json("doctor") if each["severity"] == "fault"]
    assert any("version 1 is not whole: model.onnx has the sha256" in said for said in faults)
    assert any("version 1: its receipt is of another model" in said for said in faults)
    assert synced().kind is Kind.REFUSED
