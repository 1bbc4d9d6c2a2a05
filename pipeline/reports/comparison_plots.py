"""Figures as SVG for a page: they take its text colour, light or dark."""

import re
from collections.abc import Callable, Mapping
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of the Okabe-Ito palette, told apart also by the colour-blind, and on white as on black.
COLOURS = ("#0072b2", "#d55e00")
INK = "#010203"  # stands in the drawing for the page's own text colour
MUTED: dict[str, Any] = {"color": INK, "alpha": 0.4, "linestyle": "--", "linewidth": 1}
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

    def roc(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], **MUTED)
        for (name, m), colour in zip(models.items(), COLOURS, strict=False):
            curve = roc_curve(m.y, m.probability)
            label = f"{name}: area {roc_auc(m.y, m.probability):.3f}"
            axes.plot(*_columns(curve, 1, 2), color=colour, label=label)
        axes.set(xlabel="False positive rate", ylabel="True positive rate")

    def precision_recall(axes: "Axes") -> None:
        for (name, m), colour in zip(models.items(), COLOURS, strict=False):
            curve = precision_recall_curve(m.y, m.probability)
            label = f"{name}: area {average_precision(m.y, m.probability):.3f}"
            axes.step(*_columns(curve, 2, 1), where="pre", color=colour, label=label)
        axes.set(xlabel="Recall", ylabel="Precision", ylim=(0, 1.02))

    def calibration(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], **MUTED)
        for (name, m), colour in zip(models.items(), COLOURS, strict=False):
            curve = calibration_curve(m.y, m.probability, bins)
            predicted, observed = curve["predicted"], curve["observed"]
            axes.plot(predicted, observed, color=colour, marker="o", markersize=4, label=name)
        axes.set(xlabel="Mean predicted probability", ylabel="Share of positives")

    def scores(axes: "Axes") -> None:
        edges = np.linspace(0, 1, 21)
        for (name, m), colour in zip(models.items(), COLOURS, strict=False):
            for label, line in ((1, "-"), (0, ":")):
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

    return {
        "ROC": svg("roc", roc),
        "Precision and recall": svg("precision-recall", precision_recall),
        "Calibration": svg("calibration", calibration),
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
        axes.legend(frameon=False, fontsize=9)
        written = StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    element = written.getvalue()[written.getvalue().index("<svg") :]
    # Groups have the same ids in every figure, which nothing refers to.
    element = re.sub(r'<g id="[^"]*"', "<g", element)
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    return element.replace(INK, "currentColor")


def _columns(curve: Any, x: int, y: int) -> tuple[Any, Any]:
    return curve.iloc[:, x], curve.iloc[:, y]
