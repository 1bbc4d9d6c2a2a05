"""Figures of two models of more than two classes: a panel for each class, both models in it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison import Scored
from pipeline.evaluation.metrics import (
    Array,
    Labels,
    average_precision,
    calibration_curve,
    expected_calibration_error,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from pipeline.reports.class_plots import MOST, SHARE, shortened
from pipeline.reports.curves import (
    COLOURS,
    LINES,
    draw_calibration,
    draw_precision_recall,
    draw_roc,
)
from pipeline.reports.svg import Draw, panels, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = Callable[[Labels, Array], pd.DataFrame]
Figure = Callable[[Labels, Array], float]


def of_classes(models: Mapping[str, Scored], bins: int) -> dict[str, str]:
    """Draw the curves of each class against the rest, of the largest classes if there are many."""
    calibrated: Curve = partial(calibration_curve, bins=bins)

    def error(y: Labels, probability: Array) -> float:
        return expected_calibration_error(calibrated(y, probability))

    draw = partial(_panels, models)
    return {
        "ROC of each class, with the areas of A and B": panels(
            "roc", draw(draw_roc, roc_curve, roc_auc)
        ),
        "Precision and recall of each class, with the average precision": panels(
            "precision-recall",
            draw(draw_precision_recall, precision_recall_curve, average_precision),
        ),
        "Calibration of each class, with the calibration error": panels(
            "calibration", draw(partial(draw_calibration, share=SHARE), calibrated, error)
        ),
        "Probability of the row's own class": svg("probabilities", partial(_own, models)),
    }


def _panels(
    models: Mapping[str, Scored],
    draw: Callable[..., None],
    curve: Curve,
    figure: Figure,
) -> dict[str, Draw]:
    """Return what draws each class's panel, by its title."""
    drawn: dict[str, Draw] = {}
    for number, name in largest_classes(next(iter(models.values()))):
        against_rest = {
            model: ((scored.y == number).astype(np.int64), scored.probability[:, number])
            for model, scored in models.items()
        }
        figures = " and ".join(f"{figure(*one):.3f}" for one in against_rest.values())
        curves = {model: curve(*one) for model, one in against_rest.items()}
        drawn[f"{shortened(name)}\n{figures}"] = partial(draw, curves=curves)
    return drawn


def largest_classes(scored: Scored) -> list[tuple[int, str]]:
    """Return the numbers and names of the classes with the most rows, in their order."""
    counts = np.bincount(scored.y, minlength=scored.classes)
    numbers = sorted(np.argsort(-counts, kind="stable")[:MOST].tolist())
    return [(number, str(scored.outcome[1 + number])) for number in numbers]


def _own(models: Mapping[str, Scored], axes: "Axes") -> None:
    """Draw how many rows have which probability of their own class."""
    for (name, m), colour, line in zip(models.items(), COLOURS, LINES, strict=False):
        own = m.probability[np.arange(len(m.y)), m.y]
        edges = np.linspace(0, 1, 21).tolist()
        axes.hist(
            own, edges, histtype="step", color=colour, linestyle=line, linewidth=1.5, label=name
        )
    axes.set(xlabel="Probability of the row's own class", ylabel="Test rows")
