"""Rows of one contract as another contract takes them."""

import numpy as np
import pandas as pd

from pipeline.data.table import Table
from pipeline.promotion.compatibility import outcome
from serving.model.contract import Contract, Feature, FloatMatrix


def rows_for(contract: Contract, table: Table) -> FloatMatrix | str:
    """Return a table's features `[rows, features]` as a model of `contract` takes them.

    Gives the reason, in a few words, where it predicts something else or asks for what is not
    there. Limits are no reason: a model answers beyond them as well.
    """
    ours = table.contract
    if (contract.target, contract.classes) != (ours.target, ours.classes):
        return f"it predicts {outcome(contract)}"
    absent = [name for name in contract.names if name not in ours.names]
    if absent:
        return f"it needs {', '.join(absent)}"
    columns = []
    for feature in contract.features:
        place = ours.names.index(feature.name)
        column = _as_taken(feature, ours.features[place], table.X[:, place], table.cells)
        if isinstance(column, str):
            return column
        columns.append(column)
    return np.column_stack(columns)


def _as_taken(
    theirs: Feature, ours: Feature, x: FloatMatrix, cells: pd.DataFrame
) -> FloatMatrix | str:
    """Return a column as another contract has it, or the reason why it cannot be had so."""
    if (theirs.type == "date") != (ours.type == "date"):
        return f"it takes {theirs.name} as a {theirs.type}"
    if _coding(theirs) == _coding(ours):
        return x
    if not theirs.categories or not ours.categories:
        return f"it takes {theirs.name} as a {theirs.type}"
    codes, known = theirs.codes, ~np.isnan(x)
    texts = cells[theirs.name][known].str.strip()  # not what x says: there, rare ones are one
    unknown = sorted({*texts} - codes.keys())
    if unknown and theirs.unseen == "refuse":
        return f"it does not know {theirs.name} {', '.join(unknown)}"
    found = x.copy()
    found[known] = [codes.get(text, theirs.unseen_code) for text in texts]
    return found


def _coding(feature: Feature) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    return feature.categories, feature.grouped, feature.unseen if feature.categories else ""
