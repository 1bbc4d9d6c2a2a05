"""Models to explain: searched, fitted and exported as the pipeline does."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from bench.selection import svm
from bench.tables import SEED, SearchTable
from pipeline.data.table import Table
from pipeline.export.explanation import export_explanation
from serving.model.contract import Contract, FloatMatrix
from serving.model.explanation import Explainer

UNSEEN = 50  # rows that are explained, and that no model is fitted on


class Model(NamedTuple):
    estimator: Pipeline
    contract: Contract
    training: FloatMatrix
    unseen: FloatMatrix

    def export(self, background: FloatMatrix) -> bytes:
        return export_explanation(self.estimator, self.contract, background)

    def explainer(self, background: FloatMatrix) -> Explainer:
        return Explainer(self.export(background), self.contract)


def fit(table: Table, rows: int | None = None) -> Model:
    """Fit the pipeline's choice on so many rows at random, or on all but the unseen ones."""
    training, unseen = train_test_split(
        np.arange(len(table.y)),
        train_size=rows,
        test_size=UNSEEN,
        stratify=table.y,
        random_state=SEED,
    )
    chosen = table.take(training)
    return Model(svm("one_se", chosen, SEED), table.contract, chosen.X, table.X[unseen])


def as_table(made_up: SearchTable) -> Table:
    return Table(pd.DataFrame(made_up.X), made_up.X, made_up.y, made_up.contract)
