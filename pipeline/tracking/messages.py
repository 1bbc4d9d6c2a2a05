"""Messages from the search to the process that tracks it."""

from functools import cache
from typing import Literal
from uuid import uuid4

import msgspec

from pipeline.params import Selection
from pipeline.search.units import Candidate


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """A search starts: of which experiment, by which key, with which settings and candidates."""

    experiment: str
    key: str
    process: str
    params: dict[str, str]
    total: int
    selection: Selection


class Scored(msgspec.Struct, frozen=True, tag="candidate"):
    """A candidate is scored on its folds; `extra` says of halving where it got to."""

    candidate: Candidate
    scores: tuple[float, ...]
    fit_s: float
    score_s: float
    extra: dict[str, int]


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """All candidates are scored: the paths of the two tables, which are written by then."""

    cv_results: str
    learning_curve: str


class End(msgspec.Struct, frozen=True, tag="end"):
    """The last word; without it the stage's process died."""

    how: Literal["done", "failed", "killed"]


Message = Begin | Scored | Finish | End


@cache
def process_id() -> str:
    """Name this process; unlike the system's number, the name never comes again."""
    return uuid4().hex
