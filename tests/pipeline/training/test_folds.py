from typing import NamedTuple

import numpy as np

from pipeline.training.folds import repeated_folds


class Labels(NamedTuple):
    y: np.ndarray


ROWS = Labels(np.array([0] * 40 + [1] * 10))


def scored(folds):
    return [test.tolist() for _, test in folds]


def test_folds_are_stratified_and_seeded():
    folds = repeated_folds(ROWS, 5, 1, 3)
    assert [int(ROWS.y[test].sum()) for _, test in folds] == [2] * 5
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(50))
    assert scored(folds) == scored(repeated_folds(ROWS, 5, 1, 3))
    assert scored(folds) != scored(repeated_folds(ROWS, 5, 1, 4))


def test_the_first_repeat_does_not_depend_on_how_many_there_are():
    once, thrice = repeated_folds(ROWS, 5, 1, 3), repeated_folds(ROWS, 5, 3, 3)
    assert len(thrice) == 15
    assert scored(thrice[:5]) == scored(once)
    assert scored(thrice[5:10]) != scored(once)
