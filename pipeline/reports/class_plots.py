"""Figures of a model of more than two classes: a curve for each, and who is taken for whom."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.reports.curves import draw_calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASSES_FILE = "classes.csv"
SHARE = "Share of rows of the class"  # the observed share of a calibration curve
MOST = 12  # curves in one figure: more are not told apart
LONGEST = 24  # characters of a class's name
# Behind each curve, the figure of `classes.csv` that sums it up.
SUMMED_UP = {
    "roc": "roc_auc",
    "precision_recall": "average_precision",
    "calibration": "expected_calibration_error",
}


def read_classes(source: Path | BytesIO, *columns: str) -> pd.DataFrame:
    """Read a table whose `columns` name classes, which are texts whatever they look like."""
    return pd.read_csv(source, keep_default_na=False, dtype=dict.fromkeys(columns, "str"))


def most_frequent(classes: pd.DataFrame) -> pd.DataFrame:
    """Return the classes that a figure has room for: those with the most rows, in their order."""
    return classes.sort_values("rows", ascending=False, kind="stable").head(MOST).sort_index()


def class_curves(tables: Path, name: str) -> dict[str, pd.DataFrame]:
    """Return each class's curve by its name and the figure that sums it up."""
    every = read_classes(tables / f"{name}.csv", "class")
    curves = {str(of): curve for of, curve in every.groupby("class", sort=False)}
    classes = most_frequent(read_classes(tables / CLASSES_FILE, "class"))
    figures = zip(classes["class"], classes[SUMMED_UP[name]], strict=True)
    return {f"{shortened(of)}  {figure:.3f}": curves[of] for of, figure in figures}


def draw_class_curves(
    axes: "Axes", draw: Callable[..., None], curves: dict[str, pd.DataFrame], classes: int
) -> None:
    """Draw a curve for each class, with the legend beside them."""
    draw(axes, curves)
    which = "each class" if len(curves) == classes else f"the {len(curves)} largest of {classes}"
    axes.set_title(f"{axes.get_title()}, {which} against the rest")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)


def draw_top_calibration(axes: "Axes", curve: pd.DataFrame) -> None:
    """Draw how often the likeliest class is right, by its probability; points have their rows."""
    draw_calibration(axes, {"": curve}, SHARE)
    axes.set(title="Calibration of the likeliest class")
    axes.set(xlabel="Mean probability of it")


def draw_class_confusion(axes: "Axes", answers: pd.DataFrame, names: list[str]) -> None:
    """Draw how many rows of each class are given which, coloured by their share of the class."""
    counts = pd.crosstab(answers["actual"], answers["predicted"])
    counts = counts.reindex(index=names, columns=names, fill_value=0)
    shares = counts.to_numpy() / np.maximum(counts.to_numpy().sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    few = len(names) <= MOST
    if few:
        _write_cells(axes, counts.to_numpy(), shares)
    short = [shortened(name) for name in names]
    size = 8 if few else 6
    axes.set_xticks(range(len(names)), short, fontsize=size, rotation=90 if len(names) > 4 else 0)
    axes.set_yticks(range(len(names)), short, fontsize=size)
    told = "rows, and their share of the class" if few else "share of the class"
    axes.set(title=f"Confusion ({told})", xlabel="Predicted", ylabel="Actual")


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _write_cells(axes: "Axes", counts: npt.NDArray[Any], shares: npt.NDArray[Any]) -> None:
    size = 9 if len(counts) <= 5 else 6
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = shares[row, column]
            text = f"{count}\n{share:.0%}"
            colour = "white" if share > 0.6 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
