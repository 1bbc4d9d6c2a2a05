"""A version's case for a stage: its evidence, its gates, and the receipt of both.

The evidence is that of the code that answers: the version is scored by the service's own scorer,
on its test rows, beside the version in production on those of them that it was not trained on.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from statistics import median
from typing import Any, NamedTuple

import msgspec
import numpy as np

from pipeline.data.table import Table
from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.comparison import Positions
from pipeline.evaluation.delong import PairedDifference
from pipeline.evaluation.paired import roc_auc_difference
from pipeline.params import Gates, Params
from pipeline.promotion.compared_rows import Origin, TestedOn, compared_rows, name_rows, rows_digest
from pipeline.promotion.compatibility import breaking_changes, new_classes
from pipeline.promotion.gates import Champion, Evidence, all_passed, judge
from pipeline.promotion.reencode import rows_for
from pipeline.promotion.transitions import PRODUCTION
from pipeline.registry import receipts, versions
from pipeline.registry.ledger_store import LedgerStore
from pipeline.tracking.experiment import Tracking, actor
from serving.model.contract import FloatMatrix
from serving.model.scorer import Scorer
from serving.model.version_files import DIGEST_TAG, ModelError
from serving.receipts.receipt import Gate, Receipt, Verdict
from serving.receipts.signing import sign

PRODUCTION_INPUT = "production"  # among a receipt's inputs: the digest of the model compared with
ROWS_INPUT = "rows compared"  # which of the test rows; "" for all

MEASURED = 200  # answers to one row, whose median is the latency


class Judged(NamedTuple):
    """The gates' results, and the digest of the receipt that records them."""

    gates: tuple[Gate, ...]
    receipt: str

    @property
    def passed(self) -> bool:
        return all_passed(self.gates)


class Tested(NamedTuple):
    """A model and the test rows that its metrics are of; `digest` is DVC's, of the rows.

    `origin` is the file that they are from.
    """

    scorer: Scorer
    rows: Table
    digest: str
    metrics: Mapping[str, float]
    origin: Origin


@dataclass(frozen=True)
class Challenger:
    """One version that wants a stage. `test_digest` is of the rows that `metrics` are of."""

    tracking: Tracking
    name: str
    version: str
    scorer: Scorer
    test: Table
    test_digest: str
    origin: Origin
    metrics: Mapping[str, float]
    onnx_difference: float
    bounds: Gates
    bootstrap: Bootstrap
    key: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        tracking: Tracking,
        params: Params,
        version: str,
        tested: Tested,
        onnx_difference: float,
    ) -> "Challenger":
        """Return the challenger with the gates' bounds and the signing key in force."""
        return cls(
            tracking=tracking,
            name=params.name,
            version=version,
            scorer=tested.scorer,
            test=tested.rows,
            test_digest=tested.digest,
            origin=tested.origin,
            metrics=tested.metrics,
            onnx_difference=onnx_difference,
            bounds=params.register.gates,
            bootstrap=Bootstrap.of(params.evaluate, params.seed),
            key=receipts.read_key(),
        )

    def judged(self, production: str | None, *, force: str = "") -> Judged:
        """Judge the version against the one that is in production, and leave the receipt.

        A receipt of the same inputs stands as it is: the same question is not asked twice.
        `force` is the reason to let it pass where the gates do not, which the receipt will say.
        """
        before, digest = self._receipt()
        if before is not None and self._still_holds(before, production, forced=bool(force)):
            return Judged(before.gates, digest)
        gates = self.gates_against(production)
        receipt = self._new_receipt(production, gates, force, before)
        digest = receipts.keep_receipt(self.tracking, self.name, self.version, receipt, self.key)
        return Judged(gates, digest)

    def _still_holds(self, before: Receipt, production: str | None, *, forced: bool) -> bool:
        """True if a receipt answers this question already."""
        if forced and before.verdict == "failed":
            return False
        in_production, champion = production == self.version, self._champion(production)
        champion_is_gone = (
            in_production and champion is None and bool(before.inputs.get(PRODUCTION_INPUT))
        )
        if champion_is_gone and before.verdict != "passed":
            # What it did not pass beside a champion, it does not pass for want of one.
            return True
        inputs = self._inputs(champion)
        return _same(inputs, before.inputs, but_for_production=in_production)

    def _new_receipt(
        self, production: str | None, gates: tuple[Gate, ...], force: str, before: Receipt | None
    ) -> Receipt:
        forced_by, reason = (actor(), force) if force else ("", "")
        # What a person let into production once stays let in.
        if production == self.version and before is not None and before.verdict == "forced":
            forced_by, reason = before.forced_by, before.reason
        verdict: Verdict = "passed" if all_passed(gates) else "forced" if reason else "failed"
        return Receipt(
            model=self.name,
            digest=self.scorer.digest,
            inputs=self._inputs(self._champion(production)),
            gates=gates,
            verdict=verdict,
            forced_by=forced_by if verdict == "forced" else "",
            reason=reason if verdict == "forced" else "",
        )

    def gates_against(self, production: str | None) -> tuple[Gate, ...]:
        """Return the gates' results against that version in production; write nothing."""
        return judge(self.bounds, self._evidence(production))

    def entry(self, judged: Judged, *, command: str, outcome: str, **more: Any) -> dict[str, Any]:
        """Return the ledger's entry for this version and its gates."""
        return {
            "command": command,
            "outcome": outcome,
            "target": self.version,
            "digest": self.scorer.digest,
            "gates": judged.gates,
            "receipt": judged.receipt,
            "signature": sign(self.key, judged.receipt, self.scorer.digest) if self.key else "",
            **more,
        }

    def check_whole(self, stage: str) -> None:
        """Download the version and open it as the service will: what a stage names answers.

        Raises PipelineError where it is not what was registered.
        """
        try:
            with versions.downloaded(self.tracking, self.name, self.version):
                pass
        except ModelError as error:
            raise PipelineError(
                f"version {self.version} of {self.name} is not put in stage {stage}: the registry "
                f"does not give it back whole ({error}); delete the version, then run `dvc repro` "
                "again"
            ) from error

    def _champion(self, production: str | None) -> str | None:
        """Return the version to compare with, None where there is none.

        Where ours is in production already it is the one whose place it took: else whatever came
        there by force or by hand would pass, once it is judged anew, for having no other to face.
        """
        if production != self.version:
            return production
        ledger = LedgerStore(self.tracking, self.name).read()
        predecessor = ledger.predecessor(PRODUCTION, self.version)
        return predecessor if predecessor in versions.numbers(self.tracking, self.name) else None

    def _receipt(self) -> tuple[Receipt | None, str]:
        """Return the version's receipt; one that is damaged or not signed is made anew."""
        try:
            return receipts.receipt_of(self.tracking, self.name, self.version, self.key)
        except ModelError:
            return None, ""

    def _inputs(self, champion: str | None) -> dict[str, str]:
        bounds = {"gates": self.bounds, "confidence": self.bootstrap.confidence}
        if not self.scorer.contract.is_binary:  # two are compared without resamples
            bounds |= self.bootstrap._asdict()
        production = rows = ""
        if champion is not None:
            tags = versions.tags_of(self.tracking, self.name, champion)
            production = tags.get(DIGEST_TAG) or f"version {champion}"
            rows = rows_digest(self._rows_beside(champion), len(self.test.y))
        return {
            "model": self.scorer.digest,
            "test rows": self.test_digest,
            "bounds": sha256(msgspec.json.encode(bounds)).hexdigest(),
            PRODUCTION_INPUT: production,
            ROWS_INPUT: rows,
        }

    def _evidence(self, production: str | None) -> Evidence:
        champion, stood = self._champion(production), production == self.version
        return Evidence(
            metrics=self.metrics,
            onnx_difference=self.onnx_difference,
            size_mb=self.scorer.size / 1e6,
            latency_ms=latency_ms(self.scorer, self.test.X),
            champion=None if champion is None else self._compared_with(champion, stood),
        )

    def _rows_beside(self, champion: str) -> Positions | str:
        ours = TestedOn(self.test, self.test_digest, self.origin)
        return compared_rows(self.tracking, self.name, champion, ours)

    def _compared_with(self, version: str, stood: bool) -> Champion:
        place = "that was in production" if stood else "in production"
        try:
            rows = self._rows_beside(version)
            with versions.downloaded(self.tracking, self.name, version) as theirs:
                difference = self._difference(theirs, rows)
                contracts = theirs.contract, self.scorer.contract
                changes, new = breaking_changes(*contracts), new_classes(*contracts)
        except ModelError as error:
            return Champion(version, self._undecided(str(error)), [], place)
        if isinstance(difference, str):
            why = self._undecided(difference)
            return Champion(version, why, changes, place, new_classes=new)
        compared_on = name_rows(rows, len(self.test.y))
        return Champion(version, difference, changes, place, compared_on, new)

    def _difference(self, theirs: Scorer, rows: Positions | str) -> PairedDifference | str:
        if isinstance(rows, str):
            return rows
        return difference_on(self.test.take(rows), self.scorer, theirs, self.bootstrap)

    def _undecided(self, why: str) -> str:
        """Return why the rows do not decide, and how a person can."""
        return (
            f"{why}; a person decides: `python -m pipeline promote {self.version} "
            '--to production --force --reason "…"`'
        )


def difference_on(
    test: Table, ours: Scorer, theirs: Scorer, bootstrap: Bootstrap
) -> PairedDifference | str:
    """Compare two models on the same rows, where these have all that both ask for."""
    X = rows_for(theirs.contract, test)
    if isinstance(X, str):
        return X
    return roc_auc_difference(test.y, ours.score(test.X)[1], theirs.score(X)[1], bootstrap)


def latency_ms(scorer: Scorer, X: FloatMatrix) -> float:
    """Return the median time of one row's answer in milliseconds, on this machine."""
    row = np.ascontiguousarray(X[:1])
    times = []
    for _ in range(MEASURED):
        start = time.perf_counter()
        scorer.score(row)
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def _same(inputs: dict[str, str], before: dict[str, str], *, but_for_production: bool) -> bool:
    """Compare what went in; one that stands in production was compared before it came there."""
    ignored = {PRODUCTION_INPUT, ROWS_INPUT} if but_for_production else set()
    return all(before.get(k, "") == v for k, v in inputs.items() if k not in ignored)
