"""The data contract: what a row must look like, at training and at every answer.

`rules` holds matrices of numbers to it, `rows` what requests have in the place of numbers. This is
the ground floor: of the project it knows only how a table is written.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from serving.model.reading import PLAIN, Read

FloatMatrix = npt.NDArray[np.float64]


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column: what its values mean, which may stand in a row, which were seen in training.

    A category is one of the texts in `categories`, or one of `missing_values`, which are texts as
    well. In a matrix it is the place of its text, from 0, and NaN where it is missing. `unseen`
    says what becomes of any other text: it is refused, or taken as missing.
    """

    name: str
    type: Literal["number", "integer", "boolean", "category"] = "number"
    unit: str = ""
    description: str = ""
    nullable: bool = False
    missing_values: tuple[float | str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    training_range: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()
    unseen: Literal["refuse", "missing"] = "refuse"

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The missing values that stand in a matrix as they are."""
        return tuple(value for value in self.missing_values if not isinstance(value, str))

    @property
    def codes(self) -> dict[str, float]:
        """The number of a matrix for each text of a category."""
        missing = {value: np.nan for value in self.missing_values if isinstance(value, str)}
        return missing | {text: float(place) for place, text in enumerate(self.categories)}

    def decode(self, number: float) -> float | str | None:
        """Return a number of a matrix as a row has it."""
        if np.isnan(number):
            return None
        return self.categories[int(number)] if self.type == "category" else number


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The features in the model's order, the target, and the decision threshold once it is known.

    `classes` are the target's values: the negative one (label 0), then the positive one (label 1).
    `table_format` says how the table is written that the model was trained on.
    """

    schema_version: Literal[1] = 1
    target: str
    classes: tuple[str | int, str | int]
    features: tuple[Feature, ...]
    threshold: float | None = None
    # `read` in the file, which is the name of a method here.
    table_format: Read = msgspec.field(default=PLAIN, name="read")

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    def example(self) -> dict[str, float | bool | str]:
        """Return an allowed row: the middle of the range seen in training, first categories."""
        return {feature.name: _middle(feature) for feature in self.features}

    def to_builtins(self) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.to_builtins(self)
        # What only some tables have is left out of the others: their bytes, and with them a model's
        # digest, are what they were before there were any.
        document["read"] = self.table_format.to_builtins()
        if not document["read"]:
            del document["read"]
        for feature in document["features"]:
            if feature["type"] != "category":
                del feature["categories"], feature["unseen"]
        return document

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self.to_builtins()), indent=2) + b"\n"

    @classmethod
    def read(cls, path: Path) -> "Contract":
        return msgspec.json.decode(path.read_bytes(), type=cls)


def _middle(feature: Feature) -> float | bool | str:
    if feature.type == "category":
        return feature.categories[0]
    low, high = feature.training_range or (feature.minimum or 0, feature.maximum or 1)
    if feature.type == "boolean":
        return bool(round(high))
    middle = (low + high) / 2
    return round(middle) if feature.type == "integer" else float(f"{middle:.3g}")
