"""A date: a text in a row, days since 1970 in a matrix."""

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from serving.formats.csv_table import read_table, to_rows
from serving.formats.json_reader import Reader
from serving.model.contract import Contract, Feature
from serving.model.rows import InvalidRowsError, encode_rows, to_matrix
from serving.model.validation import training_warnings
from serving.web.openapi.schemas import value_schema

DAY = Feature(
    name="day",
    type="date",
    date_format="%d.%m.%Y",
    parts=("year", "weekday"),
    missing_values=("never",),
    nullable=True,
    training_range=(19_000, 19_700),
)
CONTRACT = Contract(target="y", classes=(0, 1), features=(DAY,))


def test_text_is_days_in_json_and_csv_alike() -> None:
    texts = ["01.01.1970", "31.12.1969", "29.02.2024", None, "never"]
    expected = [[0], [-1], [19_782], [np.nan], [np.nan]]
    np.testing.assert_array_equal(to_matrix(CONTRACT, [{"day": text} for text in texts]), expected)
    body = "day,x\n" + "".join(f"{text or ''},1\n" for text in texts)
    rows = to_rows(CONTRACT, read_table(CONTRACT, body.encode(), 9))
    np.testing.assert_array_equal(to_matrix(CONTRACT, rows), expected)
    assert Reader(CONTRACT).read(b'{"day": "01.01.1970"}', 9) is None  # left to `to_matrix`


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2024-01-31", '"2024-01-31" is no date that is written as %d.%m.%Y'),
        ("30.02.2024", '"30.02.2024" is no date that is written as %d.%m.%Y'),
        (20240131, "20240131 is not text; a date is written as %d.%m.%Y"),
    ],
)
def test_what_is_no_date_is_refused(value: object, said: str) -> None:
    with pytest.raises(InvalidRowsError) as refused:
        to_matrix(CONTRACT, [{"day": value}])
    assert [violation.detail for violation in refused.value.violations] == [said]


@pytest.mark.parametrize("days", [1e9, -1e9, 0.5])
def test_coded_day_is_a_whole_one_of_the_calendar(days: float) -> None:
    with pytest.raises(InvalidRowsError):
        encode_rows(CONTRACT, [{"day": days}], coded=True)
    assert encode_rows(CONTRACT, [{"day": 7}], coded=True)[0].tolist() == [[7]]


def test_date_outside_the_range_of_training_is_told_as_it_is_written() -> None:
    ((warning,),), _ = training_warnings(CONTRACT, np.array([[19_782.0]]))
    assert warning == (
        "day 29.02.2024 is outside the range seen in training, 08.01.2022 to 09.12.2023"
    )


def test_contract_reads_back_and_describes_itself() -> None:
    assert msgspec.json.decode(CONTRACT.to_json(), type=Contract) == CONTRACT
    assert CONTRACT.example() == {"day": "24.12.2022"}
    schema = value_schema(DAY)
    assert "08.01.2022 to 09.12.2023 in training" in schema["description"]
    for value in ("24.12.2022", "never", None):
        Draft202012Validator(schema).validate(value)
