"""Profile a table: its columns, which of them give the target away, which class is positive.

Pure: cells as text in, findings out.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.evaluation.metrics import roc_auc
from pipeline.params import is_index_name
from pipeline.profiling.column import Column, Left, describe, to_numbers
from pipeline.profiling.split_advice import SplitAdvice, advise

Labels = npt.NDArray[np.bool_]

NEARLY_ALL = 0.99
LEAK_AUC = 0.99
LEAK_ROWS = 10  # of the rarer class; with fewer, a perfect order may be chance
_YES_OF = {
    frozenset(pair): pair[1]
    for pair in (
        *(("0", "1"), ("-1", "1"), ("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t")),
        *(("negative", "positive"), ("neg", "pos"), ("absent", "present"), ("-", "+")),
    )
}


class Profile(msgspec.Struct, frozen=True):
    """The profile of each column; unnamed index columns are left out."""

    features: dict[str, Column]
    ignored: dict[str, Left]
    notes: tuple[str, ...]
    split: SplitAdvice = SplitAdvice()


def profile(cells: pd.DataFrame, target: str, y: Labels, test_size: float = 0.2) -> Profile:
    """Look at each column; `y` is true for the positive class `[rows]`."""
    names = [name for name in cells.columns if name != target and not is_index_name(name)]
    columns = {name: cells[name].str.strip() for name in names}
    found = {name: describe(name, text) for name, text in columns.items()}
    split = advise(pd.DataFrame({**columns, target: cells[target].str.strip()}), target, test_size)
    found |= _of_the_split(found, split)
    features = {name: column for name, column in found.items() if isinstance(column, Column)}
    ignored = {name: column for name, column in found.items() if isinstance(column, Left)}
    leaks = {
        name: Left(f"alone predicts {target} (ROC AUC {auc:.3f})", leak=True, type=column.type)
        for name, column in features.items()
        if (auc := separation(columns[name], column, y)) >= LEAK_AUC
    }
    codes = {name for name in leaks if features[name].is_code}
    told = [_known_before(name, leaks.pop(name)) for name in codes]
    if len(leaks) < len(features):  # else nothing would be left to learn from
        features = {name: column for name, column in features.items() if name not in leaks}
        ignored |= leaks
        leaks = {}
    notes = told + [
        f"column {name}: {leak.reason}, and is kept as no other is" for name, leak in leaks.items()
    ]
    notes += [note for name in features for note in _almost_constant(name, columns[name])]
    return Profile(features, ignored, (*notes, *split.notes), split)


def _known_before(name: str, leak: Left) -> str:
    return (
        f"column {name}: {leak.reason}: kept, since a code is mostly known before the target; "
        "move it to data.ignore where it is not"
    )


def _of_the_split(found: Mapping[str, Column | Left], split: SplitAdvice) -> dict[str, Left]:
    """Leave out the columns that split the table and would be features by their values."""
    reasons = {split.group: "names a group of rows", split.time: "is the time of a row"}
    return {
        name: Left(reason, type=getattr(found[name], "type", ""))
        for name, reason in reasons.items()
        if name is not None and isinstance(found[name], Column)
    }


def positive_class(counts: Mapping[str | int, int]) -> tuple[str | int, str]:
    """Choose of two classes, with their rows, the positive one: that which says yes, or the rarer.

    Gives as well why it was chosen.
    """
    by_text = {str(value).lower(): value for value in counts}
    if (yes := _YES_OF.get(frozenset(by_text))) is not None:
        return by_text[yes], "which says yes"
    return min(counts, key=lambda value: counts[value]), "the rarer class"


def separation(text: "pd.Series[str]", column: Column, y: Labels) -> float:
    """Return the ROC AUC of the best that a column alone says of the target, in either direction.

    A number says it by its order or by being absent, a category by the share of positives in it.
    """
    if min(y.sum(), (~y).sum()) < LEAK_ROWS:
        return 0.5
    labels = y.astype(np.int64)
    if column.type == "category":
        return roc_auc(labels, pd.Series(y).groupby(text).transform("mean").to_numpy())
    x = to_numbers(text, column.type)
    absent = (x.isna() | x.isin(column.missing_values)).to_numpy()
    known = ~absent
    enough = min(y[known].sum(), (~y[known]).sum()) >= LEAK_ROWS
    by_order = roc_auc(labels[known], x[known].to_numpy()) if enough else 0.5
    by_absence = roc_auc(labels, absent.astype(float))
    return max(by_order, 1 - by_order, by_absence, 1 - by_absence)


def _almost_constant(name: str, text: "pd.Series[str]") -> list[str]:
    counts = text.value_counts()
    share = counts.iloc[0] / len(text)
    if share < NEARLY_ALL:
        return []
    return [f"column {name}: {share:.1%} of the rows have {counts.index[0]!r}: it can tell little"]
