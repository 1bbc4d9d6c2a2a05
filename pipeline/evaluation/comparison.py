"""Two scored models -> what differs between them, and whether it is more than chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.delong import PairedDifference, format_p
from pipeline.evaluation.importance import no_importance
from pipeline.evaluation.metrics import Array, Labels
from pipeline.evaluation.paired import (
    paired_brier_difference,
    paired_log_loss_difference,
    roc_auc_difference,
)
from pipeline.evaluation.subgroups import COLUMNS

Positions = npt.NDArray[np.int64]
DIFFERENT = "{} and {} were tested on different rows"
NO_PAIR = "so nothing is said of their difference"


@dataclass(frozen=True)
class Scored:
    """A model's answers on its own test rows.

    `cells` has the features and the target as they were written `[rows, columns]`, `probability`
    that of the positive class `[rows]`, or of each of more than two `[rows, classes]`; `outcome`
    names the target and its classes; `subgroups` has the figures of each group of the rows, and
    `importance` what the model goes by.
    """

    cells: pd.DataFrame
    y: Labels
    probability: Array
    outcome: tuple[object, ...]
    digest: str
    subgroups: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))
    importance: pd.DataFrame = field(default_factory=no_importance)

    @property
    def classes(self) -> int:
        return 2 if self.probability.ndim == 1 else self.probability.shape[1]


class Lead(NamedTuple):
    """A figure of one model minus that of another on the same rows, with its interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """The paired difference of two models, or None; a sentence on it; on how many rows.

    `leads` are the paired differences by the metric, of the ROC AUC and of the losses.
    """

    sentence: str
    rows: int = 0
    difference: PairedDifference | None = None
    leads: Mapping[str, Lead] = field(default_factory=dict)


def compare(a: Scored, b: Scored, names: tuple[str, str], bootstrap: Bootstrap) -> Verdict:
    """Compare two models on rows that neither was trained on.

    Those are the test rows, where both have the same. Else they are the rows that both tests have:
    the rest of one's test may be what the other was trained on, which would flatter it.
    """
    if a.outcome != b.outcome:
        return Verdict(f"{names[0]} and {names[1]} predict different things, {NO_PAIR}")
    same = a.digest == b.digest
    every = np.arange(len(a.y))
    of_a, of_b = (every, every) if same else common_rows(a.cells, b.cells)
    y = a.y[of_a]
    if len(np.unique(y)) < a.classes:
        which = "both classes" if a.classes == 2 else "every class"
        return Verdict(
            f"{DIFFERENT.format(*names)}, and the {len(y)} that both tests have do not hold "
            f"{which}, {NO_PAIR}"
        )
    ours, theirs = a.probability[of_a], b.probability[of_b]
    confidence = bootstrap.confidence
    found = roc_auc_difference(y, ours, theirs, bootstrap)
    leads = {
        "test_roc_auc": Lead(*found[:3]),
        "test_brier": Lead(*paired_brier_difference(y, ours, theirs, confidence)[:3]),
        "test_log_loss": Lead(*paired_log_loss_difference(y, ours, theirs, confidence)[:3]),
    }
    where = f"on the same {len(y)} test rows"
    if not same:
        where = (
            f"{DIFFERENT.format(*names)}, so that their figures do not compare. On the {len(y)} "
            "rows that both tests have, and that neither was trained on"
        )
    return Verdict(_sentence(found, names, where, confidence), len(y), found, leads)


def common_rows(a: pd.DataFrame, b: pd.DataFrame) -> tuple[Positions, Positions]:
    """Return the positions `[rows]` in a and b of the rows that are in both.

    They are told by all columns that both have. What stands twice in a table is left out: it could
    not be said which is which.
    """
    columns = [name for name in a.columns if name in b.columns]
    left, right = (
        table[columns]
        .reset_index(drop=True)
        .rename_axis("position")
        .reset_index()
        .drop_duplicates(columns, keep=False)
        for table in (a, b)
    )
    both = left.merge(right, on=columns, suffixes=("_a", "_b"))
    return both["position_a"].to_numpy(), both["position_b"].to_numpy()


def differing(
    a: Mapping[str, str], b: Mapping[str, str]
) -> dict[str, tuple[str | None, str | None]]:
    """Return the entries that are not the same in both, with None where one lacks it."""
    names = [*a, *(name for name in b if name not in a)]
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def side_by_side(
    a: Mapping[str, float], b: Mapping[str, float]
) -> dict[str, tuple[float | None, float | None]]:
    """Return all figures of both: those of the test first."""
    names: Sequence[str] = sorted({*a, *b}, key=lambda name: (not name.startswith("test_"), name))
    return {name: (a.get(name), b.get(name)) for name in names}


def subgroup_areas(a: Scored, b: Scored) -> dict[str, tuple[float | None, float | None]]:
    """Return the ROC AUC of each group of rows in both tests, None where one has no such group."""
    of_a, of_b = (
        dict(zip(one.subgroups["group"], one.subgroups["roc_auc"], strict=True)) for one in (a, b)
    )
    return {group: (of_a.get(group), of_b.get(group)) for group in {**of_a, **of_b}}


def _sentence(
    found: PairedDifference, names: tuple[str, str], where: str, confidence: float
) -> str:
    """Format which is better, with the interval of the better one's lead."""
    ahead = found.difference >= 0
    better, worse = names if ahead else names[::-1]
    low, high = (found.low, found.high) if ahead else (-found.high, -found.low)
    interval = f"{confidence:.0%} interval {low:+.4f} to {high:+.4f}, p = {format_p(found.p)}"
    if found.difference == 0:
        return f"{where}, {better} and {worse} have the same ROC AUC ({interval})"
    clear = found.p < 1 - confidence
    chance = "more than chance readily gives" if clear else "which may be chance alone"
    lead = f"{abs(found.difference):.4f} higher than that of {worse} ({interval})"
    return f"{where}, the ROC AUC of {better} is {lead}, {chance}"
