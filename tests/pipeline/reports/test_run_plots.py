import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from pipeline.reports.run_plots import draw_evaluation
from pipeline.reports.run_plots import main as draw
from pipeline.reports.svg import svg
from pipeline.search.grid import grid, grid_candidates
from pipeline.search.selection import results_table
from pipeline.search.strategy import Result

SHOWN = "roc_auc", "mean_test_score"
FIGURES = [
    "calibration",
    "confusion",
    "importance",
    "learning_curve",
    "precision_recall",
    "roc",
    "search",
    "subgroups",
]


def unique_colours(image):
    """Return the colours of an image `[n, 4]`, from 0 to 1, and how many pixels have each."""
    # A pixel as one number: sorting rows of four takes twenty times as long.
    pixels = (image * 255).round().astype(np.uint8).view(np.uint32)
    found, counts = np.unique(pixels, return_counts=True)
    return found[:, np.newaxis].view(np.uint8) / 255, counts


def drawn(folder):
    images = {path.stem: imread(path) for path in folder.glob("*.png")}
    assert sorted(images) == FIGURES
    for image in images.values():
        assert image.shape[0] > 300
        assert len(unique_colours(image)[0]) > 10  # not blank
    return images


def height_of_the_frame(image):
    """Give how far down the red frame is, in pixels."""
    red = (image[..., 0] > 0.99) & (image[..., 1] < 0.01) & (image[..., 2] < 0.01)
    assert red.sum() > 20
    return np.argwhere(red)[:, 0].mean()


def test_every_figure_is_drawn_and_the_winner_framed(pima, tmp_path):
    heights = []
    for C in (0.01, 1000.0):
        # the table with one of this C first, as if it had won
        table = pd.read_csv(pima.cv_results)
        table = table.iloc[np.argsort(table["param_C"] != C, kind="stable")]
        table.to_csv(tmp_path / "cv.csv", index=False)
        draw(tmp_path / "plots", tmp_path / "cv.csv", pima.learning_curve, *SHOWN, pima.plots)
        heights.append(height_of_the_frame(drawn(tmp_path / "plots")["search"]))
    assert heights[1] < heights[0] - 100  # C grows upwards


def colours(path):
    """Give the colours of an image that are neither grey nor mixed at an edge."""
    found, counts = unique_colours(imread(path))
    return found[(counts > 200) & (np.ptp(found[:, :3], axis=1) > 50 / 255)]


def test_the_baselines_curves_are_drawn_beside_the_models(pima, tmp_path):
    draw_evaluation(tmp_path / "both", pima.plots)
    tables = tmp_path / "tables"
    shutil.copytree(pima.plots, tables, ignore=shutil.ignore_patterns("baseline_*"))
    draw_evaluation(tmp_path / "alone", tables)
    for name in ("roc.png", "calibration.png"):
        assert len(colours(tmp_path / "both" / name)) == 2
        assert len(colours(tmp_path / "alone" / name)) == 1
    for name in ("precision_recall.png", "confusion.png"):
        assert (tmp_path / "both" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_without_subgroups_none_are_drawn(pima, tmp_path):
    tables = tmp_path / "tables"
    shutil.copytree(pima.plots, tables)
    header, *_ = (tables / "subgroups.csv").read_text().splitlines()
    (tables / "subgroups.csv").write_text(f"{header}\n")
    draw_evaluation(tmp_path / "plots", tables)
    assert "subgroups" not in {path.stem for path in (tmp_path / "plots").glob("*.png")}


@pytest.mark.parametrize(
    ("size", "classes", "answers"), [(1, ["B", "M"], [0, 0]), (15, ["False", "True"], [1, 0])]
)
def test_the_smallest_and_a_large_grid_and_one_answer_for_all_can_be_drawn(
    pima, tmp_path, size, classes, answers
):
    tables = tmp_path / "tables"
    tables.mkdir()
    for path in pima.plots.iterdir():
        (tables / path.name).write_bytes(path.read_bytes())
    predicted = [classes[answer] for answer in answers]
    confusion = pd.DataFrame({"actual": classes, "predicted": predicted})
    confusion.to_csv(tables / "confusion.csv", index=False)
    scores = np.random.default_rng(0).random((size * size, 3))
    pairs = grid_candidates(grid(0.01, 1000, size), grid(1e-4, 10, size))
    results = [Result(*found, 0, 0, {}) for found in zip(pairs, scores.tolist(), strict=True)]
    results_table(results, "median").to_csv(tmp_path / "cv.csv", index=False)
    draw(tmp_path / "plots", tmp_path / "cv.csv", pima.learning_curve, *SHOWN, tables)
    found, sizes = unique_colours(drawn(tmp_path / "plots")["confusion"])
    cells = found[(sizes > sizes.sum() / 20) & (found[:, :3].sum(axis=1) < 2.9)]
    assert len(cells) == 2  # both classes have their column, also the one never answered


def test_a_model_that_cannot_be_explained_has_no_picture_of_importances(pima, tmp_path):
    tables = tmp_path / "tables"
    shutil.copytree(pima.plots, tables, ignore=shutil.ignore_patterns("importance.csv"))
    draw_evaluation(tmp_path / "plots", tables)
    assert [path.name for path in (tmp_path / "plots").glob("importance.*")] == []


FORMULA = "price in $\\x$"  # which is none


def test_names_of_a_table_are_no_formulas(pima, tmp_path):
    tables = tmp_path / "tables"
    shutil.copytree(pima.plots, tables)
    for name, columns in {
        "confusion": ["actual", "predicted"],
        "subgroups": ["group"],
        "importance": ["feature"],
    }.items():
        table = pd.read_csv(tables / f"{name}.csv", dtype=dict.fromkeys(columns, str))
        table.loc[0, columns] = FORMULA
        table.to_csv(tables / f"{name}.csv", index=False)
    draw_evaluation(tmp_path / "plots", tables)
    assert {"confusion", "subgroups", "importance"} <= {
        path.stem for path in (tmp_path / "plots").iterdir()
    }


def test_names_in_a_comparison_are_no_formulas():
    assert "$\\x$" in svg("x", lambda axes: axes.plot([0, 1], [0, 1], label=FORMULA))
