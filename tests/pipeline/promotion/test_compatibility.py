import msgspec
import pytest

from pipeline.promotion.compatibility import breaking_changes, new_classes
from serving.model.contract import Contract, Feature

AGE = Feature(name="Age", type="integer", unit="years", minimum=18, maximum=120)
GLUCOSE = Feature(name="Glucose", unit="mg/dL", nullable=True, missing_values=(0.0,))
OLD = Contract(target="y", classes=(0, 1), features=(AGE, GLUCOSE))


def changed(feature, **changes):
    new = msgspec.structs.replace(feature, **changes)
    features = tuple(new if f is feature else f for f in OLD.features)
    return msgspec.structs.replace(OLD, features=features)


COLOUR = Feature(name="colour", type="category", categories=("red", "green", "blue"))
OF_COLOUR = Contract(target="y", classes=(0, 1), features=(COLOUR,))


def coloured(**changes):
    return msgspec.structs.replace(
        OF_COLOUR, features=(msgspec.structs.replace(COLOUR, **changes),)
    )


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (coloured(), coloured(categories=("blue", "red")), ["colour may no longer be green"]),
        (coloured(), coloured(categories=("red",), unseen="missing", nullable=True), []),
        (coloured(), coloured(categories=("blue", "red", "green", "grey")), []),
        (coloured(), coloured(categories=("red",), unseen="other"), []),
        (coloured(), coloured(categories=("blue", "red"), grouped=("green", "grey")), []),
        (
            coloured(categories=("red",), grouped=("blue", "green")),
            coloured(categories=("red", "green")),
            ["colour may no longer be blue"],
        ),
        (
            coloured(unseen="missing"),
            coloured(),
            ["colour may no longer be a text that is not among its categories"],
        ),
        (coloured(missing_values=("?",)), coloured(), ["colour no longer takes ? for missing"]),
    ],
)
def test_a_category_less_breaks_who_sends_it(old, new, changes):
    assert breaking_changes(old, new) == changes


def test_the_same_contract_breaks_nobody():
    assert breaking_changes(OLD, OLD) == []


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (changed(AGE, minimum=21.0), "Age must be at least 21"),
        (changed(AGE, maximum=99.0), "Age must be at most 99"),
        (changed(GLUCOSE, minimum=20.0), "Glucose must be at least 20"),
        (changed(GLUCOSE, type="integer"), "Glucose is of type integer, not number"),
        (changed(AGE, type="boolean"), "Age is of type boolean, not integer"),
        (changed(GLUCOSE, unit="mmol/L"), "Glucose is in mmol/L, not in mg/dL"),
        (changed(AGE, unit=""), "Age is in no unit, not in years"),
        (changed(GLUCOSE, nullable=False), "Glucose may no longer be missing"),
        (changed(GLUCOSE, missing_values=()), "Glucose no longer takes 0 for missing"),
        (
            msgspec.structs.replace(OLD, features=(AGE,)),
            "Glucose is removed",
        ),
        (
            msgspec.structs.replace(OLD, features=(*OLD.features, Feature(name="BMI"))),
            "BMI is new, and must be given",
        ),
        (msgspec.structs.replace(OLD, target="z"), "it predicts z 1, not y 1"),
        (msgspec.structs.replace(OLD, classes=(1, 0)), "it predicts y 0, not y 1"),
    ],
)
def test_what_a_caller_would_stumble_over_is_said(new, sentence):
    assert breaking_changes(OLD, new) == [sentence]


@pytest.mark.parametrize(
    "new",
    [
        changed(AGE, minimum=0.0, maximum=150.0),
        changed(AGE, minimum=None, maximum=None),
        changed(AGE, type="number"),
        changed(AGE, nullable=True, missing_values=(-1.0,)),
        changed(AGE, description="In years", training_range=(20.0, 80.0)),
        msgspec.structs.replace(OLD, features=OLD.features[::-1], threshold=0.7),
    ],
)
def test_what_is_only_wider_or_beside_the_point_breaks_nobody(new):
    assert breaking_changes(OLD, new) == []


def of_classes(*names, target="species"):
    return Contract(target=target, classes=names, features=())


ABC = of_classes("a", "b", "c")


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        (ABC, []),
        (of_classes("a", "b", "c", "d"), []),
        (of_classes("a", "b"), ["it predicts species b, not species: a, b, c"]),
        (of_classes("a", "b", "d"), ["class c is removed"]),
        (
            of_classes("b", "c", "d"),
            ["class a is removed", "classes have other numbers: b 0, not 1, c 1, not 2"],
        ),
        (of_classes("a", "aa", "b", "c"), ["classes have other numbers: b 2, not 1, c 3, not 2"]),
        (of_classes("b", "a", "c"), ["classes have other numbers: a 1, not 0, b 0, not 1"]),
        (
            of_classes("a", "b", "c", target="kind"),
            ["it predicts kind: a, b, c, not species: a, b, c"],
        ),
    ],
)
def test_a_class_that_goes_or_moves_breaks_who_reads_it(new, changes):
    assert breaking_changes(ABC, new) == changes


def test_more_than_two_classes_in_the_place_of_two_break_who_reads_the_probability():
    assert breaking_changes(of_classes("a", "b"), ABC) == [
        "it predicts species: a, b, c, not species b"
    ]


def test_a_class_more_is_known():
    assert new_classes(ABC, of_classes("a", "b", "c", "d")) == ["d"]
    assert new_classes(ABC, ABC) == []
