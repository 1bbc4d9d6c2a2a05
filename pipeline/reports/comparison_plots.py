"""Figures of two models over each other, for the page that compares them."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.comparison import Scored
from pipeline.evaluation.metrics import (
    average_precision,
    calibration_curve,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from pipeline.reports.class_panels import of_classes
from pipeline.reports.curves import COLOURS as PALETTE
from pipeline.reports.curves import draw_calibration, draw_precision_recall, draw_roc
from pipeline.reports.svg import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = PALETTE[:2]  # of the two models
SCORE_LINES = (("-", ":"), ("--", "-."))  # of each model's positive and negative rows


def overlaid(models: Mapping[str, Scored], bins: int) -> dict[str, str]:
    """Draw the models' curves over each other: an SVG by the figure's title.

    More than two classes have a panel each. Models of different outcomes are drawn only if both
    have two classes: else there are no curves that belong together.
    """
    if all(model.classes == 2 for model in models.values()):
        return _of_two(models, bins)
    return of_classes(models, bins) if len({m.outcome for m in models.values()}) == 1 else {}


def _of_two(models: Mapping[str, Scored], bins: int) -> dict[str, str]:

    def scores(axes: "Axes") -> None:
        edges = np.linspace(0, 1, 21)
        for (name, m), colour, lines in zip(models.items(), COLOURS, SCORE_LINES, strict=False):
            for label, line in zip((1, 0), lines, strict=True):
                kind = "positive" if label else "negative"
                axes.hist(
                    m.probability[m.y == label],
                    bins=edges.tolist(),
                    histtype="step",
                    color=colour,
                    linestyle=line,
                    linewidth=1.5,
                    label=f"{name}, {kind} rows",
                )
        axes.set(xlabel="Probability", ylabel="Test rows")

    def area(name: str, value: float) -> str:
        return f"{name}: area {value:.3f}"

    roc = {
        area(name, roc_auc(m.y, m.probability)): roc_curve(m.y, m.probability)
        for name, m in models.items()
    }
    precision_recall = {
        area(name, average_precision(m.y, m.probability)): precision_recall_curve(
            m.y, m.probability
        )
        for name, m in models.items()
    }
    calibration = {name: calibration_curve(m.y, m.probability, bins) for name, m in models.items()}
    return {
        "ROC": svg("roc", partial(draw_roc, curves=roc)),
        "Precision and recall": svg(
            "precision-recall", partial(draw_precision_recall, curves=precision_recall)
        ),
        "Calibration": svg("calibration", partial(draw_calibration, curves=calibration)),
        "Probabilities": svg("probabilities", scores),
    }
