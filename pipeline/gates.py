"""The gates before production: figures and bounds in, verdicts out."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.params import Gates


@dataclass(frozen=True)
class Verdict:
    """One gate's judgement: which figure was held to which bound, and whether it holds."""

    gate: str
    passed: bool
    sentence: str

    def __str__(self) -> str:
        return f"{'✓' if self.passed else '✗'} {self.gate}: {self.sentence}"


def judge(
    gates: Gates, *, roc_auc: float, brier: float, incumbent: float | str | None
) -> list[Verdict]:
    """Hold a candidate's figures on the test rows to the gates.

    `incumbent` is the ROC AUC of the version in production on the same rows, the reason why there
    is no such figure, or None where production has no other version.
    """
    return [
        _at_least("min_roc_auc", "ROC AUC", roc_auc, gates.min_roc_auc),
        _at_most("max_brier", "Brier score", brier, gates.max_brier),
        _not_worse(roc_auc, incumbent, gates.max_roc_auc_drop),
    ]


def all_passed(verdicts: Iterable[Verdict]) -> bool:
    return all(verdict.passed for verdict in verdicts)


def _at_least(gate: str, figure: str, value: float, bound: float) -> Verdict:
    passed = value >= bound
    relation = "at least" if passed else "below"
    return Verdict(gate, passed, f"{figure} {value:.4f} is {relation} {bound:g}")


def _at_most(gate: str, figure: str, value: float, bound: float) -> Verdict:
    passed = value <= bound
    relation = "at most" if passed else "above"
    return Verdict(gate, passed, f"{figure} {value:.4f} is {relation} {bound:g}")


def _not_worse(roc_auc: float, incumbent: float | str | None, margin: float) -> Verdict:
    gate = "max_roc_auc_drop"
    if incumbent is None:
        return Verdict(gate, True, "production has no other version to compare with")
    if isinstance(incumbent, str):
        return Verdict(
            gate,
            False,
            f"the version in production cannot be compared: {incumbent}; give the new model "
            "another name in params.yaml, or take the stage away in MLflow",
        )
    passed = roc_auc >= incumbent - margin
    relation = "within" if passed else "worse than production by more than"
    return Verdict(
        gate,
        passed,
        f"ROC AUC {roc_auc:.4f} against {incumbent:.4f} in production, on the same rows, "
        f"is {relation} the margin of {margin:g}",
    )
