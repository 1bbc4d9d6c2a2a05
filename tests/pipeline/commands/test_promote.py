"""`python -m pipeline promote` on a real store, with real models."""

import dataclasses
from itertools import count
from pathlib import Path

import pandas as pd
import pytest

from pipeline import params_file as settings
from pipeline.params_file import load
from pipeline.promotion.automatic import place
from pipeline.promotion.by_hand import challenger_of, promote
from pipeline.promotion.challenger import Challenger
from pipeline.promotion.transitions import move, reconcile
from pipeline.registry import stages, versions
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.references import find_version
from pipeline.tracking.store import open_tracking
from serving.model.scorer import Scorer
from serving.store.sync_status import Kind
from tests.pipeline.dying import Dying, KilledError
from tests.pipeline.registered import NAME


def strict(project):
    """Let a gate refuse everything."""
    params = project.folder / "params.yaml"
    params.write_text(params.read_text().replace("max_brier: 0.20", "max_brier: 0.01"))


def test_a_version_is_promoted_by_its_gates_and_the_service_takes_it(done, stages, synced):
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


def test_a_gate_refuses_with_one_sentence_and_it_is_in_the_ledger(project, run, stages, as_json):
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


def test_who_forces_gives_a_reason_and_only_a_service_that_allows_it_takes_it(
    project, run, done, stages, synced, as_json
):
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


def test_a_dry_run_shows_the_gates_and_changes_nothing(project, done, client, stages, as_json):
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


def test_a_version_that_stands_there_already_is_left(done, as_json):
    done("promote", "1", "--to", "production")
    assert "version 1 is in production already; its gates pass" in done(
        "promote", "1", "--to", "production"
    )
    assert len(as_json("history")["lines"]) == 1


def test_the_test_rows_may_come_from_dvc_s_cache(done):
    assert "version 3 of" in done("promote", "3", "--to", "production")


def test_without_its_test_rows_a_version_is_not_judged(project, run, stages):
    (project.folder / "data/test.csv").unlink()
    refused = run("promote", "1", "--to", "production")
    assert refused.code == 1
    assert "neither in data/test.csv nor in DVC's cache" in refused.err
    assert stages() == {}


def test_a_version_whose_files_were_changed_is_not_put_in_a_stage(run, stages, files_of):
    model = files_of("1") / "model.onnx"
    model.write_bytes(model.read_bytes().replace(b"csv-to-production", b"CSV-TO-PRODUCTION"))
    refused = run("promote", "1", "--to", "staging")
    assert refused.code == 1
    assert "is not whole: model.onnx has the sha256" in refused.err
    assert stages() == {}


@pytest.mark.parametrize("reference", ["9", "nowhere", "abcd1234"])
def test_what_is_no_version_is_said_to_be_none(run, reference):
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


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_promotion_that_is_killed_at_any_step_is_made_good_by_the_next(
    project, done, stages, synced, as_json, run, after
):
    """From the receipt's upload to the mark in the ledger, before and after each write."""
    done("promote", "1", "--to", "production")
    params = load(project.folder / "params.yaml")
    steps = 0
    for step in count(1):
        version = "23"[step % 2]
        with open_tracking(NAME) as tracking:
            found = find_version(tracking, NAME, version)
            weak = dataclasses.replace(tracking, client=Dying(tracking.client, step, after=after))
            challenger = dataclasses.replace(
                challenger_of(tracking, params, found), tracking=weak, test_digest=f"step {step}"
            )
            try:
                promote(LedgerStore(weak, NAME), challenger, "production", "", force=False)
                break
            except KilledError:
                steps = step
        assert synced().good, "the service has a whole version all the while"
        done("promote", version, "--to", "production")
        assert stages()["production"] == version
        assert synced().good
        assert f"version {version} (production)" in synced().detail
        history = as_json("history")
        assert history["faults"] == []
        assert "changed outside" not in [line["what"] for line in history["lines"]]
    assert steps >= 5, "receipt, its tag, entry, stage, mark"


def test_what_was_forced_does_not_pass_for_standing_in_production_itself(
    project, run, done, synced, client
):
    """Judged anew by other bounds, it is still held against the version whose place it took."""
    params = project.folder / "params.yaml"
    done("promote", "2", "--to", "production")
    params.write_text(params.read_text().replace("max_roc_auc_drop: 0.2", "max_roc_auc_drop: 0"))
    done("promote", "1", "--to", "production", "--force", "--reason", "in a hurry")
    params.write_text(params.read_text().replace("max_brier: 0.20", "max_brier: 0.21"))
    said = done("promote", "1", "--to", "production")
    assert "against version 2 that was in production, on the same rows, is not surely" in said
    assert "not all of its gates pass" in said
    assert "forced it past its gates: in a hurry" in synced().detail
    params.write_text(params.read_text().replace("max_brier: 0.21", "max_brier: 0.22"))
    client.delete_model_version(NAME, "2")
    assert "not all of its gates pass" in done("promote", "1", "--to", "production")
    assert synced().kind is Kind.REFUSED


class Slow(Challenger):
    """Somebody promotes another version by hand while this one is tried."""

    def check_whole(self, stage: str) -> None:
        if stage == "production" and reconcile(self.store, stage).version_in(stage) == "1":
            by_hand = {"command": "promote", "outcome": "moved", "target": "3", "reason": "mine"}
            move(self.store, stage, lambda _: by_hand)

    @property
    def store(self) -> LedgerStore:
        return LedgerStore(self.tracking, self.name)


def test_what_a_person_decides_while_the_gates_are_judged_is_not_undone(
    project,
):
    with open_tracking(NAME) as tracking:
        stages.set_stage(tracking, NAME, "production", "1")
        params = settings.load(Path("params.yaml"))
        found = challenger_of(tracking, params, find_version(tracking, NAME, "2"))
        placed = place(Slow(**vars(found)), promote=True)
        assert stages.number_at(tracking, NAME, "production") == "3"
    assert placed.stages == ["staging"]
    assert "decided for version 3" in placed.why_not


def test_other_bytes_of_the_same_run_take_nothing_from_its_version(project, done, pima_resplit):
    """Two machines share a registry: the same fingerprint need not give them the same bytes."""
    scorer = Scorer.load(pima_resplit.model)
    row = pd.DataFrame([scorer.contract.example()], dtype="float64")
    candidate = versions.TrainedModel(pima_resplit.model, scorer, row)
    with open_tracking(NAME) as tracking:
        tracking.client.delete_model_version(NAME, "3")
        versions.ensure_version(tracking, NAME, candidate, project.runs["1"], {})
    assert "version 1 of" in done("promote", "1", "--to", "production")


@pytest.fixture
def again(project):
    """Let a version come out of `dvc repro` once more; give where it stands, and why not."""

    def one(version):
        params = load(project.folder / "params.yaml")
        with open_tracking(NAME) as tracking:
            found = find_version(tracking, NAME, version)
            return place(challenger_of(tracking, params, found), promote=True)

    return one


def test_what_a_person_decided_is_not_undone_by_the_next_repro(again, done, stages):
    for version in "12":
        assert again(version).why_not == ""
    done("rollback", "--reason", "wrong at night")
    placed = again("2")
    assert placed.stages == ["staging"]
    assert "decided for version 1" in placed.why_not
    assert "by `rollback` (wrong at night)" in placed.why_not
    assert "`python -m pipeline promote 2 --to production` decides anew" in placed.why_not
    assert stages() == {"production": "1", "staging": "2"}


def test_a_stage_that_was_moved_by_hand_is_put_back_by_the_next_repro_and_told(
    again, client, done, stages
):
    for version in "12":
        again(version)
    client.set_registered_model_alias(NAME, "production", "1")
    assert again("2").why_not == ""
    assert stages() == {"production": "2", "staging": "2"}
    assert "changed outside" in done("history", "--stage", "production")
