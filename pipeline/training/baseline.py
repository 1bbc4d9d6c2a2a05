"""The baseline: logistic regression, which an SVM must beat to be worth its trouble."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline.data.table import Table
from pipeline.search.problem import Fold
from pipeline.training.estimator import build_transformer

STRENGTHS = np.logspace(-4, 2, 13)  # C, the inverse of the penalty; beyond 100 hardly any is left
MOST_ITERATIONS = 1000
THRESHOLD = 0.5  # its labels are not compared


def fit_baseline(table: Table, folds: Sequence[Fold]) -> Pipeline:
    """Fit the SVM's preparation and logistic regression on all rows, its C by the folds' log loss.

    The preparation is fitted once, not in each fold: it uses no label, and only the choice of C
    rests on it. The log loss chooses, since the baseline's probabilities are compared, too.
    """
    regression = LogisticRegressionCV(
        Cs=STRENGTHS,
        cv=folds,
        scoring="neg_log_loss",
        max_iter=MOST_ITERATIONS,
        # scikit-learn 1.10's own defaults, which 1.9 asks to name
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    )
    estimator = Pipeline([*build_transformer(table.contract).steps, ("classify", regression)])
    # Matrices this small are slower on two threads, and one thread adds in one order.
    with threadpool_limits(limits=1):
        return estimator.fit(table.X, table.y)
