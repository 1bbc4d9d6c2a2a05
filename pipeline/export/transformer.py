"""The first part of the exported graph: features as they are asked -> what the SVM takes.

It does what `build_transformer` does: numbers are imputed and scaled, categories are imputed and
one-hot encoded.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.pipeline import Pipeline

from pipeline.export.dates import add_date_parts
from pipeline.export.graph import Graph
from pipeline.training.estimator import CATEGORIES, DATES, NUMBERS, split_features
from serving.model.contract import Contract, Feature
from serving.model.scorer import INPUT

FAR = 1e100  # standard deviations, whose square is still finite


def encode(graph: Graph, estimator: Pipeline, contract: Contract) -> str:
    """Add a fitted estimator's imputation, scaling and encoding; return the output's name."""
    steps = estimator.named_steps
    if "encode" not in steps:
        return _scale(graph, steps["impute"], steps["scale"], INPUT, contract.features)
    fitted, columns = steps["encode"].named_transformers_, split_features(contract)
    parts = []
    if columns[NUMBERS]:
        taken = _take(graph, columns[NUMBERS], "numbers")
        features = [contract.features[column] for column in columns[NUMBERS]]
        of = fitted[NUMBERS].named_steps
        parts.append(_scale(graph, of["impute"], of["scale"], taken, features))
    if columns[DATES]:
        dates = [contract.features[column] for column in columns[DATES]]
        of = fitted[DATES].named_steps
        taken = add_date_parts(graph, _take(graph, columns[DATES], "dates"), dates)
        known = _impute_parts(graph, of["impute"], taken)
        parts.append(_standardize(graph, of["scale"], known, "date_"))
    if columns[CATEGORIES]:
        taken = _take(graph, columns[CATEGORIES], "categories")
        parts.append(_one_hot(graph, fitted[CATEGORIES].named_steps, taken))
    return graph.add("Concat", parts, "encoded", axis=1)


def _take(graph: Graph, columns: list[int], output: str) -> str:
    places = graph.constant(f"{output}_columns", np.array(columns, dtype=np.int64))
    return graph.add("Gather", [INPUT, places], output, axis=1)


def _scale(
    graph: Graph, imputer: Any, scaler: Any, values: str, features: Sequence[Feature]
) -> str:
    return _standardize(graph, scaler, _impute(graph, imputer, values, features))


def _standardize(graph: Graph, scaler: Any, known: str, prefix: str = "") -> str:
    mean = graph.constant(f"{prefix}mean", scaler.mean_)
    scale = graph.constant(f"{prefix}scale", scaler.scale_)
    centred = graph.add("Sub", [known, mean], f"{prefix}centred")
    scaled = graph.add("Div", [centred, scale], f"{prefix}unbounded")
    # Without bounds a value such as 1e308 would be squared to infinity and answered with NaN.
    lowest, highest = (
        graph.constant(f"{prefix}{name}", value)
        for name, value in (("lowest", -FAR), ("highest", FAR))
    )
    return graph.add("Clip", [scaled, lowest, highest], f"{prefix}scaled")


def _impute_parts(graph: Graph, imputer: Any, values: str) -> str:
    medians = graph.constant("date_medians", imputer.statistics_)
    missing = graph.add("IsNaN", [values], "missing_dates")
    return graph.add("Where", [missing, medians, values], "known_dates")


def _impute(graph: Graph, imputer: Any, values: str, features: Sequence[Feature]) -> str:
    """Put the training median where a value is NaN or one of those that mean missing."""
    missing = graph.add("IsNaN", [values], "missing")
    ways = [feature.missing_numbers for feature in features]
    for slot in range(max(map(len, ways))):
        # A feature with fewer such values has NaN here, which equals nothing.
        numbers = [way[slot] if slot < len(way) else np.nan for way in ways]
        stands_for = graph.constant(f"missing_value_{slot}", np.array(numbers))
        is_one = graph.add("Equal", [values, stands_for], f"is_missing_value_{slot}")
        missing = graph.add("Or", [missing, is_one], f"missing_{slot}")
    medians = graph.constant("medians", imputer.statistics_)
    return graph.add("Where", [missing, medians, values], "known")


def _one_hot(graph: Graph, fitted: Any, codes: str) -> str:
    """Put the most frequent category where none is known, then a 1 in the column of each."""
    frequent = graph.constant("most_frequent", fitted["impute"].statistics_)
    missing = graph.add("IsNaN", [codes], "missing_categories")
    known = graph.add("Where", [missing, frequent, codes], "known_categories")
    # Each feature's code beside itself, once for each of its categories.
    categories = fitted["one_hot"].categories_
    widths = [len(values) for values in categories]
    places = graph.constant("one_hot_columns", np.repeat(np.arange(len(widths)), widths))
    repeated = graph.add("Gather", [known, places], "repeated", axis=1)
    all_codes = graph.constant("codes", np.concatenate(categories))
    is_one = graph.add("Equal", [repeated, all_codes], "is_category")
    return graph.add("Cast", [is_one], "one_hot", to=TensorProto.DOUBLE)
