"""The data contract of a table: its features, target and classes."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.data.problems import SHOWN, listed
from pipeline.errors import PipelineError
from pipeline.params import Data, FeatureSpec
from serving.model.cells import ABSENT, BOOLEANS, to_plain
from serving.model.contract import Contract, Feature
from serving.model.reading import Read

MOST_CLASSES = 20  # of whole numbers; more are a quantity
WHOLE = re.compile(r"([+-]?(?:0|[1-9][0-9]*))(?:\.0*)?")


def data_contract(data: Data, classes: tuple[str | int, str | int]) -> Contract:
    """Derive the data contract, as yet without the ranges seen in training and the threshold."""
    return Contract(
        target=data.target,
        classes=classes,
        table_format=data.read,
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


def rows_with_target(
    path: Path, target: "pd.Series[str]", read: Read
) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
    """Return which rows have a target, and a note on the others.

    A word such as None is a class where it is all that stands beside a single other one. Raises
    PipelineError where most rows have no target.
    """
    texts = target.map(lambda text: to_plain(text, read))
    words = texts.isin(ABSENT)
    name = f"{path}, column {target.name}"
    absent = {*texts[words].unique()}
    if texts[~words].nunique() == 1 and len(absent) == 1 and absent != {""}:
        return np.ones(len(texts), dtype=bool), (f"{name}: {absent.pop()!r} is read as a class",)
    count = int(words.sum())
    if not count:
        return np.ones(len(texts), dtype=bool), ()
    if 2 * count > len(texts):
        raise PipelineError(f"{name}: is missing in {count} of {len(texts)} rows: fill it in")
    rows = listed([int(row) + 1 for row in target.index[words][:SHOWN]])
    which = f"row {rows} has" if count == 1 else f"{count} rows have"
    more = "" if count == 1 else f" (rows {rows}{' …' if count > SHOWN else ''})"
    left_out = "is" if count == 1 else "are"
    return (~words).to_numpy(), (f"{name}: {which} no target{more}, and {left_out} left out",)


def target_values(path: Path, target: "pd.Series[str]") -> list[str | int]:
    """Return the target's two values, sorted; raise PipelineError where there are not two."""
    values = sorted({class_value(text) for text in target.unique()}, key=str)
    if len(values) == 2:
        return values
    name = f"{path}, column {target.name}"
    if (numbers := _quantity(values)) is not None:
        raise PipelineError(
            f"{name}: has {len(numbers)} different numbers, from {numbers.min():g} to "
            f"{numbers.max():g}, as a quantity has, and classes are predicted here: replace them by "
            "two, such as low and high"
        )
    raise PipelineError(
        f"{name}: has {len(values)} class{'es' * (len(values) != 1)} ({listed(values)}), "
        "a two-class target is needed"
    )


def _quantity(values: Sequence[str | int]) -> npt.NDArray[np.float64] | None:
    """Return values as numbers where they are too many to be classes, or no whole ones."""
    numbers = pd.to_numeric(pd.Series([str(value) for value in values]), errors="coerce")
    whole = all(isinstance(value, int) for value in values)
    enough = len(values) > (MOST_CLASSES if whole else 2)
    return numbers.to_numpy(dtype=np.float64) if enough and bool(numbers.notna().all()) else None


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
