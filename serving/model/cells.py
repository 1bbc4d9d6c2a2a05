"""The meaning of a table's cell: missing, a boolean, a number, or text that is none of them.

The same words as the pipeline reads so in its own table.
"""

import re

from serving.model.contract import Feature

ABSENT = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})

BOOLEANS = {"true": True, "false": False}

# Narrower than `float`, which takes nan, infinity, 1_000 and digits of other scripts.
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

Cell = float | bool | str | None


def read_cell(feature: Feature, text: str) -> Cell:
    """Read a cell for `contract.to_matrix`; what is no number is left to it to refuse.

    A category may be called `None` or `NA`: where it is, that is no word for missing.
    """
    text = text.strip()
    if feature.type == "category":
        return None if text in ABSENT and text not in feature.codes else text
    if text in ABSENT:
        return None
    if feature.type == "boolean" and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    return float(text) if NUMBER.fullmatch(text) else text
