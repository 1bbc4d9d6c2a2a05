"""Profile a table: its columns, and which of them give the target away.

Pure: cells as text in, findings out.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.evaluation.metrics import roc_auc
from pipeline.params import is_index_name
from pipeline.profiling.choices import NO_CHOICES, Choices
from pipeline.profiling.columns.column import Column, Left
from pipeline.profiling.columns.describe import as_category, as_date, as_number, describe
from pipeline.profiling.split_advice import SplitAdvice, advise
from serving.model.cells import ABSENT, is_mark

Labels = npt.NDArray[np.int64]

NEARLY_ALL = 0.99
LEAK_AUC = 0.99
LEAK_ROWS = 10  # of the rarer class; with fewer, a perfect order may be chance


class Profile(msgspec.Struct, frozen=True):
    """The profile of each column; unnamed index columns are left out."""

    features: dict[str, Column]
    ignored: dict[str, Left]
    notes: tuple[str, ...]
    split: SplitAdvice = SplitAdvice()
    missing: dict[str, int] = {}  # cells of each column that are absent or mean missing


def profile(
    cells: pd.DataFrame,
    target: str,
    y: Labels,
    test_size: float = 0.2,
    choices: Choices = NO_CHOICES,
) -> Profile:
    """Look at each column; `y` is the place of each row's class `[rows]`."""
    names = [name for name in cells.columns if name != target and not is_index_name(name)]
    columns = {name: cells[name].str.strip() for name in names}
    found = _described(columns, choices)
    stripped = pd.DataFrame({**columns, target: cells[target].str.strip()})
    split = advise(stripped, target, test_size, choices)
    found |= _of_the_split(found, split, choices)
    missing = {name: _missing(columns[name], column) for name, column in found.items()}
    features = {name: column for name, column in found.items() if isinstance(column, Column)}
    ignored = {name: column for name, column in found.items() if isinstance(column, Left)}
    leaks = {
        name: Left(f"alone predicts {target} (ROC AUC {auc:.3f})", leak=True, type=column.type)
        for name, column in features.items()
        if (auc := separation(columns[name], column, y)) >= LEAK_AUC
    }
    kept = [name for name in leaks if features[name].is_code or name in choices.features]
    told = [_known_before(name, leaks.pop(name)) for name in kept]
    if len(leaks) < len(features):  # else nothing would be left to learn from
        features = {name: column for name, column in features.items() if name not in leaks}
        ignored |= leaks
        leaks = {}
    notes = told + [
        f"column {name}: {leak.reason}, and is kept as no other is" for name, leak in leaks.items()
    ]
    notes += [note for name in features for note in _almost_constant(name, columns[name])]
    return Profile(features, ignored, (*notes, *split.notes), split, missing)


def _described(
    columns: Mapping[str, "pd.Series[str]"], choices: Choices
) -> dict[str, Column | Left]:
    chosen = {
        **dict.fromkeys(choices.category, as_category),
        **dict.fromkeys(choices.number, as_number),
        **dict.fromkeys(choices.date, as_date),
        **dict.fromkeys(choices.ignore, lambda *_: Left("as given")),
    }
    return {name: chosen.get(name, describe)(name, text) for name, text in columns.items()}


def _missing(text: "pd.Series[str]", column: Column | Left) -> int:
    """Count the cells that are absent or mean missing, as the column will be read."""
    if isinstance(column, Column) and column.type == "category":
        words = (ABSENT - {*column.categories}) | {*map(str, column.missing_values)}
        return int(text.isin(words).sum())
    absent = text.isin([word for word in text.unique() if is_mark(word)])
    if isinstance(column, Column) and column.missing_values:
        absent |= column.to_numbers(text).isin(column.missing_values)
    return int(absent.sum())


def _known_before(name: str, leak: Left) -> str:
    return (
        f"column {name}: {leak.reason}: kept all the same; "
        "move it to data.ignore if it is known only after the target"
    )


def _of_the_split(
    found: Mapping[str, Column | Left], split: SplitAdvice, choices: Choices
) -> dict[str, Left]:
    """Leave out the columns that split the table and would be features by their values."""
    reasons = {split.group: "names a group of rows", split.time: "is the time of a row"}
    return {
        name: Left(reason, type=getattr(found[name], "type", ""))
        for name, reason in reasons.items()
        if name is not None and isinstance(found[name], Column) and name not in choices.features
    }


def separation(text: "pd.Series[str]", column: Column, y: Labels) -> float:
    """Return the ROC AUC of the best that a column alone says of the target.

    Of several classes it is that of the class that the column says least of: a column may well tell
    one apart from the others, as petals do.
    """
    classes = np.unique(y)
    of_interest = classes[1:] if len(classes) == 2 else classes
    return min((_of_class(text, column, y == label) for label in of_interest), default=0.5)


def _of_class(text: "pd.Series[str]", column: Column, y: npt.NDArray[np.bool_]) -> float:
    """Return the ROC AUC of the best that a column says of one class, in either direction.

    A number says it by its order or by being absent, a category by the share of the class in it.
    """
    if min(y.sum(), (~y).sum()) < LEAK_ROWS:
        return 0.5
    labels = y.astype(np.int64)
    if column.type == "category":
        return roc_auc(labels, pd.Series(y).groupby(text).transform("mean").to_numpy())
    x = column.to_numbers(text)
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
