import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.training.folds import check_folds, repeated_folds

Y = np.array([0] * 40 + [1] * 10)


def scored(folds):
    return [test.tolist() for _, test in folds]


def test_folds_are_stratified_and_seeded():
    folds = repeated_folds(Y, 5, 1, 3)
    assert [int(Y[test].sum()) for _, test in folds] == [2] * 5
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(50))
    assert scored(folds) == scored(repeated_folds(Y, 5, 1, 3))
    assert scored(folds) != scored(repeated_folds(Y, 5, 1, 4))


def test_the_first_repeat_does_not_depend_on_how_many_there_are():
    once, thrice = repeated_folds(Y, 5, 1, 3), repeated_folds(Y, 5, 3, 3)
    assert len(thrice) == 15
    assert scored(thrice[:5]) == scored(once)
    assert scored(thrice[5:10]) != scored(once)


@st.composite
def tables(draw):
    """Draw labels, groups and times, of which several rows may be of the same moment."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = draw(st.integers(20, 120))
    groups = rng.integers(0, draw(st.integers(10, 40)), rows)
    return rng.integers(0, 2, rows), groups, rng.integers(0, draw(st.integers(8, 200)), rows) * 1.0


@settings(max_examples=60)
@given(tables(), st.integers(2, 5))
def test_no_group_is_on_both_sides_of_a_fold(table, n_folds):
    y, groups, _ = table
    for training, test in repeated_folds(y, n_folds, 3, 1, groups):
        assert not {*groups[training]} & {*groups[test]}
        assert len(training) + len(test) == len(y)


@settings(max_examples=60)
@given(tables(), st.integers(2, 5), st.booleans())
def test_no_training_row_is_as_late_as_a_scored_one(table, n_folds, grouped):
    y, groups, times = table
    folds = repeated_folds(y, n_folds, 3, 1, groups if grouped else None, times)
    assert len(folds) == n_folds  # time passes once
    for training, test in folds:
        if len(training) and len(test):
            assert times[training].max() < times[test].min()
        assert not grouped or not {*groups[training]} & {*groups[test]}


def test_blocks_of_time_are_of_about_as_many_rows_each():
    times = np.random.default_rng(1).permutation(120).astype(float)
    folds = repeated_folds(np.zeros(120, dtype=int), 5, 1, 0, None, times)
    assert [len(test) for _, test in folds] == [20] * 5
    assert [len(training) for training, _ in folds] == [20, 40, 60, 80, 100]


def test_fewer_groups_than_folds_are_told():
    with pytest.raises(PipelineError, match="3 groups, 5 folds need as many"):
        repeated_folds(Y, 5, 1, 0, np.arange(50) % 3)


@pytest.mark.parametrize(
    ("fold", "told"),
    [
        (([0, 1], [2, 45]), "fold 2 of 5 has no row of class yes to train on"),
        (([0, 45], [46]), "fold 2 of 5 has no row of class no to be scored"),
        (([0, 45], []), "fold 2 of 5 has no row of class no to be scored"),
    ],
)
def test_a_fold_without_a_class_is_told(fold, told):
    good = repeated_folds(Y, 5, 2, 3)
    check_folds(good, Y, ["no", "yes"], 5)
    bad = [*good[:6], tuple(np.array(part, dtype=int) for part in fold)]
    with pytest.raises(PipelineError, match=told):
        check_folds(bad, Y, ["no", "yes"], 5)
