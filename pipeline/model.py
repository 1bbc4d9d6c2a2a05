"""Build the unfitted estimator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem as KernelMap
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from pipeline.search.primal import PrimalSVC
from pipeline.search.problem import Nystroem
from serving.contract import Contract, FloatMatrix


def stratified_folds(n_folds: int, seed: int) -> StratifiedKFold:
    return StratifiedKFold(n_folds, shuffle=True, random_state=seed)


def build_transformer(contract: Contract) -> Pipeline:
    """Build the unfitted imputation (medians) and scaling (to unit variance)."""
    missing_values = [feature.missing_values for feature in contract.features]
    return Pipeline(
        [
            ("mark", FunctionTransformer(mark_missing, kw_args={"missing_values": missing_values})),
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )


def build_svm(*, C: float, gamma: float, approximation: Nystroem | None = None) -> Any:
    """Build the unfitted SVM that the search scores: the exact one, or one on a kernel map."""
    if approximation is None:
        return SVC(kernel="rbf", C=C, gamma=gamma)
    kernel_map = KernelMap(
        gamma=gamma, n_components=approximation.components, random_state=approximation.seed
    )
    return Pipeline([("map", kernel_map), ("svm", PrimalSVC(C=C))])


def build_estimator(
    contract: Contract,
    *,
    C: float,
    gamma: float,
    n_folds: int,
    seed: int,
    approximation: Nystroem | None = None,
) -> Pipeline:
    """Build the whole unfitted model: imputation, scaling, an SVM, calibrated probabilities.

    The calibration is fitted on cross-validated distances, then one SVM on all rows.
    """
    svm = build_svm(C=C, gamma=gamma, approximation=approximation)
    folds = stratified_folds(n_folds, seed)
    calibrated = CalibratedClassifierCV(svm, method="sigmoid", cv=folds, ensemble=False)
    return Pipeline([*build_transformer(contract).steps, ("classify", calibrated)])


def mark_missing(X: FloatMatrix, missing_values: Sequence[tuple[float, ...]]) -> FloatMatrix:
    """Give X `[rows, features]` with NaN for each feature's own values that mean missing."""
    stands_for = [np.isin(X[:, column], values) for column, values in enumerate(missing_values)]
    return np.where(np.column_stack(stands_for), np.nan, X)
