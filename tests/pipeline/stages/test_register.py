"""Registering: what is told, and what a damaged version and a person's decision lead to."""

import shutil
from datetime import UTC, datetime

import pandas as pd
import pytest

from pipeline import params_file as settings
from pipeline.promotion.automatic import Placed
from pipeline.registry.ledger import Entry
from pipeline.registry.split_tag import SPLIT_TAG, read_split_tag
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
    finished: Project,
) -> None:
    store = open_store(finished.store)
    for stage in ("staging", "production"):
        store.client.delete_registered_model_alias(NAME, stage)
    (model,) = (finished.path / "mlruns").rglob("model.onnx")
    # Another producer's name: it still loads and answers alike, and is another file.
    model.write_bytes(model.read_bytes().replace(b"csv-to-production", b"CSV-TO-PRODUCTION"))
    done = finished.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "is not put in stage staging: the registry does not give it back whole" in done.stderr
    assert "has the sha256" in done.stderr
    assert "Traceback" not in done.stderr
    assert store.versions() == {"1": set()}


def test_an_experiment_is_judged_and_moves_no_stage(finished: Project) -> None:
    params = finished.path / "params.yaml"
    params.write_text(params.read_text().replace("min_roc_auc: 0.70", "min_roc_auc: 0.99"))
    (champion,) = {path.parent for path in (finished.path / "mlruns").rglob("model.onnx")}
    shutil.rmtree(champion)
    command = ("dvc", "exp", "run", "--name", "here", "-S", "grid_search.grid_size=2")
    output = finished.run(*command).stdout
    assert "✗ min_roc_auc: " in output
    assert "✗ max_roc_auc_drop: cannot be compared with version 1 in production: " in output
    store = open_store(finished.store)
    assert "here" in {run.info.run_name for run in store.results()}
    assert store.versions() == {"1": {"staging", "production"}, "2": set()}
    assert "not promoted: an experiment moves no stage; `python -m pipeline promote 2" in output
    verdicts = [store.client.get_model_version(NAME, number).tags["gates"] for number in "12"]
    assert verdicts == ["passed", "failed"]


def test_a_challenger_of_another_seed_is_compared_on_rows_of_both_tests(finished: Project) -> None:
    test = finished.path / "data/test.csv"
    before = pd.read_csv(test)
    output = finished.run(
        "dvc", "exp", "run", "-S", "seed=7", "-S", "grid_search.grid_size=2"
    ).stdout
    after = pd.read_csv(test)
    both = len(after.merge(before))
    assert f"on the {both} of {len(after)} test rows that neither was trained on" in output
    client = open_store(finished.store).client
    tags = [client.get_model_version(NAME, number).tags[SPLIT_TAG] for number in "12"]
    rules = [read_split_tag(tag) for tag in tags]
    assert [rule and rule.seed for rule in rules] == [42, 7]
