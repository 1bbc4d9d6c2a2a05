"""Promotion by hand, on a real store with three versions: killed, forced, judged anew."""

import dataclasses
from itertools import count

import pandas as pd

from pipeline.params_file import load
from pipeline.promotion.by_hand import challenger_of, promote
from pipeline.registry import versions
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.references import find_version
from pipeline.tracking.store import open_tracking
from serving.model.scorer import Scorer
from serving.store.sync_status import Kind
from tests.pipeline.dying import Dying, KilledError
from tests.pipeline.registered import NAME


def test_killed_promotion_is_made_good_by_the_next(project, done, stages, synced, as_json):
    """From the receipt's upload to the mark in the ledger: killed after each write."""
    done("promote", "1", "--to", "production")
    params = load(project.folder / "params.yaml")
    steps = 0
    for step in count(1):
        version = "23"[step % 2]
        with open_tracking(NAME) as tracking:
            found = find_version(tracking, NAME, version)
            weak = dataclasses.replace(tracking, client=Dying(tracking.client, step, after=True))
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


def test_forced_version_does_not_excuse_itself(project, run, done, synced, client):
    """Judged anew by other bounds, it is still held against the version whose place it took."""
    params = project.folder / "params.yaml"
    done("promote", "1", "--to", "production")
    params.write_text(params.read_text().replace("max_roc_auc_drop: 0.2", "max_roc_auc_drop: 0"))
    done("promote", "2", "--to", "production", "--force", "--reason", "in a hurry")
    params.write_text(params.read_text().replace("max_brier: 0.20", "max_brier: 0.21"))
    said = done("promote", "2", "--to", "production")
    assert "against version 1 that was in production, on the same rows, is not surely" in said
    assert "not all of its gates pass" in said
    assert "forced it past its gates: in a hurry" in synced().detail
    params.write_text(params.read_text().replace("max_brier: 0.21", "max_brier: 0.22"))
    client.delete_model_version(NAME, "1")
    assert "not all of its gates pass" in done("promote", "2", "--to", "production")
    assert synced().kind is Kind.REFUSED


def test_other_bytes_of_the_same_run_change_no_version(project, done, pima_resplit):
    """Two machines share a registry: the same fingerprint need not give them the same bytes."""
    scorer = Scorer.load(pima_resplit.model)
    row = pd.DataFrame([scorer.contract.example()], dtype="float64")
    candidate = versions.TrainedModel(pima_resplit.model, scorer, row)
    with open_tracking(NAME) as tracking:
        tracking.client.delete_model_version(NAME, "3")
        versions.ensure_version(tracking, NAME, candidate, project.runs["1"], {})
    assert "version 1 of" in done("promote", "1", "--to", "production")
