"""The same commands on the team's set-up: an MLflow server on PostgreSQL, with its artifacts."""

import re
import shutil
from datetime import datetime

import pytest

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
        assert made.add(pima, "repro one") == "1"
        assert made.add(pima_smooth, "tall-reef") == "2"
        yield made


@pytest.fixture
def bounds(project):
    """Change a gate's bound in the project's settings."""
    path = project.folder / "params.yaml"

    def change(gate, bound):
        path.write_text(re.sub(rf"({gate}): [0-9.]+", rf"\1: {bound}", path.read_text()))

    return change


def test_production_moves_and_the_service_follows(
    project, run, done, as_json, stages, synced, client, monkeypatch, bounds
):
    # by itself, if it is new and no experiment
    bounds("max_roc_auc_drop", 0.2)
    project.come_out("1", new=True)
    assert project.come_out("2", "tall-reef", new=True).stages == []
    assert synced().kind is Kind.UPDATED
    assert project.come_out("2", new=True).stages == ["staging", "production"]
    assert project.come_out("1").why_not["production"].startswith("version 2 came later (")
    assert "version 2 (production)" in synced().detail

    # rolled back, once
    done("rollback", "--reason", "too many alarms")
    assert run("rollback").code == 1
    assert "back from version 2 on" in project.come_out("2").why_not["production"]
    assert stages() == {"production": "1", "staging": "2"}
    assert "version 1 (production)" in synced().detail

    # refused, forced, and taken only by a service that allows it
    bounds("max_brier", 0.01)
    assert run("promote", "2", "--to", "production").code == 1
    assert stages()["production"] == "1"
    done("promote", "2", "--to", "production", "--force", "--reason", "in a hurry")
    assert synced().kind is Kind.REFUSED
    assert synced(allow_forced=True).kind is Kind.UPDATED

    # changed outside, found and written down
    client.set_registered_model_alias(NAME, "production", "1")
    assert "changed outside" in done("history").splitlines()[-1]
    assert run("doctor").code == 1
    assert run("doctor", "--fix").code == 0
    check_history(as_json)

    # signed: only by then a service with the key takes it
    bounds("max_brier", 0.2)
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", KEY)
    assert "it is not signed" in synced().detail
    done("promote", "1", "--to", "production")
    assert synced().good

    # damaged on the server
    monkeypatch.delenv("REGISTRY_SIGNING_KEY")
    client.set_model_version_tag(NAME, "1", "digest", "0" * 64)
    faults = [each["sentence"] for each in as_json("doctor") if each["severity"] == "fault"]
    assert any("version 1 is not whole: model.onnx has the sha256" in said for said in faults)
    assert any("version 1: its receipt is of another model" in said for said in faults)
    assert synced().kind is Kind.REFUSED


def check_history(as_json):
    history = as_json("history", "--stage", "production")
    assert history["faults"] == []
    lines = history["lines"]
    assert [(line["what"], line.get("from"), line["to"]) for line in lines] == [
        ("dvc repro", None, "1"),
        ("dvc repro", "1", "2"),
        ("rollback", "2", "1"),
        ("promote refused", "1", "2"),
        ("promote (forced)", "1", "2"),
        ("changed outside", "2", "1"),
    ]
    at = datetime.fromisoformat(lines[4]["time"]).isoformat()
    assert [stage["version"] for stage in as_json("history", "--at", at)] == ["2", "2"]
