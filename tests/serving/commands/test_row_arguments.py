"""A row from the words of a command line."""

import pytest

from serving.commands.row_arguments import ArgumentsError, to_row
from serving.model.contract import Contract, Feature


def test_values_stand_in_the_models_order(contract):
    assert to_row(contract, ["148", "5e1", "true"]) == {"Glucose": 148, "Age": 50, "Smoker": True}


def test_values_may_be_named_in_any_order(contract):
    assert to_row(contract, ["Smoker=False", "Age=50", "Glucose=-.5"]) == {
        "Smoker": False,
        "Age": 50,
        "Glucose": -0.5,
    }


@pytest.mark.parametrize("word", ["null", "NULL", "-", ""])
def test_missing_values_have_a_word(contract, word):
    assert to_row(contract, [word, "50", "1"])["Glucose"] is None
    assert to_row(contract, [f"Glucose={word}"]) == {"Glucose": None}


def test_negative_numbers_are_numbers(contract):
    assert to_row(contract, ["-1.5e3", "-0", "-1"]) == {"Glucose": -1500, "Age": 0, "Smoker": -1}


@pytest.mark.parametrize("word", ["abc", "nan", "1,5", "--offlin"])
def test_what_is_no_number_is_left_to_the_contract(contract, word):
    assert to_row(contract, [word, "50", "1"])["Glucose"] == word


def test_bytes_that_are_no_text_can_be_shown(contract):
    assert to_row(contract, ["\udcff", "50", "1"])["Glucose"] == "?"


@pytest.mark.parametrize("words", [["1"], ["1", "2", "3", "4"]])
def test_a_wrong_count_is_told_with_the_names(contract, words):
    with pytest.raises(ArgumentsError, match=r"given, 3 expected: Glucose Age Smoker\.$"):
        to_row(contract, words)


def test_positions_and_names_do_not_mix(contract):
    with pytest.raises(ArgumentsError, match="every one as Name=value"):
        to_row(contract, ["148", "Age=50", "Smoker=1"])


def test_a_name_given_twice_is_told(contract):
    with pytest.raises(ArgumentsError, match="Age is given twice"):
        to_row(contract, ["Age=50", "Age=51"])


def test_a_name_may_hold_an_equals_sign(contract):
    assert to_row(contract, ["a=b=3"]) == {"a=b": 3}


EARNS = Feature(
    name="earns", type="category", categories=("<=50K", ">50K", "None"), missing_values=("?",)
)
INCOME = Contract(target="y", classes=(0, 1), features=(EARNS, Feature(name="a=b")))


def test_a_text_may_hold_an_equals_sign():
    assert to_row(INCOME, ["<=50K", "3"]) == {"earns": "<=50K", "a=b": 3}
    assert to_row(INCOME, ["a=b=3", "earns=<=50K"]) == {"earns": "<=50K", "a=b": 3}


def test_a_text_is_left_as_it_is():
    for text in ("None", "?", "true", "1", "mauve"):
        assert to_row(INCOME, [text, "3"])["earns"] == text


@pytest.mark.parametrize("word", ["null", "-", ""])
def test_a_category_that_is_missing_has_the_same_words(word):
    assert to_row(INCOME, [word, "3"])["earns"] is None


def test_date_is_a_text_though_it_looks_like_a_number():
    day = Feature(name="day", type="date", date_format="%Y%m%d", parts=("year",))
    contract = Contract(target="y", classes=(0, 1), features=(day,))
    assert to_row(contract, ["20240131"]) == {"day": "20240131"}
    assert to_row(contract, ["day=null"]) == {"day": None}
