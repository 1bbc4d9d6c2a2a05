"""Refuse a table: name rows, columns and values in one sentence."""

from collections.abc import Iterable

from pipeline.errors import PipelineError

SHOWN = 10


def refuse(problems: Iterable[str]) -> None:
    """Raise with the first ten problems, a line each, and how many more there are."""
    every = list(problems)
    if every:
        more = [f"… and {len(every) - SHOWN} more"] if len(every) > SHOWN else []
        raise PipelineError("\n".join([*every[:SHOWN], *more]))


def listed(values: Iterable[object]) -> str:
    every = [str(value) for value in values]
    more = [f"… ({len(every)} in all)"] if len(every) > SHOWN else []
    return ", ".join([*every[:SHOWN], *more])


def quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
