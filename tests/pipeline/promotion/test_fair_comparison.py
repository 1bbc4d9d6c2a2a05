"""Real versions of a table that grows, or is split by another seed, beside the first of them."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from pipeline.data.table import read_split
from pipeline.evaluation.delong import paired_roc_auc_difference
from pipeline.params import Gates
from pipeline.params_file import load
from pipeline.promotion.by_hand import challenger_of
from pipeline.promotion.challenger import Challenger
from pipeline.registry import receipts
from pipeline.registry.references import find_version
from pipeline.registry.split_tag import SPLIT_TAG
from pipeline.tracking.store import open_tracking
from serving.model.scorer import Scorer
from tests.pipeline.conftest import Result
from tests.pipeline.registered import NAME, Registered, keep_in_cache, new_project

FIRST, GROWN, RESPLIT = "123"
TABLE = Path("data/diabetes.csv")


@dataclass(frozen=True)
class Grown:
    """Version 1 of 460 rows, 2 with 308 appended, 3 of the same rows by another seed."""

    project: Registered
    results: dict[str, Result]


@pytest.fixture(scope="module")
def grown(tmp_path_factory, empty_store, pima_csv, pima_params, run_chain) -> Grown:
    folder = tmp_path_factory.mktemp("grown")
    small = msgspec.structs.replace(pima_params.grid_search, grid_size=1, C=(1, 1))
    params = msgspec.structs.replace(pima_params, grid_search=small)
    before = folder / "before.csv"
    before.write_text("".join(pima_csv.read_text().splitlines(keepends=True)[:461]))
    results = {
        FIRST: run_chain(params, before),
        GROWN: run_chain(params, pima_csv),
        RESPLIT: run_chain(msgspec.structs.replace(params, seed=7), pima_csv),
    }
    made = new_project(folder / "project", empty_store)
    shutil.copyfile(pima_csv, made.folder / TABLE)
    with made.entered():
        for version, result in results.items():
            keep_in_cache(made.folder, result.test)
            table = before if version == FIRST else pima_csv
            assert made.add(result, f"repro {version}", table=table) == version
    return Grown(made, results)


@pytest.fixture
def project(grown, tmp_path):
    with grown.project.copy(tmp_path / "project").entered() as copied:
        yield copied


@pytest.fixture
def challenger(project):
    def one(version: str) -> Challenger:
        with open_tracking(NAME) as tracking:
            found = find_version(tracking, NAME, version)
            return challenger_of(tracking, load(Path("params.yaml")), found)

    return one


def gate(challenger: Challenger, champion: str = FIRST):
    gates = challenger.gates_against(champion)
    return next(gate for gate in gates if gate.gate == "max_roc_auc_drop")


def expected(grown: Grown, version: str, rows: pd.DataFrame):
    """Compare version and the first on these rows, without the code of the gates."""
    ours, theirs = (Scorer.load(grown.results[number].model) for number in (version, FIRST))
    path = grown.results[version].folder / "by_hand.csv"
    rows.to_csv(path, index=False)
    table = read_split(path, ours.contract)
    scores = [scorer.score(table.X)[1] for scorer in (ours, theirs)]
    return paired_roc_auc_difference(table.y, *scores, confidence=0.95)


def texts(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str)


def test_where_rows_were_appended_all_test_rows_count(grown, challenger):
    test, learned = texts(grown.results[GROWN].test), texts(grown.results[FIRST].training)
    assert len(test.merge(learned)) == 0
    found = gate(challenger(GROWN))
    assert found.figure == pytest.approx(expected(grown, GROWN, test).low, abs=1e-12)
    assert "against version 1 in production, on the same rows, is" in found.sentence


def test_under_another_seed_only_rows_in_both_tests_count(grown, challenger):
    test, learned = texts(grown.results[RESPLIT].test), texts(grown.results[FIRST].training)
    both = test.merge(texts(grown.results[GROWN].test))  # all test rows by the first one's rule
    assert len(test.merge(learned)) > 50
    assert len(both.merge(learned)) == 0
    found = gate(challenger(RESPLIT))
    assert found.figure == pytest.approx(expected(grown, RESPLIT, both).low, abs=1e-12)
    on = f"on the {len(both)} of {len(test)} test rows that neither was trained on"
    assert on in found.sentence


def test_the_receipt_says_which_rows_were_compared(challenger):
    inputs = {}
    for version in (GROWN, RESPLIT):
        judged = challenger(version)
        judged.judged(FIRST)
        receipt, _ = receipts.receipt_of(judged.tracking, NAME, version, None)
        inputs[version] = receipt.inputs["rows compared"]
    assert inputs[GROWN] == ""
    assert " of " in inputs[RESPLIT]


def test_a_receipt_for_other_rows_is_no_answer(challenger):
    found = challenger(RESPLIT)
    before = found.judged(FIRST).receipt
    assert found.judged(FIRST).receipt == before
    found.tracking.client.delete_model_version_tag(NAME, FIRST, SPLIT_TAG)
    assert found.judged(FIRST).receipt != before


def test_bounds_that_follow_from_the_table_are_known_by_hand_too(grown, challenger):
    bounds = Gates(max_roc_auc_drop=0.05)
    gates = replace(challenger(GROWN), bounds=bounds).gates_against(None)
    found = {gate.gate: gate.bound for gate in gates}
    metrics = json.loads(grown.results[GROWN].metrics.read_text())
    assert found["max_brier"] == metrics["base_rate_brier"]
    assert found["baseline"] == metrics["baseline_roc_auc"] - 0.05


@pytest.mark.parametrize("lost", ["rule", "table"])
def test_without_the_rule_or_the_table_rows_in_both_files_count(project, grown, challenger, lost):
    if lost == "table":
        (project.folder / TABLE).unlink()
    found = challenger(RESPLIT)
    if lost == "rule":
        found.tracking.client.delete_model_version_tag(NAME, FIRST, SPLIT_TAG)
    test = texts(grown.results[RESPLIT].test)
    both = test.merge(texts(grown.results[FIRST].test))
    sentence = gate(found).sentence
    assert f"on the {len(both)} of {len(test)} test rows" in sentence


def test_where_nothing_tells_what_it_learned_a_person_decides(project, grown, challenger):
    found = challenger(GROWN)
    found.tracking.client.delete_model_version_tag(NAME, FIRST, SPLIT_TAG)
    keep_in_cache(project.folder, grown.results[FIRST].test).unlink()
    verdict = gate(found)
    assert not verdict.passed
    assert "which rows it was not trained on is not known" in verdict.sentence
    assert "`python -m pipeline promote 2 --to production --force --reason" in verdict.sentence


def test_on_too_few_rows_a_person_decides(challenger):
    found = challenger(RESPLIT)
    negative = found.test.y == 0
    few = replace(found, test=found.test.take((~negative).nonzero()[0]), origin=found.origin)
    few = replace(few, origin=found.origin._replace(split=""))
    verdict = gate(few)
    assert not verdict.passed
    assert "only 0 of class 0 and" in verdict.sentence
    assert "surely new to it, and 5 of each are needed; a person decides" in verdict.sentence


def test_a_test_file_counts_by_the_first_one_s_rule(project, grown, challenger):
    """Of a file of test rows those that the first one would have kept for its test."""
    found = challenger(RESPLIT)
    path = grown.results[RESPLIT].test
    shutil.copyfile(path, project.folder / "data/of_test.csv")
    whole = found.origin._replace(
        file=Path("data/of_test.csv"), digest=found.test_digest, split="{}", whole=True
    )
    both = texts(path).merge(texts(grown.results[GROWN].test))
    assert f"on the {len(both)} of " in gate(replace(found, origin=whole)).sentence
