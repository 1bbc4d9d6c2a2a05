"""The data contract: what a row must look like, at training and at every answer.

`rules` holds matrices of numbers to it, `rows` what requests have in the place of numbers. This is
the ground floor: of the project it knows only how a table is written.
"""

from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from serving.model.reading import PLAIN, Read

FloatMatrix = npt.NDArray[np.float64]


MOST_CLASSES = 50
Classes = Annotated[tuple[str | int, ...], msgspec.Meta(min_length=2, max_length=MOST_CLASSES)]
DatePart = Literal["year", "month", "weekday", "days"]  # weekday from 0, which is a Monday
DAY_ZERO = date(1970, 1, 1)


class NumberFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a table writes a column's numbers: `$1,000` has a prefix and a separator of thousands."""

    prefix: str = ""
    suffix: str = ""
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", "'", " "] = ""


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column: what its values mean, which may stand in a row, which were seen in training.

    A date is a text of `date_format`; in a matrix it is the days since 1970-01-01, from which the
    model takes the `parts`.

    A category is one of the texts in `categories`, or one of `missing_values`, which are texts as
    well. In a matrix it is the place of its text, from 0, and NaN where it is missing. `unseen`
    says what becomes of any other text: it is refused, or taken as missing, or as one more
    category, the last, which the texts in `grouped` (too rare to learn from) share.
    """

    name: str
    type: Literal["number", "integer", "boolean", "category", "date"] = "number"
    unit: str = ""
    description: str = ""
    nullable: bool = False
    missing_values: tuple[float | str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    training_range: tuple[float, float] | None = None
    number_format: NumberFormat | None = None
    date_format: str = ""
    parts: tuple[DatePart, ...] = ()
    categories: tuple[str, ...] = ()
    grouped: tuple[str, ...] = ()
    unseen: Literal["refuse", "missing", "other"] = "refuse"

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The missing values that stand in a matrix as they are."""
        return tuple(value for value in self.missing_values if not isinstance(value, str))

    @property
    def codes(self) -> dict[str, float]:
        """The number of a matrix for each text of a category."""
        return self.own_codes | dict.fromkeys(self.grouped, float(len(self.categories)))

    @property
    def own_codes(self) -> dict[str, float]:
        """The numbers of the texts that share theirs with no other."""
        missing = {value: np.nan for value in self.missing_values if isinstance(value, str)}
        return missing | {text: float(place) for place, text in enumerate(self.categories)}

    @property
    def unseen_code(self) -> float:
        """The number of a matrix for a text that has none of its own."""
        return float(len(self.categories)) if self.unseen == "other" else np.nan

    @property
    def code_count(self) -> int:
        """How many categories a matrix knows, with the one of all others; 0 for numbers."""
        return len(self.categories) + bool(self.grouped or self.unseen == "other")

    @property
    def other(self) -> str:
        """A text that is read as the category of all others; it is the name of none of its own."""
        if self.grouped:
            return self.grouped[0]
        taken = self.codes
        return next(text for text in map(_bracketed, count()) if text not in taken)

    @property
    def model_columns(self) -> int:
        """How many columns the model makes of it."""
        return len(self.parts) or self.code_count or 1

    def decode(self, number: float) -> float | str | None:
        """Return a number of a matrix as a row has it."""
        if np.isnan(number):
            return None
        if self.type == "date":
            return (DAY_ZERO + timedelta(days=int(number))).strftime(self.date_format)
        if self.type != "category":
            return number
        return self.categories[int(number)] if number < len(self.categories) else self.other


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The features in the model's order, the target, and the decision threshold once it is known.

    `classes` are the target's values: the negative one, then the positive one. The model answers
    with the place of a class in them, from 0. `class_names` are theirs for people, or none.
    `table_format` says how the table is written that the model was trained on.
    """

    schema_version: Literal[1] = 1
    target: str
    classes: Classes
    class_names: tuple[str, ...] = ()
    features: tuple[Feature, ...]
    threshold: float | None = None
    # `read` in the file, which is the name of a method here.
    table_format: Read = msgspec.field(default=PLAIN, name="read")

    @property
    def is_binary(self) -> bool:
        """True if there are two classes: one probability and a threshold tell both."""
        return len(self.classes) == 2

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @property
    def labels(self) -> tuple[str | int | bool, ...]:
        """Return the classes as answers have them: of a true/false target as booleans.

        As a text, `False` would be true to a client that writes `if (label)`.
        """
        if {*self.classes} == {"False", "True"}:
            return tuple(value == "True" for value in self.classes)
        return self.classes

    def __post_init__(self) -> None:
        if self.class_names and len(self.class_names) != len(self.classes):
            raise ValueError("class_names must name each of the classes, or none")

    @property
    def classes_in_words(self) -> list[str]:
        """Return the classes for people, in Markdown: as the table has them, with their names."""
        values = [f"`{value}`" for value in self.classes]
        pairs = zip(values, self.class_names, strict=True) if self.class_names else ()
        return [f"{value} ({name})" for value, name in pairs] or values

    def example(self) -> dict[str, float | bool | str]:
        """Return an allowed row: the middle of the range seen in training, first categories."""
        return {feature.name: _middle(feature) for feature in self.features}

    def to_builtins(self) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.to_builtins(self)
        # What only some tables have is left out of the others: their bytes, and with them a model's
        # digest, are what they were before there were any.
        if not self.class_names:
            del document["class_names"]
        document["read"] = self.table_format.to_builtins()
        if not document["read"]:
            del document["read"]
        for feature in document["features"]:
            if feature["type"] != "category":
                del feature["categories"], feature["unseen"]
            for key in ("grouped", "number_format", "date_format", "parts"):
                if not feature[key]:
                    del feature[key]
        return document

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self.to_builtins()), indent=2) + b"\n"

    @classmethod
    def read(cls, path: Path) -> "Contract":
        return msgspec.json.decode(path.read_bytes(), type=cls)


def _bracketed(times: int) -> str:
    return "(" * times + "other" + ")" * times


def _middle(feature: Feature) -> float | bool | str:
    if feature.type == "category":
        return feature.categories[0] if feature.categories else feature.other
    low, high = feature.training_range or (feature.minimum or 0, feature.maximum or 1)
    if feature.type == "boolean":
        return bool(round(high))
    middle = (low + high) / 2
    if feature.type == "date":
        return str(feature.decode(round(middle)))
    return round(middle) if feature.type == "integer" else float(f"{middle:.3g}")
