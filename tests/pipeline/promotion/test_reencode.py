"""The same rows, as another contract takes them."""

import msgspec
import numpy as np
import pandas as pd
import pytest

from pipeline.data.table import Table
from pipeline.promotion.reencode import rows_for
from serving.model.contract import Contract, Feature, FloatMatrix

AB = Contract(target="y", classes=(0, 1), features=(Feature(name="a"), Feature(name="b")))


def table(contract: Contract, X: FloatMatrix) -> Table:
    cells = {
        feature.name: pd.Series([str(feature.decode(value) or "") for value in x], dtype="str")
        for feature, x in zip(contract.features, X.T, strict=True)
    }
    return Table(pd.DataFrame(cells), X, np.zeros(len(X), dtype=np.int64), contract)


TWO = table(AB, np.array([[1.0, 2.0], [3.0, np.nan]]))


def test_columns_are_given_in_the_other_contract_s_order() -> None:
    reversed_contract = msgspec.structs.replace(AB, features=AB.features[::-1])
    np.testing.assert_array_equal(rows_for(reversed_contract, TWO), TWO.X[:, ::-1])


def test_a_column_that_is_not_asked_for_is_left_out() -> None:
    fewer = msgspec.structs.replace(AB, features=AB.features[1:])
    np.testing.assert_array_equal(rows_for(fewer, TWO), TWO.X[:, 1:])


def test_a_contract_of_another_target_takes_no_rows() -> None:
    assert rows_for(msgspec.structs.replace(AB, target="z"), TWO) == "it predicts z 1"
    assert rows_for(msgspec.structs.replace(AB, classes=(1, 0)), TWO) == "it predicts y 0"
    more = msgspec.structs.replace(AB, classes=("a", "b", "c"))
    assert rows_for(more, TWO) == "it predicts y: a, b, c"


def test_a_contract_that_asks_for_what_is_not_there_takes_no_rows() -> None:
    more = msgspec.structs.replace(AB, features=(*AB.features, Feature(name="c")))
    assert rows_for(more, TWO) == "it needs c"


def of_colour(*categories: str, **more: object) -> Contract:
    given = {"name": "colour", "type": "category", "categories": categories, **more}
    return Contract(target="y", classes=(0, 1), features=(msgspec.convert(given, Feature),))


COLOURS = table(of_colour("a", "b"), np.array([[0.0], [1.0], [np.nan]]))


@pytest.mark.parametrize(
    ("theirs", "codes"),
    [
        (of_colour("a", "b"), [0, 1, np.nan]),
        (of_colour("b", "a"), [1, 0, np.nan]),
        (of_colour("a", "x", "b"), [0, 2, np.nan]),
        (of_colour("a", "c", unseen="missing"), [0, np.nan, np.nan]),
        (of_colour("a", "c", unseen="other"), [0, 2, np.nan]),
        (of_colour("a", "c", grouped=("x", "b")), [0, 2, np.nan]),
    ],
)
def test_a_category_s_text_has_the_code_that_the_other_contract_gives_it(
    theirs: Contract, codes: list[float]
) -> None:
    np.testing.assert_array_equal(rows_for(theirs, COLOURS), np.array(codes)[:, np.newaxis])


def test_a_rare_category_is_not_lost_where_the_other_contract_knows_it() -> None:
    grouped = table(of_colour("a", grouped=("x", "b")), np.array([[0.0], [1.0], [1.0]]))
    grouped.cells["colour"] = ["a", "x", "b"]
    taken = rows_for(of_colour("b", "x", "a"), grouped)
    np.testing.assert_array_equal(taken, [[2], [1], [0]])


def test_a_contract_that_does_not_know_a_category_takes_no_rows() -> None:
    assert rows_for(of_colour("a", "c"), COLOURS) == "it does not know colour b"


def test_contract_that_takes_a_date_as_a_number_takes_no_rows() -> None:
    day = Feature(name="a", type="date", date_format="%Y", parts=("year",))
    dated = Contract(target="y", classes=(0, 1), features=(day,))
    assert rows_for(dated, TWO) == "it takes a as a date"


def test_a_contract_that_takes_a_category_as_a_number_takes_no_rows() -> None:
    number = Contract(target="y", classes=(0, 1), features=(Feature(name="colour"),))
    assert rows_for(number, COLOURS) == "it takes colour as a number"
