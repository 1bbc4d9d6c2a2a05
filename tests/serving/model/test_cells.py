import numpy as np
import pytest

from serving.model.cells import write_value
from serving.model.contract import Feature

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
