import numpy as np
import pandas as pd
import pytest

from pipeline.profiling.choices import NO_CHOICES, Choices
from pipeline.profiling.columns.column import Left
from pipeline.profiling.table_profile import profile

ROWS = 200
Y = np.arange(ROWS) % 4 == 0


@pytest.fixture
def looked_at():
    """Look at a table of the given columns, and of one that has nothing to do with the target."""

    def look(y=Y, choices=NO_CHOICES, **columns):
        noise = np.random.default_rng(1).normal(size=len(y)).round(6)
        table = {"noise": noise, **columns, "y": np.array(["no", "yes", "perhaps"])[y.astype(int)]}
        return profile(pd.DataFrame(table).astype(str), "y", y, choices=choices)

    return look


def test_each_column_but_the_target_and_the_index_is_a_feature_or_left_out(looked_at):
    found = looked_at(**{"": range(ROWS), "Unnamed: 0": range(ROWS), "a": Y * 0, "b": range(ROWS)})
    assert list(found.features) == ["noise"]
    assert list(found.ignored) == ["a", "b"]


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(np.where(Y, 7.5, 3) + np.arange(ROWS) / 1000, id="a number by its order"),
        pytest.param(np.where(Y, -7.5, 3) + np.arange(ROWS) / 1000, id="the other way round"),
        pytest.param(
            np.where(np.arange(ROWS) % 3, Y * 50 + 30 + np.arange(ROWS) % 7, 999),
            id="a number where it is known",
        ),
        pytest.param(np.where(Y, "gone", "here"), id="a category"),
        pytest.param(np.where(Y, "True", "False"), id="a boolean"),
        pytest.param(np.where(Y, "", np.arange(ROWS) % 7), id="what is absent where it is not"),
        pytest.param(np.where(Y, "?", np.where(np.arange(ROWS) % 3, "a", "b")), id="what is ?"),
    ],
)
def test_a_column_that_gives_the_target_away_is_left_out(looked_at, column):
    found = looked_at(leak=column)
    assert list(found.features) == ["noise"]
    assert found.ignored["leak"].leak
    assert found.ignored["leak"].reason == "alone predicts y (ROC AUC 1.000)"


def test_of_several_classes_a_leak_tells_all_apart(looked_at):
    y = np.arange(ROWS) % 3
    noise = np.arange(ROWS) % 7 / 10
    found = looked_at(y, petal=np.where(y == 0, 1, 9) + noise, code=np.array([*"abc"])[y])
    assert list(found.features) == ["noise", "petal"]
    assert found.ignored["code"].leak


def test_a_column_that_says_much_but_not_all_is_kept(looked_at):
    wrong = Y ^ (np.arange(ROWS) % 25 == 0)
    found = looked_at(good=np.where(wrong, "gone", "here"), number=wrong + np.arange(ROWS) / 1e6)
    assert list(found.features) == ["noise", "good", "number"]


def test_of_few_rows_a_perfect_order_may_be_chance(looked_at):
    y = np.arange(40) < 9
    found = looked_at(y=y, a=np.where(y, 2.5, 1), b=np.where(y, "b", "c"))
    assert list(found.features) == ["noise", "a", "b"]


def test_where_every_column_leaks_they_are_kept_and_that_is_told():
    table = pd.DataFrame({"a": Y + np.arange(ROWS) / 1000, "y": Y}).astype(str)
    found = profile(table, "y", Y)
    assert list(found.features) == ["a"]
    assert found.notes == (
        "column a: alone predicts y (ROC AUC 1.000), and is kept as no other is",
    )


def test_an_almost_constant_column_is_kept_and_told(looked_at):
    found = looked_at(a=["x"] * (ROWS - 2) + ["z"] * 2)
    assert "a" in found.features
    assert found.notes == ("column a: 99.0% of the rows have 'x': it can tell little",)


def test_columns_that_a_user_chooses_are_features_whatever_they_say(looked_at):
    choices = Choices(ignore=("noise",), category=("leak",), number=("id",))
    found = looked_at(choices=choices, leak=np.where(Y, "a", "b"), id=np.arange(ROWS) * 3)
    assert {name: column.type for name, column in found.features.items()} == {
        **{"leak": "category", "id": "integer"}
    }
    assert found.ignored == {"noise": Left("as given")}
    assert found.notes == (
        "column leak: alone predicts y (ROC AUC 1.000): kept all the same; "
        "move it to data.ignore if it is known only after the target",
    )


def test_missing_cells_are_counted_with_those_that_mean_missing(looked_at):
    found = looked_at(kind=["", "?", "a", "b"] * (ROWS // 4), n=["", 999, 1, 2, 3, 4, 5, 6] * 25)
    assert (found.missing["kind"], found.missing["n"], found.missing["noise"]) == (100, 50, 0)
