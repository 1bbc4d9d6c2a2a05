"""`python -m pipeline promote` on a real store, with real models."""

import pytest

from serving.store.sync_status import Kind
from tests.pipeline.registered import NAME


def strict(project):
    """Let a gate refuse everything."""
    params = project.folder / "params.yaml"
    params.write_text(params.read_text().replace("max_brier: 0.20", "max_brier: 0.01"))


def test_promoted_version_is_taken_by_the_service(done, stages, synced):
    said = done("promote", "1", "--to", "production", "--reason", "the first")
    assert "✓ min_roc_auc: lower end of the ROC AUC" in said
    assert f"version 1 of {NAME} is in production, which was empty" in said
    assert stages() == {"production": "1"}
    assert synced().kind is Kind.UPDATED


def test_it_is_compared_with_production_on_the_same_rows(done, stages):
    done("promote", "1", "--to", "production")
    said = done("promote", "tall-reef", "--to", "production")
    assert "against version 1 in production, on the same rows, is within a loss of 0.2" in said
    assert "✓ contract: requests that version 1 in production takes still work" in said
    assert "which was version 1" in said
    assert stages() == {"production": "2"}


def test_gate_refuses_with_one_sentence_and_an_entry(project, run, stages, as_json):
    strict(project)
    refused = run("promote", "1", "--to", "production", "--reason", "please")
    assert refused.code == 1
    assert "✗ max_brier: Brier score" in refused.out
    assert refused.err == (
        f"promote failed: version 1 of {NAME} is not put in production: max_brier not passed; "
        "--force with a --reason puts it there all the same, and marks it as forced\n"
    )
    assert stages() == {}
    (line,) = as_json("history")["lines"]
    assert (line["what"], line["to"], line["reason"]) == ("promote refused", "1", "please")


def test_staging_takes_what_a_gate_refuses(project, done, stages):
    strict(project)
    assert "✗ max_brier" in done("promote", "1", "--to", "staging")
    assert stages() == {"staging": "1"}


def test_force_needs_a_reason_and_a_lenient_service(project, run, done, stages, synced, as_json):
    strict(project)
    assert run("promote", "1", "--to", "production", "--force").code == 2
    assert run("promote", "1", "--to", "production", "--force", "--reason", " ").code == 2
    said = done("promote", "1", "--to", "production", "--force", "--reason", "the old form is gone")
    assert "is in production, forced past its gates" in said
    assert stages() == {"production": "1"}
    refused = synced()
    assert refused.kind is Kind.REFUSED
    assert "forced it past its gates: the old form is gone" in refused.detail
    assert synced(allow_forced=True).kind is Kind.UPDATED
    (line,) = as_json("history")["lines"]
    assert line["what"] == "promote (forced)"


def test_who_passes_is_not_marked_as_forced(done, synced):
    said = done("promote", "1", "--to", "production", "--force", "--reason", "to be sure")
    assert "forced" not in said
    assert synced().kind is Kind.UPDATED


def test_dry_run_shows_the_gates_and_changes_nothing(project, done, client, stages, as_json):
    before = client.get_model_version(NAME, "1").tags
    assert "version 1 would be put in production" in done(
        "promote", "1", "--to", "production", "--dry-run"
    )
    strict(project)
    assert "version 1 would not be put in production; nothing was changed" in done(
        "promote", "1", "--to", "production", "--dry-run"
    )
    assert client.get_model_version(NAME, "1").tags == before
    assert stages() == {}
    assert as_json("history")["lines"] == []


def test_version_that_stands_there_already_is_left(done, as_json):
    done("promote", "1", "--to", "production")
    assert "version 1 is in production already; its gates pass" in done(
        "promote", "1", "--to", "production"
    )
    assert len(as_json("history")["lines"]) == 1


def test_test_rows_may_come_from_dvc_s_cache(done):
    assert "version 3 of" in done("promote", "3", "--to", "production")


def test_version_without_its_test_rows_is_not_judged(project, run, stages):
    (project.folder / "data/test.csv").unlink()
    refused = run("promote", "1", "--to", "production")
    assert refused.code == 1
    assert "neither in data/test.csv nor in DVC's cache" in refused.err
    assert stages() == {}


def test_version_with_changed_files_is_put_in_no_stage(run, stages, files_of):
    model = files_of("1") / "model.onnx"
    model.write_bytes(model.read_bytes().replace(b"csv-to-production", b"CSV-TO-PRODUCTION"))
    refused = run("promote", "1", "--to", "staging")
    assert refused.code == 1
    assert "is not whole: model.onnx has the sha256" in refused.err
    assert stages() == {}


@pytest.mark.parametrize("reference", ["9", "nowhere", "abcd1234"])
def test_what_is_no_version_is_refused(run, reference):
    refused = run("promote", reference, "--to", "production")
    assert refused.code == 1
    assert f"'{reference}' is no version, stage, finished run or experiment" in refused.err


def test_with_a_key_what_is_promoted_is_signed(project, done, synced, monkeypatch):
    done("promote", "1", "--to", "production")
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "a key that both ends share")
    assert synced().kind is Kind.REFUSED
    done("promote", "1", "--to", "production")
    assert synced().kind is Kind.UPDATED
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "another key, as long as it")
    assert synced().kind is Kind.REFUSED
