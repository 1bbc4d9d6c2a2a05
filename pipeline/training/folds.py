"""The folds that a training table is cut into, the same wherever it is cross-validated."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from pipeline.search.problem import Fold


class Rows(Protocol):
    """The rows of a table: what they are classified as."""

    @property
    def y(self) -> npt.NDArray[np.int64]: ...


def repeated_folds(rows: Rows, n_folds: int, repeats: int, seed: int) -> tuple[Fold, ...]:
    """Return the folds of all repeats, those of a repeat together.

    A fold is its training rows and its rows to be scored. The first repeat does not depend on how
    many there are.
    """
    folds: list[Fold] = []
    for repeat in range(repeats):
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed + repeat)
        folds += splitter.split(np.zeros(len(rows.y)), rows.y)
    return tuple(folds)
