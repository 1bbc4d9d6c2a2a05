import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold

from pipeline.data.table import Table
from pipeline.training.baseline import STRENGTHS, fit_baseline
from pipeline.training.estimator import build_transformer
from pipeline.training.folds import repeated_folds


def table_of(model):
    return Table(pd.DataFrame(), model.X, model.y, model.contract)


def folds_of(table, cv):
    return tuple(cv.split(table.X, table.y))


@pytest.fixture(params=["small_model", "mixed_model"])
def table(request):
    """A table of numbers, and one with categories; both with missing values."""
    return table_of(request.getfixturevalue(request.param))


@pytest.fixture
def folds(table):
    return repeated_folds(table.y, 4, 1, 1)


def unseen_log_loss(table, folds, C):
    """Give the mean log loss of the folds' test rows, by scikit-learn's plain classifier."""
    Z = build_transformer(table.contract).fit_transform(table.X)
    regression = LogisticRegression(C=C, max_iter=1000)
    losses = []
    for training, test in folds:
        p = clone(regression).fit(Z[training], table.y[training]).predict_proba(Z[test])
        losses.append(log_loss(table.y[test], p, labels=[0, 1]))
    return np.mean(losses)


def test_c_has_the_lowest_log_loss_on_unseen_rows(table, folds):
    losses = [unseen_log_loss(table, folds, C) for C in STRENGTHS]
    best = int(np.argmin(losses))
    assert 0 < best < len(STRENGTHS) - 1
    chosen = fit_baseline(table, folds).named_steps["classify"].C_
    assert chosen == STRENGTHS[best]


def test_it_is_fitted_on_all_rows(table, folds):
    baseline = fit_baseline(table, folds)
    Z = build_transformer(table.contract).fit_transform(table.X)
    plain = LogisticRegression(C=baseline.named_steps["classify"].C_, max_iter=1000)
    expected = plain.fit(Z, table.y).predict_proba(Z)
    np.testing.assert_allclose(baseline.predict_proba(table.X), expected, rtol=0, atol=1e-3)


def test_more_classes_have_one_softmax(four_classes_model):
    table = table_of(four_classes_model)
    test_it_is_fitted_on_all_rows(table, repeated_folds(table.y, 4, 1, 1))


def test_the_same_rows_give_the_same_bits(table, folds):
    first, second = (fit_baseline(table, folds).predict_proba(table.X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_folds_may_lack_a_class_in_the_test_rows(small_model):
    table = table_of(small_model)
    order = np.argsort(table.y, kind="stable")
    sorted_table = Table(pd.DataFrame(), table.X[order], table.y[order], table.contract)
    folds = folds_of(sorted_table, KFold(6))
    assert any(len(set(sorted_table.y[test])) == 1 for _, test in folds)
    assert fit_baseline(sorted_table, folds).named_steps["classify"].C_ in STRENGTHS
