"""Figures as SVG for a page: they take its text colour, light or dark."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.evaluation.comparison import Scored
from pipeline.evaluation.metrics import (
    average_precision,
    calibration_curve,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from pipeline.reports.curves import COLOURS as PALETTE
from pipeline.reports.curves import draw_calibration, draw_precision_recall, draw_roc

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = PALETTE[:2]  # of the two models
INK = "#010203"  # stands in the drawing for the page's own text colour
SCORE_LINES = (("-", ":"), ("--", "-."))  # of each model's positive and negative rows
STYLE: Any = {
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes less
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def overlaid(models: Mapping[str, Scored], bins: int) -> dict[str, str]:
    """Draw the models' curves over each other: an SVG by the figure's title."""

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


def svg(name: str, draw: Callable[["Axes"], None]) -> str:
    """Draw one figure as an `<svg>` element; `name` keeps what it refers to apart from others'."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(5.2, 4.2), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_title("")  # the page has one
        axes.legend(frameon=False, fontsize=9)
        written = StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    element = written.getvalue()[written.getvalue().index("<svg") :]
    # Groups have the same ids in every figure, which nothing refers to.
    element = re.sub(r'<g id="[^"]*"', "<g", element)
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    return element.replace(INK, "currentColor")
