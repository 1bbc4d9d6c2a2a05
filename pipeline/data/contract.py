"""The data contract of a table: its features, target and classes."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.problems import listed, refuse
from pipeline.errors import PipelineError
from pipeline.params import Data, FeatureSpec
from serving.model.cells import ABSENT, BOOLEANS
from serving.model.contract import Contract, Feature

WHOLE = re.compile(r"([+-]?(?:0|[1-9][0-9]*))(?:\.0*)?")


def data_contract(data: Data, classes: tuple[str | int, str | int]) -> Contract:
    """Derive the data contract, as yet without the ranges seen in training and the threshold."""
    return Contract(
        target=data.target,
        classes=classes,
        features=tuple(
            _feature(name, spec or FeatureSpec()) for name, spec in data.features.items()
        ),
    )


def _feature(name: str, spec: FeatureSpec) -> Feature:
    low, high = spec.limits or (None, None)
    return Feature(
        name=name,
        type=spec.type,
        unit=spec.unit,
        description=spec.description,
        nullable=_is_nullable(spec),
        missing_values=spec.missing_values,
        minimum=low,
        maximum=high,
        number_format=spec.number_format,
        date_format=spec.date_format,
        parts=spec.parts,
        categories=spec.categories,
        unseen=spec.unseen,
    )


def _is_nullable(spec: FeatureSpec) -> bool:
    if spec.nullable is None:
        return bool(spec.missing_values) or spec.unseen == "missing"
    return spec.nullable


def target_values(path: Path, target: "pd.Series[str]") -> list[str | int]:
    """Return the target's two values, sorted; raise PipelineError where there are not two."""
    where = f"{path}, column {target.name}"
    absent = np.flatnonzero(target.str.strip().isin(ABSENT))
    refuse(f"{path}, row {row + 1}, column {target.name}: is missing" for row in absent)
    values = sorted({class_value(text) for text in target}, key=str)
    if len(values) != 2:
        raise PipelineError(
            f"{where}: has {len(values)} class{'es' * (len(values) != 1)} "
            f"({listed(values)}), a two-class target is needed"
        )
    return values


def read_classes(path: Path, target: "pd.Series[str]", data: Data) -> tuple[str | int, str | int]:
    """Return the target's two values, the negative one first."""
    values = target_values(path, target)
    positive = class_value(str(data.positive_class))
    if positive not in values:
        raise PipelineError(
            f"{path}, column {data.target}: data.positive_class is {positive}, "
            f"but the values are {listed(values)}"
        )
    negative = values[0] if values[1] == positive else values[1]
    return negative, positive


def class_value(text: str) -> str | int:
    """Read a class as a whole number where it is written as one (1.0 is 1), otherwise as text.

    `007` and `1e1` are texts: as numbers they would be one class with `7` and `10`.
    """
    text = text.strip()
    if text.lower() in BOOLEANS:
        return text.lower().capitalize()
    number = WHOLE.fullmatch(text)
    return int(number[1]) if number else text
