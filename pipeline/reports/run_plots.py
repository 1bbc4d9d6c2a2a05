"""Figures from the tables that the stages wrote, for the run in MLflow.

`dvc plots` draws the same tables, and can lay several experiments over each other.

    python -m pipeline.reports.run_plots FOLDER CV_RESULTS LEARNING_CURVE SCORE COLUMN TABLES
"""

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.evaluation.metrics import SCORE_NAMES
from pipeline.reports.class_plots import (
    CLASSES_FILE,
    SHARE,
    class_curves,
    draw_class_confusion,
    draw_class_curves,
    draw_top_calibration,
    read_classes,
)
from pipeline.reports.curves import PLAIN_TEXT, draw_calibration, draw_precision_recall, draw_roc
from pipeline.reports.importance_plot import (
    IMPORTANCE_FILE,
    draw_importance,
    figure_size,
    read_importance,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IN_THE_CARD = ("calibration.csv", "subgroups.csv")  # small tables, which the model card shows
IN_THE_CARD_OF_SEVERAL = (CLASSES_FILE, "top_calibration.csv")  # of more than two classes
Size = tuple[float, float]
WIDE: Size = (6.8, 4.4)  # inches: room for a legend of classes beside the curves
CURVES: dict[str, Callable[..., None]] = {
    "roc": draw_roc,
    "precision_recall": draw_precision_recall,
    "calibration": draw_calibration,
}


def draw_search(
    folder: Path, cv_results: Path, learning_curve: Path, score: str, column: str
) -> None:
    """Draw what is known when a search is done into `folder` as PNG."""
    _save(folder / "search.png", _search, pd.read_csv(cv_results), score, column)
    _save(folder / "learning_curve.png", _learning_curve, pd.read_csv(learning_curve))


def draw_evaluation(folder: Path, tables: Path) -> None:
    """Draw what the evaluation found into `folder` as PNG, beside the tables that a card shows."""
    several = (tables / CLASSES_FILE).exists()
    (_draw_several if several else _draw_two)(folder, tables)
    subgroups = pd.read_csv(tables / "subgroups.csv")
    if len(subgroups):
        _save(folder / "subgroups.png", _subgroups, subgroups)
    importance = read_importance(tables)
    if len(importance):
        size = figure_size(importance)
        _save(folder / "importance.png", draw_importance, importance, size=size)
        shutil.copyfile(tables / IMPORTANCE_FILE, folder / IMPORTANCE_FILE)
    for name in IN_THE_CARD if not several else (*IN_THE_CARD, *IN_THE_CARD_OF_SEVERAL):
        shutil.copyfile(tables / name, folder / name)


def _draw_two(folder: Path, tables: Path) -> None:
    for name, draw in CURVES.items():
        _save(folder / f"{name}.png", _overlay, draw, _curves(tables, name))
    _save(folder / "confusion.png", _confusion, pd.read_csv(tables / "confusion.csv"))


def _draw_several(folder: Path, tables: Path) -> None:
    """Draw a curve for each class, without the baseline's: there is no room for both."""
    names = read_classes(tables / CLASSES_FILE, "class")["class"].tolist()
    for name, draw in (CURVES | {"calibration": partial(draw_calibration, share=SHARE)}).items():
        curves = class_curves(tables, name)
        _save(folder / f"{name}.png", draw_class_curves, draw, curves, len(names), size=WIDE)
    top = pd.read_csv(tables / "top_calibration.csv")
    _save(folder / "top_calibration.png", draw_top_calibration, top)
    answers = read_classes(tables / "confusion.csv", "actual", "predicted")
    side = max(WIDE[0], 2 + 0.16 * len(names))
    _save(folder / "confusion.png", draw_class_confusion, answers, names, size=(side, side * 2 / 3))


def _save(path: Path, draw: Callable[..., None], *data: object, size: Size = (5, 4.2)) -> None:
    # Here, since it takes half a second, and only a new run needs it.
    path.parent.mkdir(parents=True, exist_ok=True)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(PLAIN_TEXT):
        figure = Figure(figsize=size, dpi=110, layout="constrained")
        draw(figure.add_subplot(), *data)
        figure.savefig(path)


def _curves(tables: Path, name: str) -> dict[str, pd.DataFrame]:
    """Read the model's table of a curve, and the baseline's where it has one."""
    files = {"SVM": f"{name}.csv", "logistic regression": f"baseline_{name}.csv"}
    found = {label: tables / file for label, file in files.items() if (tables / file).exists()}
    return {label: pd.read_csv(path) for label, path in found.items()}


def _overlay(axes: "Axes", draw: Callable[..., None], curves: dict[str, pd.DataFrame]) -> None:
    draw(axes, curves)
    if len(curves) > 1:
        axes.legend()


def _confusion(axes: "Axes", answers: pd.DataFrame) -> None:
    counts = pd.crosstab(answers["actual"], answers["predicted"])
    classes = sorted({*counts.index, *counts.columns})
    counts = counts.reindex(index=classes, columns=classes, fill_value=0)
    _heat(axes, counts.to_numpy(), "{:d}")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(title="Confusion", xlabel="Predicted", ylabel="Actual")


def _subgroups(axes: "Axes", groups: pd.DataFrame) -> None:
    rows = range(len(groups))
    reach = [groups["roc_auc"] - groups["roc_auc_low"], groups["roc_auc_high"] - groups["roc_auc"]]
    axes.errorbar(groups["roc_auc"], rows, xerr=reach, fmt="o", capsize=3)
    axes.set_yticks(rows, [f"{group}\n{n} rows" for group, n in groups[["group", "rows"]].values])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.grid(axis="y", color="0.9")
    axes.set(title="Subgroups", xlabel="ROC AUC and its interval (none where a class is missing)")


def _search(axes: "Axes", candidates: pd.DataFrame, score: str, column: str) -> None:
    """Draw the candidates of the winner's class weight by C and gamma."""
    best = candidates.iloc[0]
    alike = candidates[candidates["param_class_weight"] == best["param_class_weight"]]
    scores = alike.pivot_table(index="param_C", columns="param_gamma", values=column)
    _heat(axes, scores.to_numpy(), "{:.3f}" if scores.size <= 144 else "")
    axes.invert_yaxis()
    for set_ticks, values in ((axes.set_yticks, scores.index), (axes.set_xticks, scores.columns)):
        step = max(1, len(values) // 10)
        set_ticks(range(0, len(values), step), [_short(value) for value in values[::step]])
    axes.tick_params(axis="x", rotation=90)
    _frame(axes, scores, best)
    weight = f", class weight {best['param_class_weight']}" * (len(alike) < len(candidates))
    title = f"{column.split('_')[0].capitalize()} {SCORE_NAMES[score]}{weight}"
    axes.set(title=title, xlabel="gamma", ylabel="C")


def _learning_curve(axes: "Axes", curve: pd.DataFrame) -> None:
    for part, label in (("train", "training rows"), ("cv", "unseen rows, cross-validated")):
        mean, spread = curve[f"{part}_roc_auc_mean"], curve[f"{part}_roc_auc_std"]
        axes.plot(curve["rows"], mean, marker="o", label=label)
        axes.fill_between(curve["rows"], mean - spread, mean + spread, alpha=0.15)
    axes.set(title="Learning curve of the winner", xlabel="Rows trained on", ylabel="ROC AUC")
    axes.legend()


def _short(value: Any) -> str:
    """Write a number with two significant digits, and 1000 as 1000."""
    return f"{float(f'{value:.2g}'):g}"


def _frame(axes: "Axes", scores: pd.DataFrame, best: "pd.Series[float]") -> None:
    """Put a frame around the winner's cell."""
    from matplotlib.patches import Rectangle

    row = scores.index.tolist().index(best["param_C"])
    column = [float(gamma) for gamma in scores.columns].index(best["param_gamma"])
    axes.add_patch(
        Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="red", linewidth=2)
    )


def _heat(axes: "Axes", values: npt.NDArray[Any], written: str) -> None:
    axes.imshow(values, cmap="viridis", aspect="auto")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    size = 6 if values.size > 4 else 14
    for (row, column), value in np.ndenumerate(values):
        color = "black" if value > middle else "white"
        if written:
            text = written.format(value)
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=size)


def main(
    folder: str, cv_results: str, learning_curve: str, score: str, column: str, tables: str
) -> None:
    draw_search(Path(folder), Path(cv_results), Path(learning_curve), score, column)
    draw_evaluation(Path(folder), Path(tables))


if __name__ == "__main__":
    main(*sys.argv[1:])
