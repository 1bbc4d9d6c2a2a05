import pytest

from pipeline.data.contract import class_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1", 1), ("1.0", 1), ("-1", -1), ("+1", 1), (" 0 ", 0), ("9007199254740993", 2**53 + 1)],
        *[("TRUE", "True"), ("007", "007"), ("1e1", "1e1"), ("18_25", "18_25"), ("٣", "٣")],
        *[("1.5", "1.5"), ("yes", "yes")],
    ],
)
def test_class_is_a_whole_number_only_where_it_is_written_as_one(
    text: str, value: str | int
) -> None:
    assert class_value(text) == value
