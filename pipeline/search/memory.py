"""Plan a search's memory, and what it leaves out of its caches to stay below the limit."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

DOUBLE = 8
SINGLE = 4  # libsvm keeps the columns of its kernel in single precision
SMALLEST_CACHE = 64 * 2**20  # bytes; less, and libsvm computes each column again and again


class Shape(NamedTuple):
    """The size of a search: the rows of its largest fold, the SVMs of a candidate.

    `components` are those of an approximation.
    """

    folds: int
    training: int
    test: int
    features: int
    components: int | None = None
    svms: int = 1


class Layout(StrEnum):
    """Cached parts of a search; the scores are the same for each."""

    SHARED = "distances once for each fold, a kernel once for each gamma"
    REBUILT = "a kernel once for each gamma, distances anew for each kernel"
    OWN = "no kernel: libsvm computes what it needs of it, for each candidate"
    MAPPED = "an approximate kernel map once for each gamma"


@dataclass(frozen=True)
class Plan:
    """The plan of a search: units at once, what is cached, and the most memory that takes.

    On a cluster it is that of each worker.
    """

    layout: Layout
    jobs: int
    cache_bytes: int  # of libsvm's columns, for each job
    bytes: int
    workers: int = 1

    @property
    def at_once(self) -> int:
        return self.jobs * self.workers


class TooLargeError(ValueError):
    """A search that cannot be run within the limit, and what could be changed."""


def make_plan(shape: Shape, jobs: int, limit: int, *, share: bool = True) -> Plan:
    """Choose the quickest layout that stays within `limit` bytes.

    Without `share` nothing is kept from one unit to the next. Raises TooLargeError where no layout
    fits.
    """
    if shape.components is not None:
        return _mapped(shape, jobs, limit)
    columns = SINGLE * shape.training**2
    kernel = DOUBLE * shape.training * (shape.training + shape.test)
    layouts = [(Layout.SHARED, shape.folds * kernel)] if share else []
    for layout, kept in [*layouts, (Layout.REBUILT, 0)]:
        needed = kept + jobs * (kernel + columns)
        if needed <= limit:
            return Plan(layout, jobs, columns, needed)
    cache = min(columns, max(SMALLEST_CACHE, limit // jobs))
    return Plan(Layout.OWN, jobs, cache, jobs * cache)


def _mapped(shape: Shape, jobs: int, limit: int) -> Plan:
    assert shape.components is not None
    # The map's rows and the SVMs' decision values, and as many again while they are made.
    columns = shape.components + shape.svms
    unit = 2 * DOUBLE * (shape.training + shape.test) * columns
    fitting = min(jobs, limit // unit)
    if not fitting:
        raise TooLargeError(
            f"one unit of the search needs {unit / 1e9:.1f} GB, the limit is {limit / 1e9:.1f} GB: "
            "lower grid_search.components, or raise grid_search.memory_limit"
        )
    return Plan(Layout.MAPPED, fitting, 0, fitting * unit)
