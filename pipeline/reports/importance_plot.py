"""The figure of what a model goes by: a bar for each feature, with its interval."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.evaluation.importance import TABLE, no_importance
from pipeline.reports.class_plots import read_classes, shortened
from pipeline.reports.curves import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMPORTANCE_FILE = f"{TABLE}.csv"
MOST = 20  # bars


def read_importance(tables: Path) -> pd.DataFrame:
    """Read what a model goes by; without a row for one that cannot be explained."""
    path = tables / IMPORTANCE_FILE
    if not path.exists():
        return no_importance()
    return read_classes(path, "feature")  # texts, too, whatever they look like


def figure_size(table: pd.DataFrame) -> tuple[float, float]:
    """Return inches: a bar is as high among many as among few."""
    return 6.8, 1.2 + 0.3 * min(len(table), MOST)


def draw_importance(axes: "Axes", table: pd.DataFrame) -> None:
    """Draw the most important features, the first at the top, with their shares."""
    every, table = len(table), table.head(MOST)
    places = range(len(table))
    reach = [table["importance"] - table["low"], table["high"] - table["importance"]]
    axes.barh(places, table["importance"], xerr=reach, color=COLOURS[4], ecolor="0.3", capsize=2)
    for place, (high, share) in enumerate(zip(table["high"], table["share"], strict=True)):
        axes.annotate(
            f"{share:.0%}", (high, place), xytext=(4, 0), textcoords="offset points", va="center"
        )
    names = [shortened(feature) for feature in table["feature"]]
    axes.set_yticks(places, names)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.margins(x=0.12)
    which = f", the {MOST} largest of {every}" if every > MOST else ""
    axes.set_title(f"What it goes by{which}")
    axes.set_xlabel("Mean |contribution| to the log-odds, and its share")
