"""The rows to compare on: test rows of both, by the rules, on tables made up."""

import msgspec
import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.row_codes import row_codes, row_digests
from pipeline.data.split import SplitRule, is_test
from pipeline.data.table import Table
from pipeline.promotion.compared_rows import sides, too_few
from serving.model.contract import Contract, Feature

COLUMNS = ("a", "b", "group", "day")
ROW = st.tuples(
    st.integers(0, 30), st.integers(0, 3), st.sampled_from("PQRST"), st.integers(2000, 2010)
)
ROWS = st.lists(ROW, min_size=1, max_size=40)
BY_HASH = st.builds(
    SplitRule,
    seed=st.integers(0, 50),
    test_size=st.sampled_from([0.2, 0.5, 0.8]),
    target=st.just("y"),
    columns=st.sampled_from([COLUMNS, COLUMNS[:2]]),
    group=st.sampled_from([None, "group"]),
)
BY_TIME = BY_HASH.map(lambda rule: msgspec.structs.replace(rule, time="day", test_from=2005))
RULES = BY_HASH | BY_TIME


def table(rows):
    return pd.DataFrame([[*map(str, row), "1"] for row in rows], columns=[*COLUMNS, "y"])


def identities(cells):
    """Return what tells the rows of a table apart."""
    return set(row_digests(row_codes(cells, COLUMNS)).tolist())


@given(ROWS, ROWS, RULES, RULES, st.randoms())
def test_no_row_of_the_champion_s_training_is_compared_on(before, more, ours, theirs, random):
    """Its table may have had other rows, in another order."""
    then, now = table(before), table(random.sample([*before, *more], len(before) + len(more)))
    learned = identities(then[~is_test(then, theirs)])
    own, both = sides(now, ours, theirs)
    assert not learned & identities(now[own][both])
    assert not identities(now[~own]) & identities(now[own][both])


@settings(max_examples=100)
@given(ROWS, RULES, RULES)
def test_every_row_that_both_rules_call_test_is_compared_on(rows, ours, theirs):
    cells = table(rows)
    own, both = sides(cells, ours, theirs)
    expected = np.flatnonzero(is_test(cells, ours) & is_test(cells, theirs))
    assert np.flatnonzero(own)[both].tolist() == expected.tolist()


@given(ROWS, RULES)
def test_under_one_rule_all_test_rows_are(rows, rule):
    assert sides(table(rows), rule, rule)[1].all()


@given(ROWS, RULES)
def test_of_a_file_of_test_rows_those_are_that_the_champion_calls_test(rows, rule):
    cells = table(rows)
    own, both = sides(cells, None, rule)
    assert own.all()
    assert both.tolist() == is_test(cells, rule).tolist()


def of_classes(*counts):
    """Give a table with so many rows of each class, and all its rows."""
    classes = tuple("abcd"[: len(counts)])
    y = np.repeat(np.arange(len(counts)), counts)
    contract = Contract(target="y", classes=classes, features=(Feature(name="x"),))
    table_of_classes = Table(pd.DataFrame({"x": y}), y[:, np.newaxis].astype(float), y, contract)
    return table_of_classes, np.arange(len(y))


def test_too_few_rows_of_any_class_are_counted():
    assert too_few(*of_classes(5, 5, 5)) is None
    assert too_few(*of_classes(5, 9, 0)) == (
        "of the 14 test rows only 0 of class c are surely new to it, and 5 of each are needed"
    )
    assert too_few(*of_classes(5, 4)) == (
        "of the 9 test rows only 5 of class a and 4 of class b are surely new to it, and 5 of each "
        "are needed"
    )
