import numpy as np
import pytest

from serving.model.cells import read_cell, write_value
from serving.model.contract import Feature, NumberFormat

COLOUR = Feature(name="colour", type="category", categories=("red", "0"))


@pytest.mark.parametrize(
    ("feature", "number", "text"),
    [
        (Feature(name="a"), 0.1, "0.1"),
        (Feature(name="a"), 0.0, "0"),
        (Feature(name="a"), np.nan, "nan"),
        (Feature(name="a", type="boolean"), 1.0, "true"),
        (Feature(name="a", type="boolean"), 0.0, "false"),
        (Feature(name="a", type="boolean"), np.nan, "nan"),
        (COLOUR, 0.0, "red"),
        (COLOUR, 1.0, "0"),
        (COLOUR, np.nan, "nan"),
    ],
)
def test_a_value_is_written_as_a_table_has_it(feature, number, text):
    assert write_value(feature, number) == text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        *[("1.614,41 €", 1614.41), ("-1.614 €", -1614), ("3€", 3), ("€ 3", "€ 3"), ("7", 7)],
        *[("0.161", 0.161), ("1614.5", 1614.5), ("NA", None), ("1.61,4 €", "1.61,4 €")],
    ],
)
def test_number_is_read_as_its_column_writes_it_or_plainly(text, cell):
    written = NumberFormat(suffix="€", decimal=",", thousands=".")
    assert read_cell(Feature(name="x", number_format=written), text) == cell
