"""Shapley's definition: what each player adds, as a mean over all orders of the players."""

from collections.abc import Mapping
from itertools import combinations
from math import factorial
from typing import Any

Array = Any
Coalition = frozenset[int]


def coalitions(d: int) -> list[Coalition]:
    return [Coalition(c) for size in range(d + 1) for c in combinations(range(d), size)]


def mean_over_orders(value: Mapping[Coalition, Array], d: int) -> list[Array]:
    """Return each player's value from those of the 2^d coalitions (Shapley 1953)."""
    found = [0 * value[Coalition()] for _ in range(d)]
    for coalition, worth in value.items():
        size = len(coalition)
        for player in {*range(d)} - coalition:
            share = factorial(size) * factorial(d - size - 1) / factorial(d)
            found[player] = found[player] + share * (value[coalition | {player}] - worth)
    return found
