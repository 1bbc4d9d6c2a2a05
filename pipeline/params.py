"""params.yaml -> frozen, strict settings; a key that is not known fails here, by its path."""

import sys
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

import msgspec

from serving.model.contract import DatePart, NumberFormat
from serving.model.reading import PLAIN, Read

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]

LARGEST = sys.float_info.max

LARGEST_GRID = 1000  # candidates on an axis

Finite = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]

CutPoints = tuple[Finite, ...]

Positive = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]


MIN_CATEGORY_ROWS = 10

NO_FILE = "data/none"  # of data.test_file: DVC needs a file there, whether there is one or not


ClassKey = str | int | float | bool  # a class as YAML reads it


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of every section: frozen, and refusing keys that it does not know."""


class FeatureSpec(Settings, frozen=True, kw_only=True):
    type: Literal["number", "integer", "boolean", "category", "date"] = "number"
    unit: str = ""
    description: str = ""
    categories: tuple[str, ...] = ()
    unseen: Literal["refuse", "missing", "other"] = "refuse"
    missing_values: tuple[Finite | str, ...] = ()
    nullable: bool | None = None
    limits: tuple[float, float] | None = None
    number_format: NumberFormat | None = None
    date_format: str = ""
    parts: tuple[DatePart, ...] = ()

    def __post_init__(self) -> None:
        self._check_format()
        given = (bool(self.date_format), bool(self.parts))
        if given != (self.type == "date",) * 2:
            raise ValueError(
                "`type: date` needs date_format, such as '%Y-%m-%d', and parts, some of year, "
                "month, weekday and days; no other type has them"
            )
        if self.type == "category":
            self._check_category()
        elif self.type == "date":
            self._check_date()
        else:
            self._check_number()
        if self.missing_values and self.nullable is False:
            raise ValueError("nullable cannot be false where missing_values are given")

    def _check_format(self) -> None:
        if self.number_format is None:
            return
        if self.type not in ("number", "integer"):
            raise ValueError(f"number_format is for numbers, the type here is {self.type}")
        if self.number_format.decimal == self.number_format.thousands:
            raise ValueError("number_format needs different signs for decimal and thousands")

    def _check_date(self) -> None:
        if self.limits is not None or self.categories or self.unseen != "refuse":
            raise ValueError("a date has no limits, categories or unseen")
        if len({*self.parts}) < len(self.parts):
            raise ValueError("each of the parts of a date can be taken once")
        numbers = [value for value in self.missing_values if not isinstance(value, str)]
        if numbers:
            raise ValueError(f"missing_values of a date are texts: quote {numbers[0]:g}")

    def _check_number(self) -> None:
        if self.categories or self.unseen != "refuse":
            raise ValueError(
                f"categories and unseen are for `type: category`, the type here is {self.type}"
            )
        texts = [value for value in self.missing_values if isinstance(value, str)]
        if texts:
            raise ValueError(f"missing_values of this type are numbers, not {texts[0]!r}")
        if self.limits is not None and not self.limits[0] <= self.limits[1]:
            raise ValueError("limits must be [lowest, highest]")

    def _check_category(self) -> None:
        if self.limits is not None:
            raise ValueError("limits are for numbers, a category has none")
        if len(self.categories) < 2:
            raise ValueError("a category needs two categories or more, such as [low, high]")
        if self.unseen == "missing" and self.nullable is False:
            raise ValueError("nullable cannot be false where unseen is missing")
        numbers = [value for value in self.missing_values if not isinstance(value, str)]
        if numbers:
            raise ValueError(f"missing_values of a category are texts: quote {numbers[0]:g}")
        texts = [*self.categories, *map(str, self.missing_values)]
        for text in texts:
            if not text or text != text.strip():
                raise ValueError(f"{text!r} is empty or has spaces around it, as no cell has")
            if texts.count(text) > 1:
                raise ValueError(f"{text!r} is listed twice in categories and missing_values")


class Data(Settings, frozen=True, kw_only=True):
    file: str
    target: str
    positive_class: ClassKey | None = None
    class_names: dict[ClassKey, str] = {}
    features: dict[str, FeatureSpec | None]
    min_category_rows: Annotated[int, msgspec.Meta(ge=1)] = MIN_CATEGORY_ROWS
    read: Read = PLAIN
    ignore: tuple[str, ...] = ()
    row_numbers: tuple[str, ...] = ()
    repeats: Literal["together", "apart"] = "together"
    group: str | None = None
    time: str | None = None
    test_from: str | int | Finite | None = None
    test_file: str = NO_FILE

    def __post_init__(self) -> None:
        self._check_split()
        if not self.features:
            raise ValueError("features must name at least one column")
        if self.target in self.features:
            raise ValueError(f"the target {self.target} cannot be a feature as well")
        for name in {*self.ignore} & {*self.features, self.target}:
            raise ValueError(f"{name} cannot be ignored: it is a feature or the target")
        for name in (*self.features, self.target, *self.ignore, *self.row_numbers):
            if name.strip() and name != name.strip():
                raise ValueError(f"{name!r} has spaces around it, which are left out of a header")
        for name in self.features:
            if is_index_name(name):
                raise ValueError(
                    f"{name!r} is the name of an unnamed index column, which is no feature: "
                    "it numbers the rows, and with them often gives the target away"
                )

    @property
    def has_test_file(self) -> bool:
        """True if the test rows are those of another file."""
        return self.test_file != NO_FILE

    def _check_split(self) -> None:
        if (self.time is None) != (self.test_from is None):
            raise ValueError("time and test_from go together: set both, or neither")
        if self.time is not None and self.has_test_file:
            raise ValueError(
                f"test_file and test_from both choose the test rows: set test_file to {NO_FILE}, "
                "or time and test_from to null"
            )
        if self.target in (self.group, self.time, *self.row_numbers):
            raise ValueError(f"the target {self.target} cannot be group, time or row_numbers")
        for name in {*self.row_numbers} & {*self.features, self.group}:
            raise ValueError(f"{name} cannot be a feature or the group: row_numbers has it")


class Preprocess(Settings, frozen=True, kw_only=True):
    test_size: Share


ThresholdRule = Literal["youden", "f1", "accuracy", "cost"]

# Only the ratio of two costs counts: a million to one and more is written within these.
Cost = Annotated[float, msgspec.Meta(ge=1e-6, le=1e6)]


class MistakeCost(Settings, frozen=True, kw_only=True):
    """The cost of each mistake, in a unit of the user's choice."""

    false_positive: Cost
    false_negative: Cost


# What `rule` decides, where it is auto.
BY_RULE = ("class_weight", "repeats", "score", "rank_by", "widen")

# Repeats of the folds: fewer for a large table, whose scores vary little.
MOST_REPEATS, REPEATED_ROWS = 5, 25_000


class Selection(NamedTuple):
    """How the winner is chosen: which weights are tried, and by what score."""

    class_weights: tuple[Literal["none", "balanced"], ...]
    score: Literal["roc_auc", "average_precision"]
    rank_by: Literal["mean", "median"]


class GridSearch(Settings, frozen=True, kw_only=True):
    grid_size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_GRID)]
    C: tuple[Positive, Positive]
    gamma: tuple[Positive, Positive]
    folds: Annotated[int, msgspec.Meta(ge=2)]
    rule: Literal["one_se", "tutorial"] = "one_se"
    class_weight: Literal["auto", "none", "balanced"] = "auto"
    repeats: Annotated[int, msgspec.Meta(ge=1, le=100)] | Literal["auto"] = "auto"
    score: Literal["auto", "roc_auc", "average_precision"] = "auto"
    rank_by: Literal["auto", "mean", "median"] = "auto"
    widen: bool | Literal["auto"] = "auto"
    threshold: ThresholdRule
    cost: MistakeCost | None = None
    strategy: Literal["auto", "grid", "halving"] = "auto"
    halving_factor: Annotated[int, msgspec.Meta(ge=2, le=100)] = 3
    halving_min_rows: Annotated[int, msgspec.Meta(ge=1)] | None = None
    approximation: Literal["auto", "none", "nystroem"] = "auto"
    components: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | Literal["auto"] = "auto"
    background: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    backend: Literal["local", "dask"] = "local"
    scheduler: str = ""
    memory_limit: Positive | None = None

    def __post_init__(self) -> None:
        if self.C[0] > self.C[1] or self.gamma[0] > self.gamma[1]:
            raise ValueError("C and gamma must each be [lowest, highest]")
        if self.backend == "dask" and "://" not in self.scheduler:
            raise ValueError(
                "backend is dask, so scheduler must be its address, such as tcp://10.0.0.5:8786"
            )
        if self.threshold == "cost" and self.cost is None:
            raise ValueError(
                "threshold is cost, so cost must give that of each mistake, such as "
                "{false_positive: 1, false_negative: 5}"
            )
        self._check_rule()

    def _check_rule(self) -> None:
        if self.rule != "tutorial":
            return
        for name in BY_RULE:
            if (value := getattr(self, name)) != "auto":
                raise ValueError(
                    f"rule is tutorial, which is the median ROC AUC over the folds and nothing "
                    f"else: set {name} to auto, here it is {str(value).lower()}"
                )

    @property
    def selection(self) -> Selection:
        """How the winner is chosen, where `auto` is what the rule takes."""
        if self.rule == "tutorial":
            return Selection(("none",), "roc_auc", "median")
        return Selection(
            ("none", "balanced") if self.class_weight == "auto" else (self.class_weight,),
            "roc_auc" if self.score == "auto" else self.score,
            "mean" if self.rank_by == "auto" else self.rank_by,
        )

    @property
    def widens(self) -> bool:
        """True if values are added to a grid whose best candidate stands on its edge."""
        return self.rule == "one_se" and self.widen is not False

    @property
    def fewest_rows(self) -> int:
        """The fewest training rows of a class: with fewer, a fold's score hangs on a single one."""
        return self.folds + 2

    def repeats_for(self, rows: int) -> int:
        """Return how often the folds are drawn from so many training rows."""
        if self.rule == "tutorial":
            return 1
        if self.repeats == "auto":
            return max(1, min(MOST_REPEATS, REPEATED_ROWS // rows))
        return self.repeats


# Where and in how much memory the search runs; its scores are the same wherever it does.
PLACE = ("backend", "scheduler", "memory_limit")


class Evaluate(Settings, frozen=True, kw_only=True):
    confidence: Share
    resamples: Annotated[int, msgspec.Meta(ge=100)]
    bins: Annotated[int, msgspec.Meta(ge=2)]
    subgroups: dict[str, CutPoints] = {}

    def __post_init__(self) -> None:
        for name, points in self.subgroups.items():
            if any(low >= high for low, high in pairwise(points)):
                raise ValueError(f"the cut points of subgroups.{name} must increase")


# Of a gate that nobody has to set: the exported model's probabilities against scikit-learn's.
PARITY_TOLERANCE = 1e-5


class Gates(Settings, frozen=True, kw_only=True):
    min_roc_auc: Finite | None = None
    max_brier: Finite | None = None
    max_roc_auc_drop: Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
    max_calibration_error: Positive | None = None
    max_bias: Positive | None = None
    max_subgroup_gap: Positive | None = None
    max_size_mb: Positive | None = None
    max_latency_ms: Positive | None = None


class PromoteFrom(Settings, frozen=True, kw_only=True):
    """The checkout that may promote by itself; `clean` if tracked files must be committed."""

    branch: str
    clean: bool = True


AutoPromote = Literal["repro", "always", "never"]


class Register(Settings, frozen=True, kw_only=True):
    auto_promote: AutoPromote | bool = "repro"
    promote_from: PromoteFrom | None = None
    gates: Gates

    @property
    def promotes(self) -> AutoPromote:
        """Return what may be promoted by itself; `true`, once the default, is `repro`."""
        if isinstance(self.auto_promote, bool):
            return "repro" if self.auto_promote else "never"
        return self.auto_promote


class CardTexts(Settings, frozen=True, kw_only=True):
    """The parts of the model card that only a person can write."""

    intended_use: str = "What the model is meant for was not stated."
    limits: str = (
        "Its limits were not stated. It was measured on rows of its own table alone: how it does "
        "elsewhere, and for groups that are not listed below, is not known."
    )
    license: str = ""
    contact: str = ""


class Params(Settings, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$")]
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    data: Data
    preprocess: Preprocess
    grid_search: GridSearch
    evaluate: Evaluate
    register: Register
    card: CardTexts = CardTexts()

    def __post_init__(self) -> None:
        # Here, since `evaluate` would find it only when the search is done.
        for name in self.evaluate.subgroups:
            if name not in self.data.features:
                raise ValueError(f"evaluate.subgroups.{name} is no feature under data.features")


def flatten(params: Params) -> dict[str, str]:
    """Return the settings as `section.key: value`, as the tracking store compares them."""
    flat: dict[str, str] = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else key, inner)
        elif isinstance(value, list | tuple):
            flat[prefix] = msgspec.json.encode(value).decode()
        else:
            flat[prefix] = str(value)

    document = msgspec.to_builtins(params)
    document["data"]["features"] = list(document["data"]["features"])
    del document["card"]  # words about a result, of which none depends on them
    walk("", document)
    return flat


def is_index_name(column: str) -> bool:
    """True if a column's name is what `to_csv` and `read_csv` make of an unnamed index."""
    return not column.strip() or column.startswith("Unnamed: ")
