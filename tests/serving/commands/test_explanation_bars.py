"""Bars at the terminal: what they say, and that they fit."""

import msgspec
import pytest

from serving.commands.explanation_bars import columns_of, to_lines
from serving.explanations import Contribution, Explanation
from tests.serving.small_model import CONTRACT, SPECIES, with_features

CONTRIBUTIONS = [
    Contribution("Glucose", 148.25, 1.0),
    Contribution("Age", 50, -0.5),
    Contribution("Smoker", True, 0.125),
]


def explained(*contributions, class_="yes", base=0.0):
    total = base + sum(each.log_odds for each in contributions)
    return Explanation(class_=class_, base=base, log_odds=total, contributions=[*contributions])


def lines(*contributions, contract=CONTRACT, width=60, **more):
    return to_lines(contract, explained(*contributions, **more), 30, width)


def bars(*contributions, **more):
    found = lines(*contributions, **more)
    return found[found.index("") + 1 :]


def test_each_feature_has_its_value_its_log_odds_and_a_bar_to_its_side():
    assert bars(*CONTRIBUTIONS) == [
        "Glucose  148.25 mg/dL  +1.000               │██████████████",
        "Age      50            -0.500        ███████│",
        "Smoker   true          +0.125               │██",
    ]


def test_half_a_block_is_drawn_on_the_side_of_the_middle():
    glucose, age = bars(Contribution("Glucose", 148, 1.0), Contribution("Age", 50, -1 / 32))
    assert glucose.endswith("│" + "█" * 16)
    assert age.endswith("  ▐│")


def test_first_it_is_said_in_words_from_where_to_where_and_that_it_is_about_the_model():
    said = " ".join(lines(*CONTRIBUTIONS, base=-1.0)[:4])
    assert said.startswith(
        "From the average of 30 training rows, 26.9 %, to this row, 40.7 %: what raises (+) or "
        "lowers (-) the log-odds that Disease is `yes`. This is about the model, not about causes."
    )


def test_of_more_classes_one_is_against_all_others_and_has_its_name():
    named = msgspec.structs.replace(SPECIES, class_names=("small", "of Antarctica", "tall"))
    said = " ".join(lines(*CONTRIBUTIONS, contract=named, class_=7))
    assert "the log-odds that Species is `7` (tall), against all other classes." in said


@pytest.mark.parametrize(
    ("contribution", "said"),
    [
        (Contribution("Glucose", None, 1.0), "missing"),
        (Contribution("Glucose", 0, 1.0), "0 (missing)"),
        (Contribution("Smoker", False, 1.0), "false"),
        (Contribution("Age", 50, 1.0), "50"),
    ],
)
def test_a_value_is_told_as_people_know_it(contribution, said):
    (bar,) = bars(contribution)
    assert bar.startswith(f"{contribution.feature}  {said}  +1.000 ")


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("name", ["x" * 200, "血糖" * 100, "e\u0301" * 200])
def test_whatever_the_names_no_line_is_wider_than_the_terminal_and_none_is_short(width, name):
    contract = with_features({"name": name, "unit": name}, {}, {})
    found = bars(
        Contribution(name, 148, -1e6), Contribution("Age", 50, 1e6), contract=contract, width=width
    )
    assert columns_of(found[0]) <= width
    assert width - 2 <= columns_of(found[1]) <= width
    assert found[0].count("..") == 2
    middles = {columns_of(line[: line.index("│")]) for line in found}
    assert len(middles) == 1


def test_a_text_of_the_table_cannot_steer_the_terminal():
    (bar,) = bars(Contribution("Smoker", "\x1b[2J\n", 1.0))
    assert bar.startswith("Smoker  ?[2J?  ")


def test_where_nothing_matters_there_are_no_bars():
    (bar,) = bars(Contribution("Age", 50, 0.0))
    assert bar.endswith(" │")


@pytest.mark.parametrize(("text", "columns"), [("血糖", 4), ("e\u0301", 1), ("µU/ml", 5), ("", 0)])
def test_columns_are_those_that_a_terminal_gives(text, columns):
    assert columns_of(text) == columns
