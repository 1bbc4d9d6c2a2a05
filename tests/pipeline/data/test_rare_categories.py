import msgspec
import numpy as np
import pytest

from pipeline.data.rare_categories import group_rare
from serving.model.contract import Contract, Feature

CITY = Feature(name="city", type="category", categories=("a", "b", "c", "d"))


def grouped(counts: list[int], feature: Feature = CITY) -> tuple[Feature, tuple[str, ...]]:
    codes = np.repeat(np.arange(len(counts), dtype=np.float64), counts)
    X = np.column_stack([codes, codes])
    contract = Contract(target="y", classes=(0, 1), features=(feature, Feature(name="n")))
    found, notes = group_rare(contract, X, 10)
    assert found.features[1] == contract.features[1]
    return found.features[0], notes


def test_rare_categories_are_grouped_and_told() -> None:
    feature, notes = grouped([10, 9, 30, 0])
    assert (feature.categories, feature.grouped) == (("a", "c"), ("b", "d"))
    assert notes == (
        "column city: 2 categories with fewer than 10 training rows are grouped as one "
        "(data.min_category_rows): b, d",
    )


@pytest.mark.parametrize("counts", [[10, 10, 10, 10], [10, 9, 30, 10], [1, 2, 3, 4]])
def test_group_of_one_or_of_all_is_none(counts: list[int]) -> None:
    assert grouped(counts) == (CITY, ())


def test_one_rare_category_is_taken_with_new_ones() -> None:
    lenient = msgspec.structs.replace(CITY, unseen="other")
    assert grouped([10, 9, 30, 10], lenient)[0].grouped == ("b",)
