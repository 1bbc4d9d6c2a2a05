"""The data contract: which rows it takes, and what it says of the others."""

import json
import math

import msgspec
import numpy as np
import pytest

from serving.model.contract import Contract, Feature
from serving.model.rows import LONGEST_NAME, Rows, Unseen, encode_rows, to_matrix
from serving.model.validation import (
    COUNTED,
    InvalidRowsError,
    Violations,
    first_violations,
    training_warnings,
    violations,
)

GOOD = {"Glucose": 148, "Age": 50, "Smoker": True}


def details(contract: Contract, **changes) -> list[str]:
    """Collect what is wrong with the good row once it is changed."""
    try:
        to_matrix(contract, [{**GOOD, **changes}])
    except InvalidRowsError as error:
        return [f"{v.feature} {v.detail}" for v in error.violations]
    return []


def test_rows_become_a_matrix_in_the_contracts_order(contract):
    rows = [{"Smoker": False, "Age": 31, "Glucose": 85.5}, GOOD]
    assert to_matrix(contract, rows).tolist() == [[85.5, 31, 0], [148, 50, 1]]


def test_null_becomes_nan_where_a_value_may_be_missing(contract):
    assert math.isnan(to_matrix(contract, [{**GOOD, "Glucose": None}])[0, 0])


def test_null_is_refused_where_a_value_may_not_be_missing(contract):
    assert details(contract, Age=None) == ["Age is missing, and may not be"]


@pytest.mark.parametrize("value", [20, 1000, 20.5])
def test_values_on_and_within_the_limits_are_taken(contract, value):
    assert details(contract, Glucose=value) == []


def test_values_beyond_the_limits_are_refused(contract):
    assert details(contract, Glucose=19.9) == ["Glucose 19.9 is below the lowest possible, 20"]
    assert details(contract, Age=121) == ["Age 121 is above the highest possible, 120"]


def test_a_value_just_beyond_a_limit_does_not_read_as_the_limit(contract):
    assert details(contract, Glucose=1000.0000001) == [
        "Glucose 1000.0000001 is above the highest possible, 1000"
    ]


def test_a_number_that_means_missing_is_exempt_from_the_limits(contract):
    assert details(contract, Glucose=0) == []
    assert details(contract, Age=0) == ["Age 0 is below the lowest possible, 18"]


def test_a_fraction_is_no_integer(contract):
    assert details(contract, Age=50.5) == ["Age 50.5 is not a whole number"]
    assert details(contract, Age=50.0) == []


@pytest.mark.parametrize("value", [True, False, 1, 0, 1.0])
def test_a_boolean_is_true_false_one_or_zero(contract, value):
    assert details(contract, Smoker=value) == []


def test_other_values_are_no_boolean(contract):
    assert details(contract, Smoker=2) == ["Smoker 2 is neither true (1) nor false (0)"]
    assert details(contract, Smoker="yes") == ['Smoker "yes" is not true or false']


@pytest.mark.parametrize(
    ("value", "shown"), [("148", '"148"'), (True, "true"), ([148], "[148]"), ({}, "{}")]
)
def test_only_a_number_is_a_number(contract, value, shown):
    assert details(contract, Glucose=value) == [f"Glucose {shown} is not a number"]


def test_a_long_value_is_shown_in_part(contract):
    (detail,) = details(contract, Glucose="x" * 1000)
    assert len(detail) < 80


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity_is_refused(contract, value):
    assert details(contract, Glucose=value) == [f"Glucose {value:g} is not a finite number"]


def test_an_integer_too_large_for_a_float_is_refused(contract):
    assert details(contract, Glucose=10**400) == ["Glucose is too large a number"]


def test_an_absent_field_is_told_with_a_hint_where_null_would_do(contract):
    with pytest.raises(InvalidRowsError) as raised:
        to_matrix(contract, [{"Smoker": 1}])
    assert [(v.feature, v.detail) for v in raised.value.violations] == [
        ("Glucose", "is not given (null, if it is missing)"),
        ("Age", "is not given"),
    ]


def test_unknown_fields_are_told_in_the_rows_own_order(contract):
    assert details(contract, Zeta=1, Alpha=2) == [
        "Zeta is no feature of this model; it takes Glucose, Age, Smoker",
        "Alpha is no feature of this model; it takes Glucose, Age, Smoker",
    ]


def test_every_violation_of_every_row_is_found_in_order(contract):
    rows = [GOOD, {"Glucose": 1, "Age": 1.5, "Smoker": 3}, {**GOOD, "Age": None}]
    with pytest.raises(InvalidRowsError, match=r"row 2, Glucose: 1 is below") as raised:
        to_matrix(contract, rows)
    assert [(v.row, v.feature) for v in raised.value.violations] == [
        (1, "Glucose"),
        (1, "Age"),
        (1, "Age"),
        (1, "Smoker"),
        (2, "Age"),
    ]


def test_a_table_is_held_to_the_same_rules(contract):
    values = np.array([[148.0, 50.0, 1.0], [np.nan, np.nan, 0.0]])
    assert [(v.row, v.feature) for v in violations(contract, values)] == [(1, "Age")]


def test_values_outside_the_range_seen_in_training_are_warned_of(contract):
    values = to_matrix(contract, [GOOD, {**GOOD, "Glucose": 500, "Age": 90}])
    assert training_warnings(contract, values) == (
        [
            [],
            [
                "Glucose 500 is outside the range seen in training, 44 to 199",
                "Age 90 is outside the range seen in training, 21 to 81",
            ],
        ],
        {"Glucose": 1, "Age": 1},
    )


def test_values_outside_the_range_are_counted_by_feature(contract):
    values = to_matrix(contract, [{**GOOD, "Glucose": glucose} for glucose in (500, 148, 30)])
    assert training_warnings(contract, values)[1] == {"Glucose": 2}


def test_values_on_the_ends_of_the_range_are_not_warned_of(contract):
    rows = [{**GOOD, "Glucose": 44, "Age": 81}, {**GOOD, "Glucose": 199, "Age": 21}]
    assert training_warnings(contract, to_matrix(contract, rows)) == ([[], []], {})


def test_missing_values_are_not_warned_of(contract):
    values = to_matrix(contract, [{**GOOD, "Glucose": None}, {**GOOD, "Glucose": 0}])
    assert training_warnings(contract, values) == ([[], []], {})


def test_a_contract_comes_back_from_its_file_as_it_was(contract, tmp_path):
    (tmp_path / "contract.json").write_bytes(contract.to_json())
    assert Contract.read(tmp_path / "contract.json") == contract


def test_a_contract_with_an_unknown_key_is_refused(contract):
    text = contract.to_json().replace(b'"target"', b'"surprise": 1, "target"')
    with pytest.raises(msgspec.ValidationError, match="surprise"):
        msgspec.json.decode(text, type=Contract)


COLOURS = ("red", "green", "blue")
COLOUR = Feature(name="colour", type="category", categories=COLOURS)
LENIENT = msgspec.structs.replace(
    COLOUR, nullable=True, unseen="missing", missing_values=("?", "unknown")
)


def of(*features: Feature) -> Contract:
    return Contract(target="y", classes=(0, 1), features=features)


def details_of(feature: Feature, value: object) -> list[str]:
    try:
        to_matrix(of(feature), [{feature.name: value}])
    except InvalidRowsError as error:
        return [violation.detail for violation in error.violations]
    return []


def test_a_category_becomes_the_place_of_its_text():
    rows = [{"colour": text} for text in ("blue", "red", " green ")]
    assert to_matrix(of(COLOUR), rows).tolist() == [[2], [0], [1]]


@pytest.mark.parametrize("value", [None, "?", "unknown", "mauve", ""])
def test_a_category_that_is_not_known_becomes_nan(value):
    assert math.isnan(to_matrix(of(LENIENT), [{"colour": value}])[0, 0])


def test_a_text_that_is_no_category_is_refused_with_the_categories():
    for text in ("mauve", "Red", "r ed"):
        assert details_of(COLOUR, text) == [
            f'"{text}" is none of the categories red, green, blue',
        ]


def test_many_categories_are_not_all_named():
    many = msgspec.structs.replace(COLOUR, categories=tuple(f"c{i}" for i in range(40)))
    assert details_of(many, "x" * 50) == [
        f'"{"x" * 36}... is none of the categories '
        "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, … (40 in all)"
    ]


@pytest.mark.parametrize("value", [0, 1.0, True, ["red"], {}])
@pytest.mark.parametrize("feature", [COLOUR, LENIENT], ids=["refuse", "missing"])
def test_what_is_no_text_is_no_category_and_no_code_either(feature, value):
    (detail,) = details_of(feature, value)
    assert detail.endswith(" is not text; the categories are red, green, blue")


def test_a_category_may_be_missing_only_where_the_contract_says_so():
    assert details_of(COLOUR, None) == ["is missing, and may not be"]


def test_texts_that_were_taken_as_missing_are_told():
    rows = [{"colour": text} for text in ("red", "mauve", "?", None, "teal")]
    values, unseen = encode_rows(of(LENIENT), rows)
    assert np.isnan(values[:, 0]).tolist() == [False, True, True, True, True]
    assert unseen == [Unseen(1, "colour", "mauve"), Unseen(4, "colour", "teal")]
    assert unseen[0].warning == (
        'colour "mauve" was not among the categories in training: treated as missing'
    )


def test_coded_rows_have_numbers_for_categories():
    values, unseen = encode_rows(of(LENIENT), [{"colour": 2}, {"colour": None}], coded=True)
    np.testing.assert_array_equal(values, [[2], [np.nan]])
    assert unseen == []


@pytest.mark.parametrize(
    ("value", "said"), [("red", '"red"'), (True, "true"), (3, "3"), (-1, "-1")]
)
def test_what_is_no_code_is_told_in_one_sentence(value, said):
    with pytest.raises(InvalidRowsError) as error:
        encode_rows(of(COLOUR), [{"colour": value}], coded=True)
    assert [violation.detail for violation in error.value.violations] == [
        f"{said} is not the number of a category: whole numbers from 0 (red) to 2 (blue) are"
    ]


@pytest.mark.parametrize("code", [-1.0, 0.5, 3.0, np.inf])
def test_a_matrix_has_only_codes_that_there_are(code):
    (violation,) = violations(of(COLOUR), np.array([[1.0], [code]]))
    assert (violation.row, violation.feature) == (1, "colour")
    assert "is not" in violation.detail


def test_codes_are_never_outside_a_range_of_training():
    assert training_warnings(of(LENIENT), np.array([[0.0], [2.0], [np.nan]])) == ([[], [], []], {})


def test_a_matrix_is_turned_back_into_texts():
    assert [LENIENT.decode(code) for code in (0.0, 2.0, np.nan)] == ["red", "blue", None]
    assert Feature(name="x").decode(0.0) == 0.0


def test_the_example_of_a_category_is_the_first():
    assert of(COLOUR).example() == {"colour": "red"}


def test_a_contract_with_categories_comes_back_whole():
    contract = of(COLOUR, LENIENT, Feature(name="x", missing_values=(0.0,)))
    assert msgspec.json.decode(contract.to_json(), type=Contract) == contract


def test_a_contract_without_categories_is_written_as_it_was_before_there_were_any():
    """Its bytes are part of the model's digest, which must not change."""
    contract = of(Feature(name="x", nullable=True, missing_values=(0,), training_range=(1, 2)))
    (written,) = json.loads(contract.to_json())["features"]
    assert list(written.items()) == [
        ("name", "x"),
        ("type", "number"),
        ("unit", ""),
        ("description", ""),
        ("nullable", True),
        ("missing_values", [0]),
        ("minimum", None),
        ("maximum", None),
        ("training_range", [1, 2]),
    ]
    old = b'{"target": "y", "classes": [0, 1], "features": [{"name": "x", "missing_values": [0]}]}'
    assert msgspec.json.decode(old, type=Contract).features[0].missing_values == (0.0,)


GROUPED = msgspec.structs.replace(COLOUR, grouped=("mauve", "teal"), unseen="other")


def test_rare_and_new_categories_are_one_and_told():
    rows = [{"colour": text} for text in ("red", "teal", "pink")]
    values, unseen = encode_rows(of(GROUPED), rows)
    assert values.tolist() == [[0], [3], [3]]
    assert [one.warning for one in unseen] == [
        'colour "teal" was rare in training: treated as other',
        'colour "pink" was not among the categories in training: treated as other',
    ]


def test_rare_category_is_taken_where_new_ones_are_refused():
    closed = msgspec.structs.replace(GROUPED, unseen="refuse")
    assert to_matrix(of(closed), [{"colour": "teal"}]).tolist() == [[3]]
    (detail,) = details_of(closed, "pink")
    assert detail.startswith('"pink" is none of the categories red')


@pytest.mark.parametrize(
    "feature",
    [
        GROUPED,
        msgspec.structs.replace(COLOUR, unseen="other"),
        msgspec.structs.replace(COLOUR, categories=("other", "(other)"), unseen="other"),
    ],
)
def test_every_code_is_that_of_its_text(feature):
    codes = [float(code) for code in range(feature.code_count)]
    rows = [{"colour": feature.decode(code)} for code in codes]
    assert to_matrix(of(feature), rows)[:, 0].tolist() == codes
    assert len({row["colour"] for row in rows}) == len(codes)
    coded = encode_rows(of(feature), [{"colour": code} for code in codes], coded=True)[0]
    assert coded[:, 0].tolist() == codes
    with pytest.raises(InvalidRowsError, match="is not the number of a category"):
        encode_rows(of(feature), [{"colour": len(codes)}], coded=True)


def test_contract_without_a_group_has_the_bytes_of_before():
    assert b"grouped" not in of(LENIENT).to_json()
    text = of(GROUPED).to_json()
    assert msgspec.json.decode(text, type=Contract) == of(GROUPED)


UNKNOWN = {f"f{n}": 1 for n in range(200)}
WRONG_ROWS = {
    "unknown fields": {**GOOD, **UNKNOWN},
    "no field": {},
    "another type": dict.fromkeys(GOOD, "x"),
    "out of range": {**GOOD, "Glucose": 5000, "Age": 200},
}


@pytest.mark.parametrize("wrong", WRONG_ROWS)
def test_ten_of_many_violations_are_written(contract, wrong):
    with pytest.raises(InvalidRowsError) as one:
        Rows.of(contract, [WRONG_ROWS[wrong]])
    with pytest.raises(InvalidRowsError) as many:
        Rows.of(contract, [WRONG_ROWS[wrong]] * 30)
    assert len(many.value.violations) == 10
    assert many.value.total == 30 * one.value.total
    assert many.value.violations[: len(one.value.violations)] == one.value.violations


def test_counting_violations_ends():
    def endless():
        while True:
            yield violation

    violation = None
    found = Violations.of(endless(), 10)
    assert found == Violations([violation] * 10, 10 + COUNTED)
    error = InvalidRowsError(Violations([], found.total))
    assert error.in_all == "over 10000 errors"


def test_first_violations_are_the_first_of_all(contract):
    values = np.tile([5000.0, 200.0, 7.0], (9, 1))
    values[0] = [148, 50, 1]
    found = first_violations(contract, values, most=5)
    assert found == Violations(violations(contract, values)[:5], 24)


def test_long_name_is_cut(contract):
    assert [len(v.feature) for v in unknown_fields(contract, "x" * 1_000_000)] == [LONGEST_NAME]


def unknown_fields(contract, name):
    with pytest.raises(InvalidRowsError) as raised:
        to_matrix(contract, [{**GOOD, name: 1}])
    return raised.value.violations


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (("no", "yes"), ["no", "yes"]),
        ((1, 0), [1, 0]),
        (("False", "True"), [False, True]),
        (("True", "False"), [True, False]),
        (("True", "unknown"), ["True", "unknown"]),
        ((0, "True"), [0, "True"]),
    ],
)
def test_labels_are_the_classes_and_booleans_where_both_are(contract, classes, labels):
    found = msgspec.structs.replace(contract, classes=classes).labels
    assert json.dumps(found) == json.dumps(labels)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50, 51])
def test_a_target_has_two_to_fifty_classes(count):
    document = {"target": "y", "classes": [*range(count)], "features": []}
    if 2 <= count <= 50:
        assert msgspec.convert(document, Contract).classes == tuple(range(count))
        return
    with pytest.raises(msgspec.ValidationError, match=r"length [<>]= (2|50) - at `\$.classes`"):
        msgspec.convert(document, Contract)


def test_names_of_classes_are_for_people_and_left_out_where_there_are_none(contract):
    named = msgspec.structs.replace(contract, class_names=("well", "ill"))
    assert named.labels == ("no", "yes")
    assert named.classes_in_words == ["`no` (well)", "`yes` (ill)"]
    assert contract.classes_in_words == ["`no`", "`yes`"]
    assert msgspec.json.decode(named.to_json(), type=Contract) == named
    assert b"class_names" not in contract.to_json()


def test_names_of_classes_are_of_all_or_none(contract):
    with pytest.raises(ValueError, match="class_names"):
        msgspec.structs.replace(contract, class_names=("well",))
