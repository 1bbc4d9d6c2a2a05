"""The folds that a training table is cut into, the same wherever it is cross-validated."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from pipeline.errors import PipelineError
from pipeline.search.problem import Fold

Rows = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]


def repeated_folds(
    y: Rows,
    n_folds: int,
    repeats: int,
    seed: int,
    groups: Rows | None = None,
    times: Times | None = None,
) -> tuple[Fold, ...]:
    """Return the folds of all repeats, those of a repeat together.

    A fold is its training rows and its rows to be scored. No group is in both, and none of the
    first is later than any of the second; time passes once, so then there is one repeat. The first
    repeat does not depend on how many there are.
    """
    if times is not None:
        return tuple(_forward(times, groups, n_folds))
    return tuple(
        fold for repeat in range(repeats) for fold in _shuffled(y, groups, n_folds, seed + repeat)
    )


def _shuffled(y: Rows, groups: Rows | None, n_folds: int, seed: int) -> Iterator[Fold]:
    X = np.zeros(len(y))
    if groups is None:
        yield from StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(X, y)
        return
    count = len(np.unique(groups))
    if count < n_folds:
        raise PipelineError(
            f"the training rows have {count} groups, {n_folds} folds need as many: "
            f"lower grid_search.folds, or set data.group to null in params.yaml"
        )
    yield from StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(X, y, groups)


def _forward(times: Times, groups: Rows | None, n_folds: int) -> Iterator[Fold]:
    """Cut the rows into blocks by time; each but the first is scored after all before it.

    Rows of the same moment are in one block.
    """
    block = _blocks(times, n_folds + 1)
    for number in range(1, n_folds + 1):
        training, scored = np.flatnonzero(block < number), np.flatnonzero(block == number)
        if groups is not None:
            training = training[~np.isin(groups[training], groups[scored])]
        yield training, scored


def _blocks(times: Times, count: int) -> Rows:
    """Return each row's block, of about as many rows each, from 0."""
    before = np.searchsorted(np.sort(times), times)  # rows of earlier moments
    return np.asarray(before * count // len(times))


def check_folds(folds: Sequence[Fold], y: Rows, classes: Sequence[object], n_folds: int) -> None:
    """Raise PipelineError for a fold that has no row of a class, to train on or to be scored."""
    for number, fold in enumerate(folds):
        for part, purpose in zip(fold, ("train on", "be scored"), strict=True):
            for label, name in enumerate(classes):
                if not np.any(y[part] == label):
                    raise PipelineError(
                        f"fold {number % n_folds + 1} of {n_folds} has no row of class {name} to "
                        f"{purpose}: lower grid_search.folds, set another seed, or change "
                        "data.group, data.time or data.test_from in params.yaml"
                    )
