from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.contract import data_contract, read_classes, target_values
from pipeline.data.source import read_source
from pipeline.data.table import read_split
from pipeline.errors import PipelineError
from serving.model.contract import Contract, Feature

TWO = {"a": None, "b": None}


@pytest.fixture
def read_table(write_csv, make_params):
    def read_text(content, features=TWO, **options):
        return read_source(write_csv(content), make_params(features, **options).data)

    return read_text


@pytest.fixture
def refusal(read_table, tmp_path):
    """Give the lines of the refusal, without the file that each of them names first."""

    def refuse(content, features=TWO, **options):
        with pytest.raises(PipelineError) as error:
            read_table(content, features, **options)
        lines = str(error.value).splitlines()
        named = str(tmp_path / "table.csv")
        assert all(line.startswith((named, "…")) for line in lines)
        return [line.removeprefix(named).lstrip(":, ") for line in lines]

    return refuse


CLASSES = ("Adelie", "Chinstrap", 3)


def split_of(tmp_path, *targets):
    path = tmp_path / "training.csv"
    path.write_text("a,y\n" + "".join(f"{row},{text}\n" for row, text in enumerate(targets)))
    return read_split(path, Contract(target="y", classes=CLASSES, features=(Feature(name="a"),)))


def test_a_class_is_its_place_among_the_contracts(tmp_path):
    table = split_of(tmp_path, "3", "Adelie", "Chinstrap", "3.0", "Adelie")
    assert table.y.tolist() == [2, 0, 1, 2, 0]


def test_a_class_that_the_contract_does_not_have_is_refused(tmp_path):
    with pytest.raises(PipelineError, match=r"row 2, column y: 'Gentoo' is none of Adelie, Chin"):
        split_of(tmp_path, "Adelie", "Gentoo")


def test_a_missing_column_is_named(refusal):
    assert refusal("a,y\n1,0\n2,1\n") == [
        "the column b is missing; it is named under data in params.yaml"
    ]


def test_a_missing_target_is_named(refusal):
    assert refusal("a,b\n1,0\n2,1\n")[0].startswith("the column y is missing")


def test_an_extra_column_is_named(refusal):
    assert refusal("a,b,y,z\n1,1,0,0\n2,1,1,0\n") == [
        "the column z is not known; name it in params.yaml, under data.features or data.ignore"
    ]


def test_a_column_to_ignore_is_left_out(read_table):
    table = read_table("id,a,b,y\nx,1,2,0\ny,3,4,1\n", ignore=["id"])
    assert list(table.cells.columns) == ["a", "b", "y"]
    assert table.notes == ()


def test_a_column_that_stands_twice_is_named(refusal):
    assert refusal("a,b,b,y\n1,1,1,0\n2,1,1,1\n") == ["the column b is in the header twice"]


def test_only_the_first_ten_of_many_columns_are_named(refusal):
    names = [f"x{number}" for number in range(12)]
    (line,) = refusal(f"a,b,y,{','.join(names)}\n" + ",".join("1" * 15) + "\n")
    assert line.startswith("the column x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, … (12 in all)")


@pytest.mark.parametrize(
    "text", ["high", "1_0", "0x1F", "True", "1,5", "٣", "1 2", "+", "inf", "-Infinity"]
)
def test_text_in_a_number_is_named_by_row_and_column(refusal, text):
    content = f'a,b,y\n1,2,0\n3,"{text}",1\n'
    assert refusal(content) == [f"row 2, column b: {text!r} is not a number"]


def test_long_text_is_shortened(refusal):
    assert refusal(f"a,b,y\n1,2,0\n{'x' * 200},1,1\n") == [
        f"row 2, column a: '{'x' * 37}...' is not a number"
    ]


@pytest.mark.parametrize(("text", "number"), [("1e400", "inf"), ("-1e400", "-inf")])
def test_a_number_beyond_float64_is_refused(refusal, text, number):
    assert refusal(f"a,b,y\n1,2,0\n3,{text},1\n") == [
        f"row 2, column b: {number} is not a finite number"
    ]


@pytest.mark.parametrize("blank", ["", " ", "NA", "nan", "null", "None"])
def test_a_blank_is_refused_where_the_contract_does_not_allow_it(refusal, blank):
    assert refusal(f"a,b,y\n1,2,0\n{blank},2,1\n") == [
        "row 2, column a: is missing, and may not be"
    ]


@pytest.mark.parametrize("blank", ["", " ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
def test_a_blank_is_missing_where_the_contract_allows_it(read_table, blank):
    table = read_table(f"a,b,y\n1,2,0\n{blank},2,1\n", {"a": {"nullable": True}, "b": None})
    np.testing.assert_array_equal(table.X, [[1, 2], [np.nan, 2]])
    assert table.cells["a"].iloc[1] == blank


@pytest.mark.parametrize(
    ("value", "what"),
    [("9.9", "9.9 is below the lowest possible, 10"), ("21", "21 is above the highest possible,")],
)
def test_a_value_outside_its_limits_is_refused(refusal, value, what):
    (line,) = refusal(f"a,b,y\n10,2,0\n20,2,1\n{value},2,1\n", {"a": {"limits": [10, 20]}, "b": {}})
    assert line.startswith(f"row 3, column a: {what}")


def test_a_value_that_means_missing_is_exempt_from_the_limits(read_table):
    features = {"a": {"missing_values": [0, -9], "limits": [10, 20]}, "b": {"nullable": True}}
    table = read_table("a,b,y\n0,2,0\n-9,,1\n,3,1\n10,1,0\n", features)
    np.testing.assert_array_equal(
        table.X, [[0, 2], [-9, np.nan], [np.nan, 3], [10, 1]]
    )  # as written: what means missing is marked inside the model


def test_a_fraction_is_no_integer(refusal):
    assert refusal("a,b,y\n1,2,0\n1.5,2,1\n", {"a": {"type": "integer"}, "b": {}}) == [
        "row 2, column a: 1.5 is not a whole number"
    ]


def test_booleans_are_read_from_words_and_figures(read_table):
    content = "a,b,y\ntrue,1,0\nFALSE,2,1\n1,3,0\n0.0,4,1\n True ,5,1\n"
    table = read_table(content, {"a": {"type": "boolean"}, "b": {}})
    assert table.X[:, 0].tolist() == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("text", "what"),
    [("yes", "'yes' is not true or false"), ("2", "2 is neither true (1) nor false (0)")],
)
def test_what_is_no_boolean_is_refused(refusal, text, what):
    content = f"a,b,y\ntrue,2,0\n{text},2,1\n"
    assert refusal(content, {"a": {"type": "boolean"}, "b": {}}) == [f"row 2, column a: {what}"]


def test_ten_of_many_faults_are_told_row_by_row(refusal):
    rows = "".join(f"x,inf,{row % 2}\n" for row in range(7))
    lines = refusal(f"a,b,y\n{rows}")
    assert len(lines) == 11
    assert lines[:3] == [
        "row 1, column a: 'x' is not a number",
        "row 1, column b: 'inf' is not a number",
        "row 2, column a: 'x' is not a number",
    ]
    assert lines[-1] == "… and 4 more"


def test_ten_faults_are_told_without_a_remainder(refusal):
    assert len(refusal("a,b,y\n" + "x,x,0\nx,x,1\n" * 2 + "x,x,1\n")) == 10


def test_an_empty_file_is_refused(refusal):
    assert refusal("") == ["is empty: it needs a header and rows"]
    assert refusal("\n\n") == ["is empty: it needs a header and rows"]


def test_a_header_alone_is_refused(refusal):
    assert refusal("a,b,y\n") == ["has a header, but no rows"]
    assert refusal("a,b,y") == ["has a header, but no rows"]


def test_a_file_that_is_not_there_is_named(tmp_path, make_params):
    with pytest.raises(PipelineError, match=r"none\.csv cannot be read: No such file"):
        read_source(tmp_path / "none.csv", make_params(TWO).data)


@pytest.mark.parametrize("rows", [1, 20_000])
def test_a_file_that_is_not_utf_8_is_refused(refusal, rows):
    content = b"a,b,y\n" + b"1,2,0\n" * rows + b"3,\xe9,1\n"
    (line,) = refusal(content)
    assert line.startswith(
        "is in cp1252, where data.read in params.yaml says plain CSV: "
        'write `read: {"encoding":"cp1252"}` there'
    )


def test_utf_16_is_recognized(refusal):
    (line,) = refusal("a,b,y\n1,2,0\n".encode("utf-16"))
    assert line.startswith("is in utf-16, where data.read in params.yaml says plain CSV")


def test_a_byte_order_mark_is_no_part_of_the_first_name(read_table):
    assert list(read_table("\ufeffa,b,y\n1,2,0\n3,4,1\n").cells.columns) == ["a", "b", "y"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_passed_over_and_not_counted(refusal, read_table, end):
    assert len(read_table(end.join(["a,b,y", "1,2,0", "", "   ", "3,4,1", ""])).y) == 2
    assert refusal(end.join(["a,b,y", "1,2,0", "", "   ", "3,x,1"]))[0].startswith("row 2, ")


@pytest.mark.parametrize(("row", "fields"), [("3,4,1,9", 4), ("3,4", 2), ("3", 1), ("3,4,1,", 4)])
def test_a_row_of_another_length_is_named(refusal, row, fields):
    assert refusal(f"a,b,y\n1,2,0\n{row}\n") == [f"row 2: has {fields} fields, the header has 3"]


def test_a_short_row_is_refused_where_the_rest_could_be_missing(refusal):
    features = {"a": {"nullable": True}, "b": {"nullable": True}}
    assert refusal("y,a,b\n0,1,2\n1,3\n", features) == ["row 2: has 2 fields, the header has 3"]


def test_an_open_quote_is_refused(refusal):
    (line,) = refusal('a,b,y\n1,2,0\n3,4,"1\n')
    assert line == "row 2: opens a quote that is never closed: close it or take it out"


def test_an_open_quote_in_a_large_table_is_refused(refusal):
    (line,) = refusal('a,b,y\n1,2,"0\n' + "1,2,0\n" * 30_000)
    assert line.startswith("is not a CSV table")
    assert line.endswith("is a quote left open?")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ("00", "has 1 class (0), two are needed"),
    ],
)
def test_a_target_needs_two_classes_at_least(refusal, values, what):
    rows = "".join(f"1,2,{value}\n" for value in values)
    assert refusal(f"a,b,y\n{rows}") == [f"column y: {what}"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([value / 10 for value in range(1, 31)], "has 30 different numbers, from 0.1 to 3,"),
        ([1.5, 2, 7], "has 3 different numbers, from 1.5 to 7,"),
        (range(21), "has 21 different numbers, from 0 to 20,"),
    ],
)
def test_target_that_is_a_quantity_is_told_as_such(refusal, values, told):
    rows = "".join(f"1,2,{value}\n" for value in values)
    (line,) = refusal(f"a,b,y\n{rows}")
    assert line.startswith(f"column y: {told}")
    assert "as a quantity has, and classes are predicted here" in line


def test_rows_without_a_target_are_left_out_and_counted(read_table, tmp_path):
    table = read_table("a,b,y\n1,2,0\n1,2,\n1,3,1\n1,2,NA\n5,6,1\n")
    assert table.cells["a"].tolist() == ["1", "1", "5"]
    assert table.notes == (
        f"{tmp_path}/table.csv, column y: 2 rows have no target (rows 2, 4), and are left out",
    )


def test_rows_keep_their_numbers_behind_those_that_are_left_out(refusal):
    assert refusal("a,b,y\n1,2,\n,,\n1,3,1\nx,2,0\n1,2,0\n") == [
        "row 3, column a: 'x' is not a number"
    ]


def test_a_table_most_of_whose_rows_have_no_target_is_refused(refusal):
    assert refusal("a,b,y\n1,2,0\n1,2,\n1,2,1\n1,2,NA\n1,3,\n") == [
        "column y: is missing in 3 of 5 rows: fill it in"
    ]


def test_a_word_for_missing_that_is_all_beside_one_class_is_a_class(read_table, tmp_path):
    table = read_table("a,b,y\n1,2,None\n1,4,Yes\n1,3,None\n", positive_class="Yes")
    assert (table.contract.classes, table.y.tolist()) == (("None", "Yes"), [0, 1, 0])
    assert table.notes == (f"{tmp_path}/table.csv, column y: 'None' is read as a class",)


def test_the_positive_class_must_stand_in_the_target(refusal):
    assert refusal("a,b,y\n1,2,no\n1,2,yes\n", positive_class="true") == [
        "column y: data.positive_class is True, but the values are no, yes"
    ]


def test_of_two_classes_the_positive_one_must_be_named(refusal):
    assert refusal("a,b,y\n1,2,no\n1,2,yes\n", positive_class=None) == [
        "column y: has the classes no, yes: set data.positive_class to the one whose probability "
        "is to be predicted"
    ]


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["b", "a", "c"], ("a", "b", "c")),
        (["10", "9", "2", "9.0"], (2, 9, 10)),
        (["1", "b", "a"], (1, "a", "b")),
    ],
)
def test_several_classes_stand_in_order(make_params, cells, classes):
    data = make_params({"a": None}, positive_class=None).data
    target = pd.Series(cells, name="y")
    assert read_classes(Path("t.csv"), target, data) == classes


def test_of_several_classes_none_is_positive(refusal):
    assert refusal("a,b,y\n1,2,a\n1,2,b\n1,2,c\n", positive_class="a") == [
        "column y: has 3 classes (a, b, c), each with a probability of its own: leave "
        "data.positive_class empty, it is for two"
    ]


def test_more_classes_than_can_be_told_apart_are_refused():
    with pytest.raises(PipelineError, match=r"has 51 classes .* 50 can be told apart: merge some"):
        target_values(Path("t.csv"), pd.Series([f"class {i}" for i in range(51)], name="y"))


@pytest.mark.parametrize(
    ("values", "positive", "classes", "y"),
    [
        (["M", "B", "M"], "M", ("B", "M"), [1, 0, 1]),
        (["M", "B", "M"], "B", ("M", "B"), [0, 1, 0]),
        (["0", "1", "0"], 1, (0, 1), [0, 1, 0]),
        (["0", "1", "0"], 0, (1, 0), [1, 0, 1]),
        (["0.0", "1.0", "1"], 1, (0, 1), [0, 1, 1]),
        (["1", "2", "1"], "2", (1, 2), [0, 1, 0]),
        (["true", "False", "TRUE"], True, ("False", "True"), [1, 0, 1]),
        ([" yes", "no ", "yes"], "yes", ("no", "yes"), [1, 0, 1]),
        (["1", str(2**63 - 1), "1"], 1, (2**63 - 1, 1), [1, 0, 1]),
        (["1", str(2**63), "1"], 1, (str(2**63), 1), [1, 0, 1]),
    ],
)
def test_the_positive_class_is_label_1(read_table, values, positive, classes, y):
    rows = "".join(f"1,{number},{value}\n" for number, value in enumerate(values))
    table = read_table(f"a,b,y\n{rows}", positive_class=positive)
    assert table.contract.classes == classes
    assert table.y.tolist() == y


@pytest.mark.parametrize(
    ("values", "positive", "names", "found"),
    [
        ("01", 1, {0: "healthy", 1: " ill "}, ("healthy", "ill")),
        ("01", 0, {"0": "healthy", 1.0: "ill"}, ("ill", "healthy")),
        (("true", "False"), True, {False: "healthy", True: "ill"}, ("healthy", "ill")),
        ("01", 1, {}, ()),
    ],
)
def test_classes_may_have_names_for_people(read_table, values, positive, names, found):
    rows = "".join(f"1,{number},{value}\n" for number, value in enumerate(values))
    table = read_table(f"a,b,y\n{rows}", positive_class=positive, data={"class_names": names})
    assert table.contract.class_names == found


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ({1: "ill"}, "names 1, but the classes are 0, 1: name each once"),
        ({0: "healthy", 1: "ill", 2: "?"}, "names 0, 1, 2, but the classes are 0, 1: name each"),
        ({0: "healthy", 1: "ill", "1": "sick"}, "names 0, 1, 1, but the classes are 0, 1"),
        ({0: "ill", 1: "ill "}, "has one name for two classes, ill: give each its own"),
        ({0: "ill", 1: " "}, "has an empty name: leave out data.class_names, or name each class"),
    ],
)
def test_names_are_of_each_class_and_differ(refusal, names, what):
    (line,) = refusal("a,b,y\n1,2,0\n1,2,1\n", data={"class_names": names})
    assert line.startswith(f"column y: data.class_names {what}")


def test_repeated_rows_are_told_and_kept(read_table):
    table = read_table("a,b,y\n1,2,0\n3,4,1\n1,2,0\n1,2,1\n3,4,1\n")
    (note,) = table.notes
    assert note.endswith(
        "table.csv, rows 3, 5: 2 rows repeat an earlier one, and are kept; "
        "equal rows are on one side of the split (data.repeats: together)"
    )
    assert len(table.y) == 5


def test_ten_of_many_repeated_rows_are_told(read_table):
    (note,) = read_table("a,b,y\n3,4,1\n" + "1,2,0\n" * 13).notes
    assert "rows 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 …: 12 rows repeat an earlier one" in note


@pytest.mark.parametrize("header", ["", " ", "Unnamed: 0", '""'])
def test_an_unnamed_index_is_left_out_with_a_note(read_table, tmp_path, header):
    table = read_table(f"{header},a,b,y\n0,1,2,0\n1,3,4,1\n")
    assert list(table.cells.columns) == ["a", "b", "y"]
    assert table.X.tolist() == [[1, 2], [3, 4]]
    path = tmp_path / "table.csv"
    assert table.notes == (f"{path}: the unnamed column 1 is an index, no feature: left out",)


def test_columns_are_put_in_the_order_of_the_settings(read_table):
    table = read_table("y,b, a \n0,2,1\n1,4,3\n")
    assert table.contract.names == ["a", "b"]
    assert list(table.cells.columns) == ["a", "b", "y"]
    assert table.X.tolist() == [[1, 2], [3, 4]]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20))
@settings(max_examples=50)
def test_a_number_is_read_to_the_last_bit(tmp_path_factory, make_params, values):
    path = tmp_path_factory.mktemp("bits") / "table.csv"
    path.write_text("a,y\n" + "".join(f"{v!r},{i % 2}\n" for i, v in enumerate(values)))
    table = read_source(path, make_params({"a": None}).data)
    assert table.X[:, 0].tolist() == values


def test_a_split_that_was_changed_by_hand_is_refused(write_csv, make_params):
    contract = data_contract(make_params(TWO).data, (0, 1))
    with pytest.raises(PipelineError, match="does not have the contract's columns: run `dvc"):
        read_split(write_csv("b,a,y\n1,2,0\n"), contract)
    with pytest.raises(PipelineError, match="row 1, column a: 'x' is not a number"):
        read_split(write_csv("a,b,y\nx,2,0\n"), contract)


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(read_table, separator, name):
    with pytest.raises(PipelineError, match=f"is separated by {name}, where data.read"):
        read_table("a,b,y\n1,2,0\n3,4,1\n".replace(",", separator))


COLOUR = {"type": "category", "categories": ["red", "green", "None"], "missing_values": ["?"]}
COLOURS = "c,y\nred,0\n green,1\n?,0\nNone,1\n,0\nNA,1\n"


def test_categories_are_read_as_their_places(read_table):
    table = read_table(COLOURS, {"c": COLOUR})
    np.testing.assert_array_equal(table.X[:, 0], [0, 1, np.nan, 2, np.nan, np.nan])
    assert table.cells["c"].tolist() == ["red", " green", "?", "None", "", "NA"]
    assert [note for note in table.notes if "none of the categories" in note] == []


def test_a_text_that_is_no_category_is_refused_with_row_and_column(refusal):
    assert refusal(COLOURS + "mauve,0\nRed,1\n", {"c": COLOUR}) == [
        'row 7, column c: "mauve" is none of the categories red, green, None',
        'row 8, column c: "Red" is none of the categories red, green, None',
    ]


def test_a_text_that_is_no_category_may_be_taken_as_missing_and_is_counted(read_table, tmp_path):
    table = read_table(
        COLOURS + "mauve,0\n mauve,1\nteal,1\n", {"c": {**COLOUR, "unseen": "missing"}}
    )
    assert np.isnan(table.X[-3:, 0]).all()
    assert table.notes[2] == (
        f"{tmp_path / 'table.csv'}, column c: 3 cells are none of the categories, and taken as "
        "missing: 'mauve', 'teal'"
    )
    one = read_table(COLOURS + "mauve,0\n", {"c": {**COLOUR, "unseen": "missing"}})
    assert "column c: 1 cell is none of the categories" in one.notes[2]


def test_a_category_that_may_not_be_missing_is_refused_where_it_is(refusal):
    strict = {"type": "category", "categories": ["red", "green"]}
    assert refusal("c,y\nred,0\n,1\nNA,1\n", {"c": strict}) == [
        "row 2, column c: is missing, and may not be",
        "row 3, column c: is missing, and may not be",
    ]


def test_a_split_with_categories_is_read_as_it_was(read_table, write_csv):
    table = read_table(COLOURS + "mauve,0\n", {"c": {**COLOUR, "unseen": "missing"}})
    again = read_split(write_csv(table.cells.to_csv(index=False)), table.contract)
    np.testing.assert_array_equal(again.X, table.X)


VISITS = {"a": None, "b": None}
OF_VISITS = {"group": "who", "time": "when", "test_from": "2024-03-01"}
VISIT_ROWS = (
    "who,when,a,b,y\nP1,2024-01-02,1,2,0\np2,2024-03-01T12:00,3,4,1\n P1,2024-01-02 01:00,5,6,1\n"
)


@pytest.fixture
def read_visits(write_csv, make_params):
    def read(content=VISIT_ROWS, **data):
        return read_source(write_csv(content), make_params(VISITS, data={**OF_VISITS, **data}).data)

    return read


def test_groups_are_numbered_and_times_are_seconds(read_visits):
    table = read_visits()
    assert table.groups.tolist() == [0, 1, 0]
    day = 19724 * 86400  # 2024-01-02
    assert table.times.tolist() == [day, day + 59 * 86400 + 12 * 3600, day + 3600]
    assert list(table.cells.columns) == ["a", "b", "y", "who", "when"]
    taken = table.take(np.array([2, 1]))
    assert taken.groups.tolist() == [0, 1]
    assert taken.times.tolist() == table.times[[2, 1]].tolist()


def test_without_settings_there_are_no_groups_and_times(read_table):
    table = read_table("a,b,y\n1,2,0\n3,4,1\n")
    assert (table.groups, table.times) == (None, None)


def test_a_split_gives_back_its_groups_and_times(read_visits, write_csv, make_params):
    table = read_visits()
    split = write_csv(table.cells.to_csv(index=False))
    data = make_params(VISITS, data=OF_VISITS).data
    again = read_split(split, table.contract, data)
    assert again.groups.tolist() == table.groups.tolist()
    assert again.times.tolist() == table.times.tolist()
    without = read_split(split, table.contract)
    assert (without.groups, without.times) == (None, None)
    assert list(without.cells.columns) == ["a", "b", "y"]
    with pytest.raises(PipelineError, match="does not have the contract's columns: run `dvc"):
        read_split(write_csv("a,b,y\n1,2,0\n"), table.contract, data)


def test_a_year_is_a_time_and_a_feature_may_be_the_group(read_visits):
    content = "a,b,y\n2020,2,0\n2021.5,2,1\n"
    table = read_visits(content, group="b", time="a", test_from=2021)
    assert table.times.tolist() == [2020, 2021.5]
    assert table.groups.tolist() == [0, 0]
    assert list(table.cells.columns) == ["a", "b", "y"]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (",2024-01-01,1,2,0", "column who: is missing, and data.group is to keep the rows of a"),
        ("P9,soon,1,2,0", "column when: 'soon' is not an ISO date such as 2024-03-01, which"),
        ("P9,,1,2,0", "column when: '' is not an ISO date"),
        ("P9,today,1,2,0", "column when: 'today' is not an ISO date"),
        ("P9,01.02.2024,1,2,0", "column when: '01.02.2024' is not an ISO date"),
    ],
)
def test_a_row_without_its_group_or_time_is_refused(read_visits, tmp_path, row, what):
    with pytest.raises(PipelineError) as error:
        read_visits(VISIT_ROWS + row + "\n")
    assert str(error.value).startswith(f"{tmp_path / 'table.csv'}, row 4, {what}")


def test_a_time_to_split_at_that_is_none_is_refused(read_visits):
    with pytest.raises(
        PipelineError, match=r"data\.test_from in params\.yaml: 'spring' is not an ISO"
    ):
        read_visits(test_from="spring")
    with pytest.raises(PipelineError, match="row 1, column when: '2024-01-02' is not a number"):
        read_visits(test_from=2024)


def test_a_column_of_the_group_that_is_not_there_is_named(read_visits):
    with pytest.raises(PipelineError, match="the column nobody is missing; it is named under data"):
        read_visits(group="nobody")
