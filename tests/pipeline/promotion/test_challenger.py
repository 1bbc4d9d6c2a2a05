"""A version's case: what it is compared with, and when a receipt stands or is made anew."""

import dataclasses
import json
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import msgspec
import pytest

from pipeline.data.table import Table, read_split
from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.params_file import load
from pipeline.promotion.challenger import Challenger, difference_on, latency_ms
from pipeline.promotion.compared_rows import Origin
from pipeline.registry import receipts, versions
from pipeline.tracking.store import open_tracking
from serving.model.scorer import Scorer
from serving.model.version_files import ModelError
from tests.conftest import Project
from tests.e2e.conftest import NAME

BOOTSTRAP = Bootstrap(0.95, resamples=200, seed=1)
KEY = b"a key that both ends share"


@pytest.fixture(scope="module")
def scorer(trained: Project) -> Scorer:
    return Scorer.load(trained.path / "artifacts/model")


@pytest.fixture(scope="module")
def test_table(trained: Project, scorer: Scorer) -> Table:
    return read_split(trained.path / "data/test.csv", scorer.contract)


def test_a_model_does_not_differ_from_itself(scorer: Scorer, test_table: Table) -> None:
    assert difference_on(test_table, scorer, scorer, BOOTSTRAP) == (0, 0, 0, 1)


def test_the_latency_is_of_one_row(scorer: Scorer, test_table: Table) -> None:
    assert 0 < latency_ms(scorer, test_table.X) < 50


@pytest.fixture
def challenger(
    finished: Project, scorer: Scorer, test_table: Table, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Challenger]:
    """The case of the version that stands in production."""
    monkeypatch.chdir(finished.path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", finished.store)
    params = load(Path("params.yaml"))
    with open_tracking(params.name) as tracking:
        yield Challenger(
            tracking=tracking,
            name=NAME,
            version="1",
            scorer=scorer,
            test=test_table,
            test_digest="of the test rows",
            origin=Origin(Path("data/diabetes.csv"), "of the table", "of the rule"),
            metrics=json.loads(Path("artifacts/metrics.json").read_text()),
            onnx_difference=1e-12,
            bounds=params.register.gates,
            bootstrap=BOOTSTRAP,
        )


def receipt_of(challenger: Challenger, key: bytes | None = None):
    return receipts.receipt_of(challenger.tracking, NAME, "1", key)[0]


def stricter(challenger: Challenger) -> Challenger:
    bounds = msgspec.structs.replace(challenger.bounds, max_brier=0.01)
    return dataclasses.replace(challenger, bounds=bounds)


def test_the_receipt_names_all_that_went_in_by_digest(challenger: Challenger) -> None:
    judged = challenger.judged(None)
    receipt = receipt_of(challenger)
    assert receipt.verdict == "passed"
    assert receipt.gates == judged.gates
    assert (receipt.model, receipt.digest) == (NAME, challenger.scorer.digest)
    assert receipt.inputs["model"] == challenger.scorer.digest
    assert receipt.inputs["test rows"] == "of the test rows"
    assert versions.tags_of(challenger.tracking, NAME, "1")["receipt"] == judged.receipt


def test_a_receipt_of_the_same_inputs_stands(challenger: Challenger) -> None:
    assert challenger.judged(None) == challenger.judged(None)


def test_other_bounds_are_judged_anew_and_what_failed_passes_again(challenger: Challenger) -> None:
    first = challenger.judged("1")
    assert not stricter(challenger).judged("1").passed
    assert receipt_of(challenger).verdict == "failed"
    assert challenger.judged("1").passed
    assert receipt_of(challenger).gates[0] == first.gates[0]


def test_what_is_forced_says_by_whom_and_why_and_stays_so_in_production(
    challenger: Challenger,
) -> None:
    strict = stricter(challenger)
    assert not strict.judged(None, force="it is urgent").passed
    forced = receipt_of(challenger)
    assert (forced.verdict, forced.reason) == ("forced", "it is urgent")
    assert "@" in forced.forced_by
    lower = msgspec.structs.replace(strict.bounds, max_size_mb=49)
    dataclasses.replace(strict, bounds=lower).judged("1")
    again = receipt_of(challenger)
    assert (again.verdict, again.reason) == ("forced", "it is urgent")


def test_who_passes_need_not_be_forced(challenger: Challenger) -> None:
    assert challenger.judged(None, force="to be sure").passed
    assert receipt_of(challenger).verdict == "passed"


def test_with_a_key_what_was_not_signed_is_signed(challenger: Challenger) -> None:
    challenger.judged(None)
    with pytest.raises(ModelError, match=r"it is not signed|was not made with"):
        receipt_of(challenger, KEY)
    dataclasses.replace(challenger, key=KEY).judged(None)
    assert receipt_of(challenger, KEY).verdict == "passed"
    with pytest.raises(ModelError, match="was not made with"):
        receipt_of(challenger, b"another key, as long as it")


def test_a_receipt_that_was_changed_is_made_anew(challenger: Challenger, finished: Project) -> None:
    digest = challenger.judged(None).receipt
    (path,) = (finished.path / "mlruns").rglob(f"{digest}.json")
    path.write_bytes(path.read_bytes().replace(b"true", b"false"))
    with pytest.raises(ModelError, match="its receipt is not the one"):
        receipt_of(challenger)
    assert challenger.judged(None).passed
    assert receipt_of(challenger).verdict == "passed"


def test_a_version_of_somebody_else_s_has_no_place_for_a_receipt(challenger: Challenger) -> None:
    challenger.tracking.client.create_model_version(NAME, "s3://nowhere/model")
    with pytest.raises(PipelineError, match="was not registered by `dvc repro`"):
        dataclasses.replace(challenger, version="2").judged(None)


def test_a_version_in_production_that_cannot_be_had_stops_the_candidate(
    challenger: Challenger,
) -> None:
    """Production must not be taken over only because nobody can compare."""
    number = challenger.tracking.client.create_model_version(NAME, "s3://nowhere/model").version
    judged = challenger.judged(str(number))
    assert not judged.passed
    (gate,) = [gate for gate in judged.gates if gate.gate == "max_roc_auc_drop"]
    assert f"cannot be compared with version {number} in production" in gate.sentence


def test_of_several_classes_the_receipt_depends_on_the_resamples(challenger: Challenger) -> None:
    """Two are compared without them: their receipts stand when these change."""

    def inputs(classes: tuple[str, ...], seed: int) -> dict[str, str]:
        scorer = copy(challenger.scorer)
        scorer.contract = msgspec.structs.replace(scorer.contract, classes=classes)
        bootstrap = BOOTSTRAP._replace(seed=seed)
        return dataclasses.replace(challenger, scorer=scorer, bootstrap=bootstrap)._inputs(None)

    assert inputs(("a", "b"), 1) == inputs(("a", "b"), 2)
    assert inputs(("a", "b", "c"), 1) != inputs(("a", "b", "c"), 2)
