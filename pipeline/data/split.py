"""Split a table into training and test rows."""

import numpy as np
import pandas as pd

from pipeline.data.table import Table
from pipeline.errors import PipelineError


def split(table: Table, test_size: float, seed: int) -> tuple[Table, Table]:
    """Split into training and test rows, the same share of each class, in the table's order."""
    sampled = pd.Series(table.y).groupby(table.y).sample(frac=test_size, random_state=seed)
    is_test = np.zeros(len(table.y), dtype=bool)
    is_test[sampled.index] = True
    training, test = table.take(np.flatnonzero(~is_test)), table.take(np.flatnonzero(is_test))
    for part, name in ((training, "training"), (test, "test")):
        for label, value in enumerate(table.contract.classes):
            if not np.any(part.y == label):
                raise PipelineError(
                    f"no row of class {value} is left for the {name} split: "
                    "give more rows, or change preprocess.test_size in params.yaml"
                )
    return training, test
