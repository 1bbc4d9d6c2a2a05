"""Promotion: what is compared with what, and what a damaged version leads to."""

import shutil

import msgspec
import pytest

from pipeline import params as settings
from pipeline.gates import Verdict
from pipeline.stages.register import compare_on, report
from pipeline.table import Table, read_split
from serving.contract import Contract
from serving.scorer import Scorer
from tests.conftest import Project
from tests.e2e.conftest import NAME, open_store


@pytest.fixture(scope="module")
def scorer(trained: Project) -> Scorer:
    return Scorer.load(trained.path / "artifacts/model")


@pytest.fixture(scope="module")
def test_table(trained: Project, scorer: Scorer) -> Table:
    return read_split(trained.path / "data/test.csv", scorer.contract)


def with_contract(table: Table, contract: Contract) -> Table:
    return Table(table.cells, table.X, table.y, contract)


def test_a_model_is_compared_on_its_own_columns(scorer: Scorer, test_table: Table) -> None:
    reversed_contract = msgspec.structs.replace(
        scorer.contract, features=scorer.contract.features[::-1]
    )
    shuffled = Table(test_table.cells, test_table.X[:, ::-1], test_table.y, reversed_contract)
    assert compare_on(scorer, shuffled) == compare_on(scorer, test_table)


def test_a_model_of_another_target_is_not_compared(scorer: Scorer, test_table: Table) -> None:
    other = msgspec.structs.replace(scorer.contract, target="Death")
    assert compare_on(scorer, with_contract(test_table, other)) == "it predicts Outcome 1"


def test_a_model_that_needs_what_is_not_there_is_not_compared(
    scorer: Scorer, test_table: Table
) -> None:
    fewer = msgspec.structs.replace(scorer.contract, features=scorer.contract.features[1:])
    table = Table(test_table.cells, test_table.X[:, 1:], test_table.y, fewer)
    assert compare_on(scorer, table) == "it needs Pregnancies"


@pytest.mark.parametrize(
    ("passed", "stages", "outcome"),
    [
        (True, ["staging", "production"], "in production: ROC AUC 0.8500"),
        (False, ["staging"], "not promoted: a gate does not hold: ROC AUC 0.8500"),
        (
            False,
            ["staging", "production"],
            "not promoted: a gate does not hold (but still in production): ROC AUC 0.8500",
        ),
    ],
)
def test_the_report_says_where_the_version_stands_and_why(
    trained: Project, passed: bool, stages: list[str], outcome: str
) -> None:
    metrics = {"roc_auc": 0.85, "roc_auc_low": 0.8, "roc_auc_high": 0.9, "brier": 0.1, "rows": 154}
    text = report(
        settings.load(trained.path / "params.yaml"),
        metrics,
        "3",
        True,
        [Verdict("min_roc_auc", passed, "it is so")],
        stages,
    )
    assert "version 3 of pima-diabetes is new" in text
    assert f"{'✓' if passed else '✗'} min_roc_auc: it is so" in text
    assert f"\n{outcome}" in text
    assert "(95% interval 0.8000 to 0.9000)" in text
    assert "on 154 test rows" in text


def test_a_version_that_the_registry_does_not_give_back_whole_is_put_in_no_stage(
    project: Project,
) -> None:
    project.run("dvc", "repro")
    store = open_store(project.store)
    for stage in ("staging", "production"):
        store.client.delete_registered_model_alias(NAME, stage)
    (model,) = (project.path / "mlruns").rglob("model.onnx")
    # Another producer's name: it still loads and answers alike, and is another file.
    model.write_bytes(model.read_bytes().replace(b"csv-to-production", b"CSV-TO-PRODUCTION"))
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "is not put in stage staging: the registry does not give it back whole" in done.stderr
    assert "has the sha256" in done.stderr
    assert "Traceback" not in done.stderr
    assert store.versions() == {"1": set()}


def test_an_incumbent_that_cannot_be_opened_keeps_the_candidate_out(project: Project) -> None:
    project.run("dvc", "repro")
    (folder,) = {path.parent for path in (project.path / "mlruns").rglob("model.onnx")}
    shutil.rmtree(folder)
    output = project.run("dvc", "exp", "run", "-S", "grid_search.grid_size=2").stdout
    assert "✗ max_roc_auc_drop: the version in production cannot be compared: version 1" in output
    assert open_store(project.store).versions() == {"1": {"production"}, "2": {"staging"}}
