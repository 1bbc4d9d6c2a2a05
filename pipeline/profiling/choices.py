"""What a user says of a table's columns, which `init` would else find out. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from pipeline.data.problems import listed
from pipeline.errors import PipelineError

KINDS, ROLES = ("ignore", "category", "number", "date"), ("group", "time")


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """The columns to leave out, those of a type, and those that split the table."""

    ignore: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that are to be features, whatever their cells suggest."""
        return (*self.category, *self.number, *self.date)


NO_CHOICES = Choices()


def resolve(choices: Choices, columns: Sequence[str], target: str) -> Choices:
    """Return the choices with one name each, where several stand with commas between them.

    Raises PipelineError for a column that is not there, or chosen for two things.
    """
    lists = {key: _names(getattr(choices, key), columns) for key in KINDS}
    choices = msgspec.structs.replace(choices, **lists)
    split = {key: (name,) for key in ROLES if (name := getattr(choices, key)) is not None}
    for option, names in {**lists, **split}.items():
        _check(option, names, columns, target)
    kinds = Counter(name for names in lists.values() for name in names)
    if twice := [name for name, times in kinds.items() if times > 1]:
        raise PipelineError(
            f"--ignore, --category, --number and --date: {listed(twice)} can be only one of them"
        )
    return choices


def _names(values: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that an option names; a comma may be part of a name."""
    names: list[str] = []
    for value in values:
        names += [value] if value in columns else value.split(",")
    return tuple(dict.fromkeys(name.strip() for name in names))


def _check(option: str, names: Sequence[str], columns: Sequence[str], target: str) -> None:
    if unknown := [name for name in names if name not in columns]:
        raise PipelineError(
            f"--{option}: the table has no column {listed(unknown)}; it has {listed(columns)}"
        )
    if target in names:
        raise PipelineError(f"--{option}: {target} is the target")
