"""Build the unfitted estimator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem as KernelMap
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from pipeline.search.calibration import Sigmoid
from pipeline.search.linear_svm import PrimalSVC
from pipeline.search.problem import Nystroem
from pipeline.search.units import Candidate
from pipeline.training.calibrated_svm import CalibratedSVM
from serving.model.contract import Contract, DatePart, FloatMatrix

THURSDAY = 3  # the weekday of 1970-01-01

# The kinds of columns, each with steps of its own.
NUMBERS, DATES, CATEGORIES = "numbers", "dates", "categories"


def build_transformer(contract: Contract) -> Pipeline:
    """Build the unfitted imputation and scaling, and the one-hot encoding of categories.

    Numbers get the median where they are missing, and unit variance; categories get the most
    frequent one, and a column for each.
    """
    missing_values = [feature.missing_numbers for feature in contract.features]
    mark = FunctionTransformer(mark_missing, kw_args={"missing_values": missing_values})
    columns = split_features(contract)
    if not columns[CATEGORIES] and not columns[DATES]:
        return Pipeline([("mark", mark), *_for_numbers()])
    counts = [contract.features[column].code_count for column in columns[CATEGORIES]]
    parts = [contract.features[column].parts for column in columns[DATES]]
    take = FunctionTransformer(date_parts, kw_args={"parts": parts})
    steps = {
        NUMBERS: _for_numbers(),
        DATES: [("parts", take), *_for_numbers()],
        CATEGORIES: _for_categories(counts),
    }
    encode = ColumnTransformer(
        [(kind, Pipeline(steps[kind]), columns[kind]) for kind in columns if columns[kind]]
    )
    return Pipeline([("mark", mark), ("encode", encode)])


def split_features(contract: Contract) -> dict[str, list[int]]:
    """Return the columns of each kind, in the order in which they are encoded."""
    of_type = {"category": CATEGORIES, "date": DATES}
    kinds = [of_type.get(feature.type, NUMBERS) for feature in contract.features]
    return {
        kind: [column for column, found in enumerate(kinds) if found == kind]
        for kind in (NUMBERS, DATES, CATEGORIES)
    }


def _for_numbers() -> list[tuple[str, Any]]:
    return [
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scale", StandardScaler()),
    ]


def _for_categories(counts: Sequence[int]) -> list[tuple[str, Any]]:
    # Not scaled: as 0 and 1, two rows of different categories are √2 apart, which is the usual
    # distance of two rows in a scaled number, whatever the number of categories. Scaled, each
    # column would weigh as much as a number, and a rare category far more than a frequent one.
    # The categories are the contract's and not those found, so that each fold has the same columns.
    codes = [np.arange(count, dtype=np.float64) for count in counts]
    return [
        ("impute", SimpleImputer(strategy="most_frequent", keep_empty_features=True)),
        ("one_hot", OneHotEncoder(categories=codes, sparse_output=False)),
    ]


def build_svm(
    candidate: Candidate, approximation: Nystroem | None = None, n_classes: int = 2
) -> Any:
    """Build the unfitted SVM that the search scores: the exact one, or one on a kernel map.

    Of more than two classes it is one for each against the rest.
    """
    C, gamma = candidate.C, candidate.gamma
    weight = None if candidate.class_weight == "none" else candidate.class_weight
    exact = approximation is None
    svm = SVC(C=C, gamma=gamma, class_weight=weight) if exact else PrimalSVC(C, weight)
    one_or_many = svm if n_classes == 2 else OneVsRestClassifier(svm)
    if approximation is None:
        return one_or_many
    kernel_map = KernelMap(
        gamma=gamma, n_components=approximation.components, random_state=approximation.seed
    )
    return Pipeline([("map", kernel_map), ("svm", one_or_many)])


def build_estimator(
    contract: Contract,
    candidate: Candidate,
    sigmoids: tuple[Sigmoid, ...],
    approximation: Nystroem | None = None,
) -> Pipeline:
    """Build the whole unfitted model: imputation, scaling, an SVM, calibrated probabilities.

    The sigmoids are those of the candidate's decision values on rows that it was not fitted on.
    """
    svm = build_svm(candidate, approximation, len(contract.classes))
    calibrated = CalibratedSVM(svm, sigmoids)
    return Pipeline([*build_transformer(contract).steps, ("classify", calibrated)])


def date_parts(X: FloatMatrix, parts: Sequence[Sequence[DatePart]]) -> FloatMatrix:
    """Return the parts of each date of `X` `[rows, dates]`, which are days since 1970-01-01."""
    columns = [
        _date_part(days, part)
        for days, wanted in zip(np.floor(X).T, parts, strict=True)
        for part in wanted
    ]
    return np.column_stack(columns)


def _date_part(days: FloatMatrix, part: DatePart) -> FloatMatrix:
    if part == "days":
        return days
    if part == "weekday":
        return np.mod(days + THURSDAY, 7)
    known = np.isfinite(days)
    dates = np.where(known, days, 0).astype("datetime64[D]")
    years, months = dates.astype("datetime64[Y]"), dates.astype("datetime64[M]")
    found = years.astype(int) + 1970 if part == "year" else (months - years).astype(int) + 1
    return np.where(known, found, np.nan)


def mark_missing(X: FloatMatrix, missing_values: Sequence[tuple[float, ...]]) -> FloatMatrix:
    """Return X `[rows, features]` with NaN for each feature's own values that mean missing."""
    stands_for = [np.isin(X[:, column], values) for column, values in enumerate(missing_values)]
    return np.where(np.column_stack(stands_for), np.nan, X)
