"""The data contract of a table: its features, target and classes."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.data.problems import SHOWN, listed
from pipeline.errors import PipelineError
from pipeline.params import Data, FeatureSpec
from serving.model.cells import ABSENT, BOOLEANS, to_plain
from serving.model.contract import MOST_CLASSES, Contract, Feature
from serving.model.reading import Read

MOST_NUMBERS = 20  # that are classes; more are a quantity
LONGEST_NUMBER = 20  # characters of one of 64 bits, with its sign
WHOLE = re.compile(r"([+-]?(?:0|[1-9][0-9]*))(?:\.0*)?")


def data_contract(
    data: Data, classes: tuple[str | int, ...], class_names: tuple[str, ...] = ()
) -> Contract:
    """Derive the data contract, as yet without the ranges seen in training and the threshold."""
    return Contract(
        target=data.target,
        classes=classes,
        class_names=class_names,
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
    """Return the target's classes, numbers by value and before texts.

    Raises PipelineError for fewer than two, for more than can be told apart, and for a quantity.
    """
    values = sorted(
        {class_value(text) for text in target.unique()},
        key=lambda value: (isinstance(value, str), value),
    )
    name = f"{path}, column {target.name}"
    if (numbers := _quantity(values)) is not None:
        raise PipelineError(
            f"{name}: has {len(numbers)} different numbers, from {numbers.min():g} to "
            f"{numbers.max():g}, as a quantity has, and classes are predicted here: replace them "
            "by a few, such as low and high"
        )
    if len(values) < 2:
        raise PipelineError(f"{name}: has {len(values)} class ({listed(values)}), two are needed")
    if len(values) > MOST_CLASSES:
        raise PipelineError(
            f"{name}: has {len(values)} classes ({listed(values)}), and {MOST_CLASSES} can be told "
            "apart: merge some, or leave their rows out"
        )
    return values


def _quantity(values: Sequence[str | int]) -> npt.NDArray[np.float64] | None:
    """Return values as numbers where they are too many to be classes, or no whole ones."""
    numbers = pd.to_numeric(pd.Series([str(value) for value in values]), errors="coerce")
    whole = all(isinstance(value, int) for value in values)
    enough = len(values) > (MOST_NUMBERS if whole else 2)
    return numbers.to_numpy(dtype=np.float64) if enough and bool(numbers.notna().all()) else None


def read_classes(path: Path, target: "pd.Series[str]", data: Data) -> tuple[str | int, ...]:
    """Return the target's classes, of two the negative one first."""
    values = target_values(path, target)
    name = f"{path}, column {data.target}"
    if len(values) > 2:
        if data.positive_class is not None:
            raise PipelineError(
                f"{name}: has {len(values)} classes ({listed(values)}), each with a probability of "
                "its own: leave data.positive_class empty, it is for two"
            )
        return tuple(values)
    if data.positive_class is None:
        raise PipelineError(
            f"{name}: has the classes {listed(values)}: set data.positive_class to the one whose "
            "probability is to be predicted"
        )
    positive = class_value(str(data.positive_class))
    if positive not in values:
        raise PipelineError(
            f"{name}: data.positive_class is {positive}, but the values are {listed(values)}"
        )
    negative = values[0] if values[1] == positive else values[1]
    return negative, positive


def read_class_names(path: Path, data: Data, classes: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the classes' names for people, in their order; none where the settings have none."""
    if not data.class_names:
        return ()
    given = [class_value(str(key)) for key in data.class_names]
    names = dict(zip(given, (name.strip() for name in data.class_names.values()), strict=True))
    where = f"{path}, column {data.target}: data.class_names"
    if sorted(given, key=str) != sorted(classes, key=str):
        raise PipelineError(
            f"{where} names {listed(given)}, but the classes are "
            f"{listed(sorted(classes, key=str))}: name each once"
        )
    if "" in names.values():
        raise PipelineError(
            f"{where} has an empty name: leave out data.class_names, or name each class"
        )
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise PipelineError(f"{where} has one name for two classes, {twice[0]}: give each its own")
    return tuple(names[value] for value in classes)


def class_value(text: str) -> str | int:
    """Read a class as a whole number where it is written as one (1.0 is 1), otherwise as text.

    `007` and `1e1` are texts: as numbers they would be one class with `7` and `10`. So are numbers
    of more than 64 bits, which neither Parquet nor most readers of JSON have.
    """
    text = text.strip()
    if text.lower() in BOOLEANS:
        return text.lower().capitalize()
    number = WHOLE.fullmatch(text)
    return int(number[1]) if number and _has_64_bits(number[1]) else text


def _has_64_bits(digits: str) -> bool:
    return len(digits) <= LONGEST_NUMBER and -(2**63) <= int(digits) < 2**63
