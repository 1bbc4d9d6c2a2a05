"""Choose the strategy and the approximation of a search, where the settings leave them to auto.

By the size of the table and the settings, never by the clock or the machine: two clones of a
project choose alike.
"""

from collections.abc import Iterator
from functools import cache
from math import ceil

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.params import MOST_REPEATS, REPEATED_ROWS, GridSearch
from pipeline.search.grid import grid, grid_candidates
from pipeline.search.problem import svm_count
from pipeline.search.selection import final_count
from pipeline.search.strategy import Halving, resources
from pipeline.search.units import Candidate
from pipeline.training.cost import ALONE, Part, kernel_s, part_s
from serving.model.contract import Contract

Axis = npt.NDArray[np.float64]

CORES, LONGEST_S = 2, 600  # a search, its refit and its learning curve are to be done in that
LARGEST = 10**7  # rows: beyond any table that is searched
COMPONENTS = (1600, 800, 400, 200, 100)
LEARNING_CURVE_SHARES = (0.1, 0.325, 0.55, 0.775, 1.0)  # of the training rows


def resolve(settings: GridSearch, rows: int, columns: int, n_classes: int = 2) -> GridSearch:
    """Return the settings with a strategy, an approximation and components instead of auto.

    Ways are tried from the best to the quickest: the exact grid, exact halving, then each number of
    components with the grid and with halving. The first one that is quick enough is taken, or the
    last one. `columns` are those behind the encoding of categories.
    """
    ways = _ways(settings, rows)
    # Where fewer repeats or finalists are scored a larger table takes less time. It must not get a
    # better way than a smaller one, so that the smaller one gets it, too.
    larger = (size for size in _drops(settings) if size > rows)
    quick = (_quick_enough(ways, size, columns, n_classes) for size in (rows, *larger))
    return ways[min(quick)]


def components_of(settings: GridSearch) -> int | None:
    """Return the components of resolved settings; the exact SVM has none."""
    if settings.approximation == "none":
        return None
    assert settings.components != "auto"
    return settings.components


def candidates_of(settings: GridSearch) -> list[Candidate]:
    """Return the grid, with each of the class weights that are tried."""
    return grid_candidates(*_axes(settings), settings.selection.class_weights)


def encoded_columns(contract: Contract) -> int:
    """Count the columns behind the encoding: one for each category, and for each number."""
    return sum(feature.model_columns for feature in contract.features)


def seconds(settings: GridSearch, rows: int, columns: int, n_classes: int = 2) -> float:
    """Return the time of a search on two cores, with refit and learning curve, by its size."""
    components, parts = components_of(settings), parts_on(settings, rows, n_classes)
    candidates, n_gammas = parts[0].candidates, len(_axes(settings)[1])
    svms = svm_count(n_classes)
    curve = [share * _training(settings, rows) for share in LEARNING_CURVE_SHARES]
    alone = [*(Part(settings.folds, 1, on, svms) for on in curve), Part(1, 1, rows, svms)]
    fits = sum(part_s(part, candidates, components) for part in parts)
    fits += ALONE * sum(part_s(part, candidates, components) for part in alone)
    kernels = sum(
        part.folds * min(n_gammas, part.candidates) * kernel_s(part.rows, columns, components)
        for part in (*parts, *alone)
    )
    return (fits + kernels) / CORES


def explain(asked: GridSearch, rows: int, columns: int, n_classes: int = 2) -> str:
    """Describe what auto chose, and why; empty for the exact grid, or if nothing was left to it."""
    if "auto" not in (asked.strategy, asked.approximation):
        return ""
    chosen = resolve(asked, rows, columns, n_classes)
    way = name_way(chosen.strategy, components_of(chosen))
    exact = msgspec.structs.replace(chosen, strategy="grid", approximation="none")
    if chosen == exact:
        return ""
    takes = f"take some {_duration(seconds(exact, rows, columns, n_classes))} on {CORES} cores"
    return (
        f"{rows:,} rows: {way}, since the exact grid would {takes}; "
        "set grid_search.strategy and grid_search.approximation to force another way"
    )


def _ways(settings: GridSearch, rows: int) -> list[GridSearch]:
    """List what the settings allow, from the best to the quickest."""
    strategies = ("grid", "halving") if settings.strategy == "auto" else (settings.strategy,)
    kernels = [("none", settings.components)] * (settings.approximation != "nystroem")
    if settings.approximation != "none":
        kernels += [("nystroem", components) for components in _components(settings, rows)]
    return [
        msgspec.structs.replace(
            settings, strategy=strategy, approximation=approximation, components=components
        )
        for approximation, components in kernels
        for strategy in strategies
    ]


def _components(settings: GridSearch, rows: int) -> list[int]:
    if settings.components != "auto":
        return [settings.components]
    fewest = _training(settings, rows)
    return [count for count in COMPONENTS if count <= fewest] or [COMPONENTS[-1]]


def _quick_enough(ways: list[GridSearch], rows: int, columns: int, n_classes: int) -> int:
    quick = (n for n, way in enumerate(ways) if seconds(way, rows, columns, n_classes) <= LONGEST_S)
    return next(quick, len(ways) - 1)


def _drops(settings: GridSearch) -> Iterator[int]:
    """Yield the sizes from which on there are fewer repeats, or fewer finalists of halving."""
    yield from (REPEATED_ROWS // repeats + 1 for repeats in range(1, MOST_REPEATS + 1))
    if (rows := settings.halving_min_rows) is not None:
        while rows < LARGEST:
            yield rows
            rows *= settings.halving_factor


def parts_on(settings: GridSearch, rows: int, n_classes: int = 2) -> list[Part]:
    """Return the parts of a search of so many rows: its iterations, and the finalists."""
    candidates = len(_axes(settings)[0]) * len(_axes(settings)[1])
    candidates *= len(settings.selection.class_weights)
    training, svms = _training(settings, rows), svm_count(n_classes)
    scored = [Part(settings.folds, candidates, training, svms)]
    if settings.strategy == "halving":
        how = Halving(settings.halving_factor, settings.halving_min_rows, seed=0)
        planned = resources(rows, candidates, settings.folds, n_classes, how)
        scored = [
            Part(settings.folds, ceil(candidates / how.factor**number), training * on / rows, svms)
            for number, on in enumerate(planned)
        ]
    finalists = 1 if settings.rule == "tutorial" else final_count(candidates, svms)
    last = min(finalists, scored[-1].candidates)
    return [*scored, Part(settings.folds * settings.repeats_for(rows), last, training, svms)]


def _axes(settings: GridSearch) -> tuple[Axis, Axis]:
    """Return the values of C and of gamma."""
    return _axis(*settings.C, settings.grid_size), _axis(*settings.gamma, settings.grid_size)


@cache  # a choice asks for the same two axes thousands of times
def _axis(lowest: float, highest: float, grid_size: int) -> Axis:
    return np.unique(grid(lowest, highest, grid_size))


def _training(settings: GridSearch, rows: int) -> float:
    return rows * (1 - 1 / settings.folds)


def name_way(strategy: str, components: int | None) -> str:
    """Name the way of a search for people."""
    if components is None:
        return "the exact grid" if strategy == "grid" else "exact halving"
    return f"Nyström with {components} components, {strategy}"


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} seconds"
