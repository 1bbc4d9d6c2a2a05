import numpy as np
import pandas as pd
import pytest

from pipeline.data.source_split import check_counts, split_source
from pipeline.errors import PipelineError

FEATURES = {"a": None, "b": None}
ROWS = [(f"P{row % 40}", row, row * 0.5, row % 7, "ny"[row % 2]) for row in range(200)]
HEADER = ("who", "when", "a", "b", "y")


def content(rows=ROWS, header=HEADER):
    return pd.DataFrame(rows, columns=list(header)).to_csv(index=False)


@pytest.fixture
def split_table(write_csv, make_params, tmp_path, monkeypatch):
    """Split a table; `test_rows` are written to a file of their own."""
    monkeypatch.chdir(tmp_path)

    def split(rows=ROWS, header=HEADER, test_rows=None, test_size=0.2, positive_class="y", **data):
        if test_rows is not None:
            (tmp_path / "later.csv").write_text(content(test_rows, header))
            data["test_file"] = "later.csv"
        params = make_params(
            FEATURES,
            positive_class=positive_class,
            ignore=["who", "when"],
            data=data,
            preprocess={"test_size": test_size},
        )
        found = split_source(write_csv(content(rows, header)), params)
        check_counts(found, params)
        return found

    return split


def column(table, name):
    return table.cells[name].tolist()


def test_every_row_is_on_one_side_in_its_order(split_table):
    split = split_table()
    sides = [[float(text) for text in column(table, "a")] for table in split[:2]]
    assert sorted(sides[0] + sides[1]) == [row[2] for row in ROWS]
    assert all(side == sorted(side) for side in sides)
    assert 20 < len(sides[1]) < 60


def test_columns_that_are_ignored_say_which_row_it_is_and_row_numbers_do_not(split_table):
    whole = column(split_table().test, "a")
    renumbered = [(row[0], 1000 - row[1], *row[2:]) for row in ROWS]
    assert column(split_table(renumbered).test, "a") != whole
    numbers = {"row_numbers": ["when"]}
    assert column(split_table(**numbers).test, "a") == column(
        split_table(renumbered, **numbers).test, "a"
    )


def test_a_group_is_on_one_side(split_table):
    split = split_table(group="who")
    assert {*column(split.training, "who")} & {*column(split.test, "who")} == set()
    assert len({*split.training.groups}) == len({*column(split.training, "who")})


def test_from_a_time_on_rows_are_for_the_test(split_table):
    split = split_table(time="when", test_from=150, group="who")
    assert split.training.times.max() == 149
    assert split.test.times.tolist() == list(range(150, 200))
    assert {*column(split.training, "who")} & {*column(split.test, "who")}


LATER = [(f"Q{row}", row, row * 0.5, 1, "ny"[row % 2]) for row in range(300, 320)]


def test_a_file_of_test_rows_leaves_the_table_to_training(split_table):
    split = split_table(test_rows=LATER)
    assert (len(split.training.y), len(split.test.y)) == (200, 20)
    assert column(split.test, "a")[0] == "150.0"


def test_a_row_in_both_files_is_refused_with_both_numbers(split_table):
    again = ("P3", 3, "1.50", "3.0", "y")
    with pytest.raises(PipelineError) as error:
        split_table(test_rows=[LATER[0], again, *LATER[1:]])
    assert str(error.value).startswith("later.csv, row 2: has a row that row 4 of ")
    split_table(test_rows=[LATER[0], (*again[:-1], "n"), *LATER[1:]])  # of the other class


def test_a_row_in_both_files_is_found_whatever_its_number(split_table):
    with pytest.raises(PipelineError, match=r"later\.csv, row 1: has a row that row 4 of "):
        split_table(test_rows=[("P3", 999, 1.5, 3, "y"), *LATER], row_numbers=["when"])


def test_a_group_in_both_files_is_refused(split_table):
    with pytest.raises(PipelineError, match=r"row 21: has who \(data.group\) that row 6 of .* has"):
        split_table(test_rows=[*LATER, ("P5", 999, 9.9, 3, "y")], group="who")


def test_a_file_of_test_rows_is_checked_as_the_table_is(split_table):
    with pytest.raises(PipelineError, match=r"later\.csv, row 1, column a: 'x' is not a number"):
        split_table(test_rows=[("Q", 1, "x", 1, "y"), *LATER])
    with pytest.raises(PipelineError, match=r"later\.csv, column y: its classes are not those of"):
        split_table(test_rows=[(*row[:-1], "my"[row[1] % 2]) for row in LATER])


def few(of_class, rows):
    """Take all rows of one class, and of the other as many."""
    rarer = [row for row in ROWS if row[-1] == of_class]
    return [row for row in ROWS if row[-1] != of_class] + rarer[:rows]


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"test_from": 8}, "set data.test_from later"),
        ({"test_from": 191}, "set data.test_from earlier"),
    ],
)
def test_too_few_rows_at_a_time_are_a_sentence_with_the_remedy(split_table, changes, end):
    with pytest.raises(PipelineError) as error:
        split_table(time="when", **changes)
    assert str(error.value).endswith(end) or f", or {end}" in str(error.value)


def test_too_few_rows_of_a_class_are_a_sentence_with_the_counts(split_table):
    with pytest.raises(PipelineError) as error:
        split_table(few("y", 9))
    said = str(error.value)
    assert said.startswith("class y has ")
    assert "for the test: 5 (grid_search.folds + 2) and 5 are needed; give more rows" in said
    assert said.endswith("or set a larger preprocess.test_size, or try another seed")


def test_rare_one_of_several_classes_may_be_left_out_or_merged(split_table):
    rows = [(*row[:-1], "z") if place < 6 else row for place, row in enumerate(ROWS)]
    with pytest.raises(PipelineError, match=r"^class z has ") as error:
        split_table(rows, positive_class=None)
    assert str(error.value).endswith(", or leave its rows out, or merge it with another class")


def test_too_few_rows_for_training_ask_for_a_smaller_test(split_table):
    with pytest.raises(PipelineError) as error:
        split_table(few("y", 30), test_size=0.95)
    assert str(error.value).endswith(
        "give more rows, or lower grid_search.folds, or set a smaller preprocess.test_size, "
        "or try another seed"
    )


def test_too_few_rows_in_the_file_of_the_test_ask_for_more(split_table):
    with pytest.raises(PipelineError, match=r"and 4 for the test: .* give more rows$"):
        split_table(test_rows=LATER[:9])


def test_just_enough_rows_of_a_class_are_taken(split_table):
    rows = [*ROWS[:10], *ROWS[100:110]]
    enough = split_table(rows, time="when", test_from=100)
    assert np.bincount(enough.test.y).tolist() == [5, 5]
    with pytest.raises(PipelineError, match="and 4 for the test"):
        split_table(rows[:-1], time="when", test_from=100)
    with pytest.raises(PipelineError, match="has 4 rows for training"):
        split_table(rows[1:], time="when", test_from=100)
