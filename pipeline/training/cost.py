"""The processor time of a search by its size alone: the same on every machine.

The constants are processor seconds of one core of a shared x86-64 machine, for the grid of 10 × 10
candidates that params.yaml has (`python -m bench.cost`). They choose the way of a search, and weigh
the parts of its progress; `python -m pipeline plan` times the machine at hand instead.
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import NamedTuple

# One fit of the exact SVM on 4,000 rows, the mean over the grid, and its growth with the rows:
# 0.011 s on 800 rows, 0.046 on 1,600, 0.31 on 4,000; before, 0.85 on 6,667 and 3.7 on 13,333.
EXACT_S, EXACT_ROWS, EXACT_POWER = 0.31, 4_000, 2.1
DISTANCE_S = 5e-10  # of a pair of rows, for each column
EXPONENTIAL_S = 6e-9  # of a pair of rows
# One fit behind a kernel map of m components on n rows takes n (c m² + d m): 0.0087 s for 100
# components and 0.082 for 400 on 4,000 rows, 0.038, 0.11 and 0.36 for 100, 200 and 400 on 16,000.
SQUARE_S, LINEAR_S = 1.05e-10, 1.34e-8
FACTOR_S = 2e-10  # of m³: what is solved for the components, whatever the rows

# An exact fit at the hardest gamma takes some six times as long as one far from it.
PEAK = 5.0
# The best candidates are near it: a fit of the best fifth took 2.3 times the mean of all.
SELECTED = 2.3
# The refit and the learning curve start each fit anew, without what the fits of a search share.
ALONE = 2.0


class Part(NamedTuple):
    """Candidates of so many SVMs, scored on some folds, each of so many training rows."""

    folds: int
    candidates: int
    rows: float
    svms: int = 1

    @property
    def evaluations(self) -> int:
        return self.folds * self.candidates

    @property
    def fits(self) -> int:
        return self.evaluations * self.svms


def fit_s(rows: float, components: int | None) -> float:
    """Return the mean seconds of a fit and its scoring.

    Without components it is the exact SVM's.
    """
    if components is None:
        return float(EXACT_S * (rows / EXACT_ROWS) ** EXACT_POWER)
    m = min(components, rows)
    return rows * (SQUARE_S * m**2 + LINEAR_S * m) + FACTOR_S * m**3


def kernel_s(rows: float, columns: int, components: int | None) -> float:
    """Return the seconds of a fold's kernel for one gamma, between `rows` and the components."""
    others = rows if components is None else min(components, rows)
    return rows * others * (DISTANCE_S * columns + EXPONENTIAL_S)


def selected(part: Part, candidates: int, components: int | None) -> float:
    """Return how much longer a fit of a part takes, which has the best of so many candidates."""
    # Behind a map every candidate takes about as long.
    return 1.0 if components else min(SELECTED, (candidates / part.candidates) ** 0.5)


def part_s(part: Part, candidates: int, components: int | None) -> float:
    """Return the seconds of all fits of a part, which has the best of so many candidates."""
    return part.fits * fit_s(part.rows, components) * selected(part, candidates, components)


def hardness(gamma: float, hardest: float) -> float:
    """Return how much longer an exact fit takes than one whose kernel is flat or diagonal."""
    return 1 + PEAK / (1 + log(gamma / hardest) ** 2)


class Workload:
    """The seconds that each result of a search stands for, in the order in which they come.

    `gammas` counts the candidates of each gamma in the first part; later ones are not known ahead.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        gammas: Mapping[float, int],
        hardest: float,
        components: int | None,
    ) -> None:
        candidates = parts[0].candidates
        self._places = [place for place, part in enumerate(parts) for _ in range(part.candidates)]
        self._seconds = [part_s(part, candidates, components) for part in parts]
        self._means = [s / part.candidates for s, part in zip(self._seconds, parts, strict=True)]
        weights = {gamma: 1.0 if components else hardness(gamma, hardest) for gamma in gammas}
        mean = sum(count * weights[gamma] for gamma, count in gammas.items()) / candidates
        self._shares = {gamma: weight / mean for gamma, weight in weights.items()}

    @property
    def total(self) -> float:
        return sum(self._seconds)

    def result_s(self, number: int, gamma: float) -> float:
        """Return the seconds of the result that comes as number `number`, from 0."""
        place = self._places[min(number, len(self._places) - 1)]
        return self._means[place] * (self._shares[gamma] if place == 0 else 1.0)
