"""Registering: what is told, and what a damaged version and a person's decision lead to."""

from datetime import UTC, datetime

import pytest

from pipeline import params_file as settings
from pipeline.promotion.automatic import Placed
from pipeline.registry.ledger import Entry
from pipeline.stages.register import report
from serving.receipts.receipt import Gate
from tests.conftest import Project
from tests.e2e.conftest import NAME, open_store


def moved(stage: str, source: str, target: str) -> Entry:
    return Entry(
        number=1,
        time=datetime.now(UTC),
        actor="ann",
        command="register",
        stage=stage,
        outcome="moved",
        source=source,
        target=target,
    )


@pytest.mark.parametrize("why_not", ["", "a gate does not hold"])
def test_the_report_says_where_the_version_stands_and_why(trained: Project, why_not: str) -> None:
    metrics = {"roc_auc": 0.85, "roc_auc_low": 0.8, "roc_auc_high": 0.9, "brier": 0.1, "rows": 154}
    passed = not why_not
    text = report(
        settings.load(trained.path / "params.yaml"),
        metrics,
        "3",
        True,
        Placed(
            (Gate("max_brier", passed, "it is so"),),
            ["staging"],
            (moved("staging", "2", "3"),),
            {"production": why_not} if why_not else {},
        ),
    )
    assert "version 3 of pima-diabetes is new, in stage staging" in text
    assert f"{'✓' if passed else '✗'} max_brier: it is so" in text
    assert "\nstaging: 2 → 3\n" in text
    end = f"not promoted: {why_not}" if why_not else "in production"
    assert f"\n{end}: ROC AUC 0.8500" in text
    assert "(95% interval 0.8000 to 0.9000)" in text
    assert "on 154 test rows" in text


def test_a_version_that_the_registry_does_not_give_back_whole_is_put_in_no_stage(
    finished: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(finished.store)
    for stage in ("staging", "production"):
        store.client.delete_registered_model_alias(NAME, stage)
    (model,) = (finished.path / "mlruns").rglob("model.onnx")
    # Another producer's name: it still loads and answers alike, and is another file.
    model.write_bytes(model.read_bytes().replace(b"csv-to-production", b"CSV-TO-PRODUCTION"))
    assert finished.run_stage("register") == 1
    said = capsys.readouterr().err
    assert "is not put in stage staging: the registry does not give it back whole" in said
    assert "has the sha256" in said
    assert "Traceback" not in said
    assert store.versions() == {"1": set()}
