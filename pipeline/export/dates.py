"""The calendar in the exported graph: days since 1970-01-01 -> year, month, weekday.

All of it is arithmetic of whole numbers in double precision, which is exact here.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.export.graph import Graph
from pipeline.training.estimator import THURSDAY
from serving.model.contract import Feature

# Years begin in March here, so that a leap day is the last of its year; day 0 is 0000-03-01.
DAYS_BEFORE_1970 = 719_468
DAYS_OF_400_YEARS, DAYS_OF_100_YEARS, DAYS_OF_4_YEARS = 146_097, 36_524, 1_460


class _Arithmetic:
    """Adds nodes with names of their own; whole numbers in, whole numbers out."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._count = 0

    def add(self, operator: str, *inputs: str | float) -> str:
        self._count += 1
        name = f"date_{self._count}"
        names = [
            value
            if isinstance(value, str)
            else self._graph.constant(f"{name}_{place}", float(value))
            for place, value in enumerate(inputs)
        ]
        return self._graph.add(operator, names, name)

    def _constant(self, name: str, value: float) -> str:
        return self._graph.constant(name, float(value))

    def quotient(self, a: str, b: float) -> str:
        """Add the quotient of a whole number, rounded down."""
        return self.add("Floor", self.add("Div", a, b))

    def minus_times(self, a: str, b: str, factor: float) -> str:
        """Add `a - b factor`."""
        return self.add("Sub", a, self.add("Mul", b, factor))


def add_date_parts(graph: Graph, values: str, dates: Sequence[Feature]) -> str:
    """Add the parts of each date `[n, dates]`; return the output's name `[n, parts]`."""
    number = _Arithmetic(graph)
    days = number.add("Floor", values)
    shifted = number.add("Add", days, THURSDAY)
    weekday = number.minus_times(shifted, number.quotient(shifted, 7), 7)
    year, month = _civil(number, days)
    names = {"year": year, "month": month, "weekday": weekday, "days": days}
    kinds = list(names)
    every = graph.add("Concat", list(names.values()), "all_date_parts", axis=1)
    places = [
        kinds.index(part) * len(dates) + column
        for column, feature in enumerate(dates)
        for part in feature.parts
    ]
    chosen = graph.constant("date_parts_columns", np.array(places, dtype=np.int64))
    return graph.add("Gather", [every, chosen], "date_parts", axis=1)


def _civil(number: _Arithmetic, days: str) -> tuple[str, str]:
    """Add year and month (Howard Hinnant, "chrono-compatible low-level date algorithms")."""
    z = number.add("Add", days, DAYS_BEFORE_1970)
    era = number.quotient(z, DAYS_OF_400_YEARS)
    day = number.minus_times(z, era, DAYS_OF_400_YEARS)
    leaps = number.add("Sub", day, number.quotient(day, DAYS_OF_4_YEARS))
    leaps = number.add("Add", leaps, number.quotient(day, DAYS_OF_100_YEARS))
    leaps = number.add("Sub", leaps, number.quotient(day, DAYS_OF_400_YEARS - 1))
    year_of_era = number.quotient(leaps, 365)
    of_year = number.minus_times(day, year_of_era, 365)
    of_year = number.add("Sub", of_year, number.quotient(year_of_era, 4))
    of_year = number.add("Add", of_year, number.quotient(year_of_era, 100))
    march_month = number.quotient(number.add("Add", number.add("Mul", of_year, 5.0), 2.0), 153)
    # January and February belong to the year that began in the March before.
    over = number.quotient(march_month, 10)
    month = number.minus_times(number.add("Add", march_month, 3.0), over, 12)
    year = number.add("Add", year_of_era, number.add("Mul", era, 400.0))
    return number.add("Add", year, over), month
