"""Draw ROC, precision-recall and calibration curves, of one model or of several over each other.

Each takes the curves' tables by their labels, with the columns that `pipeline.evaluation.metrics`
gives them.
"""

from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of the Okabe-Ito palette, told apart also by the colour-blind, and on white as on black.
PLAIN_TEXT: Any = {"text.parse_math": False}  # a table's `$` begins no formula
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#888888")
# Told apart without colour, too: on a black and white print. Four of them beside seven colours: the
# first 28 curves differ in one or in both.
LINES, MARKERS = ("-", "--", "-.", ":"), ("o", "s", "^", "D")

Curves = Mapping[str, pd.DataFrame]


def draw_roc(axes: "Axes", curves: Curves) -> None:
    _diagonal(axes)
    for label, curve, style in _styled(curves):
        x, y = curve["false_positive_rate"], curve["true_positive_rate"]
        axes.plot(x, y, label=label, **style)
    axes.set(title="ROC", xlabel="False positive rate", ylabel="True positive rate")


def draw_precision_recall(axes: "Axes", curves: Curves) -> None:
    for label, curve, style in _styled(curves):
        axes.step(curve["recall"], curve["precision"], where="pre", label=label, **style)
    axes.set(title="Precision and recall", xlabel="Recall", ylabel="Precision", ylim=(0, 1.02))


def draw_calibration(axes: "Axes", curves: Curves, share: str = "Share of positives") -> None:
    """Draw calibration curves; each point of a single one has its number of rows."""
    _diagonal(axes)
    for (label, curve, style), marker in zip(_styled(curves), cycle(MARKERS), strict=False):
        x, y = curve["predicted"], curve["observed"]
        axes.plot(x, y, marker=marker, markersize=4, label=label, **style)
    axes.set(xlabel="Mean predicted probability", ylabel=share, title="Calibration")
    if len(curves) == 1:
        _number_points(axes, next(iter(curves.values())))
        axes.set_title("Calibration (with the rows of each bin)")


def _styled(curves: Curves) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    styles = zip(cycle(COLOURS), cycle(LINES), strict=False)
    for (label, curve), (colour, line) in zip(curves.items(), styles, strict=False):
        yield label, curve, {"color": colour, "linestyle": line}


def _diagonal(axes: "Axes") -> None:
    import matplotlib as mpl

    colour = mpl.rcParams["text.color"]
    axes.plot([0, 1], [0, 1], color=colour, alpha=0.4, linestyle=":", linewidth=1)


def _number_points(axes: "Axes", curve: pd.DataFrame) -> None:
    for _, point in curve.iterrows():
        axes.annotate(
            f"{point['rows']:.0f}",
            (point["predicted"], point["observed"]),
            xytext=(5, -10),
            textcoords="offset points",
            fontsize=7,
        )
