"""How near contributions against a few background rows are to those against all training rows.

A part of bench.explain: background rows are chosen at random as the pipeline does, several times.
"""

from typing import NamedTuple

import numpy as np

from bench.explained import Model, fit
from bench.keel import breast_cancer, diabetes, keel
from pipeline.export.explanation import choose_background
from serving.model.contract import FloatMatrix

SIZES = (25, 50, 100, 200)
CHOICES = 10


class Differences(NamedTuple):
    """Differences of contributions, in log-odds, and the share of rows whose largest is the same.

    `share` is the mean difference over the mean size of a contribution.
    """

    mean: float
    share: float
    largest: float
    same_feature: float


def main() -> None:
    print(
        "| table | background rows | mean difference, log-odds | of the mean contribution ", end=""
    )
    print("| largest difference | same largest feature |\n|---|---|---|---|---|---|")
    tables = {
        "diabetes": diabetes(),
        "breast_cancer": breast_cancer(),
        "german, with categories": keel("german"),
    }
    for name, table in tables.items():
        model = fit(table)
        what = f"{name}: {len(model.training)} × {model.training.shape[1]}"
        for size, found in differences(model).items():
            print(f"| {what} | {size} | {found.mean:.4f} | {found.share:.0%} ", end="")
            print(f"| {found.largest:.2f} | {found.same_feature:.0%} |", flush=True)


def differences(model: Model) -> dict[int, Differences]:
    """Return for each size what all choices together differ by."""
    wanted = model.explainer(model.training).explain(model.unseen).contributions
    found: dict[int, list[FloatMatrix]] = {size: [] for size in SIZES}
    for seed in range(CHOICES):
        explainer = model.explainer(choose_background(model.training, max(SIZES), seed))
        for size in SIZES:
            found[size].append(explainer.explain(model.unseen, size).contributions)
    return {size: _compared(np.stack(choices), wanted) for size, choices in found.items()}


def _compared(found: FloatMatrix, wanted: FloatMatrix) -> Differences:
    apart, size = np.abs(found - wanted), np.abs(wanted)
    same = np.abs(found).argmax(axis=2) == size.argmax(axis=1)
    mean = float(apart.mean())
    return Differences(mean, mean / float(size.mean()), float(apart.max()), float(same.mean()))
