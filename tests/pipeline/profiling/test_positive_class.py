import pytest

from pipeline.profiling.positive_class import positive_class


@pytest.mark.parametrize(
    ("rarer", "positive", "because"),
    [
        ((0, 1), 1, "which says yes"),
        ((-1, 1), 1, "which says yes"),
        (("No", "Yes"), "Yes", "which says yes"),
        (("False", "True"), "True", "which says yes"),
        (("neg", "pos"), "pos", "which says yes"),
        (("Nein", "Ja"), "Ja", "which says yes"),
        (("non", "oui"), "oui", "which says yes"),
        (("нет", "да"), "да", "which says yes"),
        (("N", "J"), "J", "which says yes"),
        (("No Churn", "Churn"), "Churn", "since No Churn says no"),
        (("not_ok", "ok"), "ok", "since not_ok says no"),
        (("unreliable", "reliable"), "reliable", "since unreliable says no"),
        (("Stayed", "Churned"), "Churned", "since Stayed says no"),
        (("Existing Customer", "Attrited Customer"), *("Attrited Customer",), "since Existing"),
    ],
)
def test_what_says_yes_is_positive_though_it_is_not_the_rarer(rarer, positive, because):
    chosen, why = positive_class({rarer[0]: 10, rarer[1]: 90})
    assert chosen == positive
    assert why.startswith(because)


@pytest.mark.parametrize(
    "classes", [("m", "f"), ("2", "1"), ("007", "7"), ("no", "non"), ("left", "right"), ("b", "a")]
)
def test_of_classes_that_say_nothing_the_rarer_is_positive(classes):
    assert positive_class({classes[0]: 10, classes[1]: 90}) == (classes[0], "the rarer class")
