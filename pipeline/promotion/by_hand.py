"""Promotion of one version by a person's command."""

from pathlib import Path
from typing import Any

from pipeline.data.table import read_split
from pipeline.errors import PipelineError
from pipeline.evaluation.evaluate import evaluate
from pipeline.lineage.dvc import find_test_rows
from pipeline.params import NO_FILE, Params
from pipeline.promotion.challenger import Challenger, Tested
from pipeline.promotion.compared_rows import Origin
from pipeline.promotion.transitions import PRODUCTION, move, moved_meanwhile
from pipeline.registry import stages, versions
from pipeline.registry.ledger import Entry, Ledger
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.references import Version
from pipeline.registry.split_tag import DATA_TAG, SPLIT_TAG, TEST_FILE_TAG, read_split_tag
from pipeline.tracking.experiment import Tracking
from serving.model.version_files import ModelError
from serving.receipts.receipt import Gate


def challenger_of(tracking: Tracking, params: Params, version: Version) -> Challenger:
    """Score a version on its test rows; raises PipelineError where it or they cannot be had."""
    if "test" not in version.datasets or "onnx_difference" not in version.metrics:
        raise PipelineError(
            f"run {version.run_id} of {version} does not say what it was tested on: "
            "run `dvc repro` at its commit"
        )
    digest = version.datasets["test"].digest
    rows = find_test_rows(digest)
    try:
        with versions.downloaded(tracking, version.name, version.number) as scorer:
            test = read_split(rows, scorer.contract)
            metrics, _ = evaluate(test, scorer, params.evaluate, params.seed)
    except ModelError as error:
        raise PipelineError(f"{version} of {version.name} is not whole: {error}") from error
    metrics |= _beside(version)
    tested = Tested(scorer, test, digest, metrics, _origin(tracking, version))
    return Challenger.of(
        tracking, params, version.number, tested, version.metrics["onnx_difference"]
    )


def _beside(version: Version) -> dict[str, float]:
    """Return the figures that no model of the registry gives: those of the baseline."""
    names = ("baseline_roc_auc", "base_rate_brier")
    recorded = {name: version.metrics.get(f"test_{name}") for name in names}
    return {name: figure for name, figure in recorded.items() if figure is not None}


def _origin(tracking: Tracking, version: Version) -> Origin:
    """Return the origin of a version's test rows by its own tags, which older ones lack."""
    tags = versions.tags_of(tracking, version.name, version.number)
    whole = version.params.get("data.test_file", NO_FILE) != NO_FILE
    named = ("data.test_file", TEST_FILE_TAG) if whole else ("data.file", DATA_TAG)
    split = tags.get(SPLIT_TAG, "")
    rule = read_split_tag(split)
    return Origin(
        file=Path(version.params.get(named[0], "")),
        digest=tags.get(named[1], ""),
        split=split,
        columns=rule.columns if rule else (),
        whole=whole,
    )


def promote(
    store: LedgerStore, challenger: Challenger, stage: str, reason: str, force: bool
) -> Entry:
    """Judge the version and move the stage, or write down why not; return the ledger's entry."""
    seen: list[Ledger] = []

    def decide(_: str | None) -> dict[str, Any]:
        ledger = store.read()
        line = moved_meanwhile(seen[-1], ledger, PRODUCTION) if seen else ""
        seen.append(ledger)
        judged = challenger.judged(
            stages.number_at(store.tracking, store.name, PRODUCTION),
            force=reason if force else "",
        )
        if line:
            print(line)
        if line or len(seen) == 1:
            show(judged.gates)
        allowed = judged.passed or force or stage != PRODUCTION
        if allowed:
            challenger.check_whole(stage)
        return challenger.entry(
            judged,
            command="promote",
            outcome="moved" if allowed else "refused",
            reason=reason,
            forced=force and not judged.passed,
        )

    entry = move(store, stage, decide)
    stages.show_on_results(store.tracking, store.name)
    return entry


def show(gates: tuple[Gate, ...]) -> None:
    for gate in gates:
        print(f"  {gate}")
