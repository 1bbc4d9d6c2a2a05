from collections import Counter

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.split import SplitRule, hashed_columns, is_test, row_shares

COLUMNS = ("a", "b", "c")
ROW = st.tuples(
    st.floats(-1e6, 1e6).map(lambda number: number + 0.0),
    st.sampled_from(["red", "green", "", "true"]),
    st.integers(-3, 3),
    st.sampled_from(["no", "yes"]),
)
ROWS = st.lists(ROW, min_size=1, max_size=40)
SEEDS = st.integers(0, 2**32 - 1)


def rule(**changes):
    given = {"seed": 42, "test_size": 0.4, "target": "y", "columns": COLUMNS, **changes}
    return SplitRule(**given)


def table(rows):
    """Write rows as they are met in a file; the target is the last column."""
    return pd.DataFrame([[str(cell) for cell in row] for row in rows], columns=[*COLUMNS, "y"])


def test_rows(cells, how):
    """Return the test rows with their counts: what stands on that side, in whatever order."""
    return Counter(map(tuple, cells.loc[is_test(cells, how), [*COLUMNS, "y"]].to_numpy().tolist()))


test_rows.__test__ = False
RULES = st.builds(rule, seed=SEEDS, repeats=st.sampled_from(["together", "apart"]))


@given(ROWS, ROWS, RULES)
def test_appended_rows_move_none(rows, more, how):
    before = is_test(table(rows), how)
    after = is_test(table([*rows, *more]), how)
    assert after[: len(rows)].tolist() == before.tolist()


@given(ROWS, RULES, st.randoms(), st.permutations([*COLUMNS, "y"]))
def test_another_order_of_rows_and_columns_moves_none(rows, how, random, columns):
    shuffled = random.sample(rows, len(rows))
    assert test_rows(table(rows), how) == test_rows(table(shuffled)[columns], how)


WORDS = {"": "NA", "true": "TRUE", "red": " red ", "green": "green"}


@given(ROWS, RULES)
def test_another_way_of_writing_moves_none(rows, how):
    written = table(rows)
    otherwise = pd.DataFrame(
        {
            "a": [f"{row[0]:+.20e}" for row in rows],
            "b": [WORDS[row[1]] for row in rows],
            "c": [f" {row[2]}.0" for row in rows],
            "y": written["y"],
        }
    )
    assert is_test(otherwise, how).tolist() == is_test(written, how).tolist()


@given(ROWS, SEEDS)
def test_the_target_moves_no_row_and_equal_rows_are_on_one_side(rows, seed):
    shares = row_shares(table(rows), rule(seed=seed))
    sides = {}
    for row, share in zip(rows, shares, strict=True):
        assert sides.setdefault(row[:-1], share) == share
    assert row_shares(table(rows).assign(y="no"), rule(seed=seed)).tolist() == shares.tolist()


def test_apart_each_repeat_has_a_share_of_its_own_and_the_first_that_of_together():
    cells = table([(1.5, "red", 1, "no")] * 400 + [(2.5, "red", 1, "no")])
    together, apart = (row_shares(cells, rule(repeats=how)) for how in ("together", "apart"))
    assert len({*together[:400]}) == 1
    assert len({*apart}) == 401
    assert apart[[0, 400]].tolist() == together[[0, 400]].tolist()
    assert 0.3 < is_test(cells, rule(repeats="apart")).mean() < 0.5


@given(SEEDS)
def test_apart_equal_rows_of_two_classes_may_stand_in_any_order(seed):
    rows = [(1.5, "red", 1, answer) for answer in ("no", "yes", "yes")]
    how = rule(seed=seed, repeats="apart")
    assert test_rows(table(rows), how) == test_rows(table(rows[::-1]), how)


@given(ROWS, SEEDS, st.sampled_from(["b", "c"]))
def test_the_rows_of_a_group_are_never_on_both_sides(rows, seed, group):
    cells = table(rows)
    of_test = is_test(cells, rule(seed=seed, group=group, repeats="apart"))
    sides = [set(cells[group][mask]) for mask in (of_test, ~of_test)]
    assert sides[0] & sides[1] == set()


def test_a_group_is_told_by_its_value_as_it_is_read():
    cells = pd.DataFrame({"who": ["7", "7.0", " 7", "8"], "y": list("abab")})
    shares = row_shares(cells, rule(columns=("who",), group="who"))
    assert shares[0] == shares[1] == shares[2] != shares[3]


DATES = st.lists(st.dates(), min_size=1, max_size=30)


@given(DATES, st.dates())
def test_all_training_rows_are_before_the_test_rows(dates, test_from):
    cells = pd.DataFrame({"when": [date.isoformat() for date in dates]})
    how = rule(columns=(), time="when", test_from=test_from.isoformat())
    assert is_test(cells, how).tolist() == [date >= test_from for date in dates]


def test_a_year_splits_by_its_number():
    cells = pd.DataFrame({"year": ["2023", "2024.0", "2024.5", "1999"]})
    assert is_test(cells, rule(time="year", test_from=2024)).tolist() == [False, True, True, False]


def test_the_share_of_test_rows_is_near_to_what_is_asked():
    rng = np.random.default_rng(0)
    cells = pd.DataFrame({"a": rng.normal(size=20_000).astype(str), "y": "0"})
    for size in (0.05, 0.2, 0.5):
        share = is_test(cells, rule(columns=("a",), test_size=size)).mean()
        assert share == pytest.approx(size, abs=4 * np.sqrt(size * (1 - size) / 20_000))


@given(ROWS, SEEDS, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_larger_test_takes_from_training_alone(rows, seed, one, other):
    small, large = (
        is_test(table(rows), rule(seed=seed, test_size=s)) for s in sorted((one, other))
    )
    assert not np.any(small & ~large)


def test_another_seed_is_another_split():
    cells = table([(number, "red", 1, "no") for number in range(200)])
    sides = {tuple(is_test(cells, rule(seed=seed)).tolist()) for seed in range(5)}
    assert len(sides) == 5


def test_a_split_stays_what_it_is():
    # A model in production was trained on its side of this split: it must not move by an upgrade.
    cells = pd.DataFrame({"a": ["1", "2.5", "", "x"], "b": ["true", "no", "-0", "é"]}, dtype=str)
    shares = row_shares(cells, rule(columns=("a", "b")))
    assert shares.round(6).tolist() == [0.204725, 0.607815, 0.485418, 0.555717]


@pytest.mark.parametrize(
    "how",
    [
        rule(),
        rule(group="c", repeats="apart"),
        rule(time="c", test_from="2024-03-01"),
        rule(time="c", test_from=2024),
    ],
)
def test_a_rule_is_read_back_from_its_json(how):
    again = msgspec.json.decode(msgspec.json.encode(how), type=SplitRule)
    assert again == how
    assert type(again.test_from) is type(how.test_from)


FILE = ("id", "a", "", "Unnamed: 3", "b", "note", "y")


@pytest.mark.parametrize(
    ("features", "ignore"),
    [(["a"], ["b", "note"]), (["a", "b"], ["note"]), (["note"], ["b", "a"])],
)
def test_the_choice_of_features_does_not_change_what_is_hashed(make_params, features, ignore):
    params = make_params(
        dict.fromkeys(features), ignore=["id", *ignore], data={"row_numbers": ["id"]}
    )
    assert hashed_columns(params.data, FILE) == ("a", "b", "note")
    assert SplitRule.of(params, FILE[::-1]).columns == ("a", "b", "note")


def test_a_rule_is_that_of_the_settings(make_params):
    params = make_params({"a": None}, data={"group": "who", "repeats": "apart"}, seed=7)
    assert SplitRule.of(params, ("a", "who", "y")) == rule(
        seed=7, test_size=0.2, columns=("a", "who"), repeats="apart", group="who"
    )
