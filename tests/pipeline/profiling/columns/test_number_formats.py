import pandas as pd
import pytest

from pipeline.profiling.columns.number_formats import has_bounds, readings
from serving.model.contract import NumberFormat


def text(*cells: str) -> "pd.Series[str]":
    return pd.Series(cells, dtype="str")


@pytest.mark.parametrize(
    ("cells", "written", "number"),
    [
        (("12%", "7%"), NumberFormat(suffix="%"), 12),
        (("12,5 %", "7 %"), NumberFormat(suffix="%", decimal=","), 12.5),
        (("$1,000", "$20"), NumberFormat(prefix="$", thousands=","), 1000),
        (("$1,337.98", "-$2.10"), NumberFormat(prefix="$", thousands=","), 1337.98),
        (("1.614,41 €", "3 €"), NumberFormat(suffix="€", decimal=",", thousands="."), 1614.41),
        (("EUR 1.614", "EUR 3"), NumberFormat(prefix="EUR", decimal=",", thousands="."), 1614),
        (("13,5", "7"), NumberFormat(decimal=","), 13.5),
        (("5 000", "12 000"), NumberFormat(thousands=" "), 12000),
        (("5\u00a0000", "12"), NumberFormat(thousands=" "), 5000),
        (("1'234.5", "7"), NumberFormat(thousands="'"), 1234.5),
        (("106 kg", "68 kg"), NumberFormat(suffix="kg"), 106),
        (("1,234,567", "3"), NumberFormat(thousands=","), 1234567),
    ],
)
def test_numbers_are_read_where_one_reading_fits_all(
    cells: tuple[str, ...], written: NumberFormat, number: float
) -> None:
    (reading,) = readings(text(*cells))
    assert (reading.format, reading.number) == (written, number)


@pytest.mark.parametrize("cells", [("1,234", "5,678"), ("1.234 kg",)])
def test_where_two_readings_fit_there_are_two(cells: tuple[str, ...]) -> None:
    assert len(readings(text(*cells))) == 2


@pytest.mark.parametrize(
    "cells",
    [
        *[("12%", "12"), ("5 kg", "5 mg"), ("134/79",), ("60+", "<30"), ("1,23,456",), ("a",)],
        *[("01.02.2023",), ("$5", "€5"), ("40-50",), ("5 12 000",), ("S009",)],
    ],
)
def test_what_has_not_one_shape_is_read_in_no_way(cells: tuple[str, ...]) -> None:
    assert readings(text(*cells)) == []


def test_bounds_among_numbers() -> None:
    assert has_bounds(text("<5", "> 96", "<=1.5"))
    assert not has_bounds(text("<5", "few"))
    assert not has_bounds(text())
