import re

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.comparison import Scored
from pipeline.reports.class_panels import largest_classes
from pipeline.reports.class_plots import MOST
from pipeline.reports.comparison_plots import COLOURS, overlaid
from pipeline.reports.svg import INK
from tests.pipeline.evaluation.many_classes import random_answers
from tests.pipeline.pages import Page


@pytest.fixture(scope="module")
def figures():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 60)
    models = {
        name: Scored(pd.DataFrame(), y, np.clip(y * 0.2 + rng.random(60) * 0.8, 0, 1), (), "")
        for name in ("A (version 2)", "B (version 1)")
    }
    return overlaid(models, bins=5)


def test_both_models_are_in_each_figure_by_name_and_colour(figures):
    assert list(figures) == ["ROC", "Precision and recall", "Calibration", "Probabilities"]
    for drawing in figures.values():
        assert "A (version 2)" in drawing
        assert "B (version 1)" in drawing
        assert all(colour in drawing for colour in COLOURS)


def test_the_models_are_told_apart_without_colour(figures):
    for drawing in figures.values():
        first, second = (
            {*re.findall(rf'style="[^"]*stroke-dasharray: ([^;"]*)[^"]*stroke: {colour}', drawing)}
            for colour in COLOURS
        )
        assert second
        assert not first & second


def test_text_and_axes_have_the_page_s_colour_and_the_ground_is_clear(figures):
    for drawing in figures.values():
        assert "currentColor" in drawing
        assert INK not in drawing
        assert "#ffffff" not in drawing


def test_what_a_figure_refers_to_is_its_own(figures):
    ids = [Page(drawing).ids for drawing in figures.values()]
    assert len({name for names in ids for name in names}) == sum(map(len, ids))
    for drawing, names in zip(figures.values(), ids, strict=True):
        assert {*re.findall(r"url\(#(\w+)\)", drawing)} <= {*names}


def of_names(names, seed=0):
    y, p = random_answers(20 * len(names), len(names), seed=seed)
    return Scored(pd.DataFrame(), y, p, ("y", *names), "")


def two_of_names(names):
    return overlaid({"A (2)": of_names(names), "B (1)": of_names(names, seed=1)}, bins=5)


def test_each_class_has_a_panel_with_both_models():
    figures = two_of_names(["Adelie", "Chinstrap", "Gentoo", "King"])
    assert len(figures) == 4
    for title, drawing in figures.items():
        assert drawing.count("A (2)") == drawing.count("B (1)") == 1  # one legend for all
        assert all(colour in drawing for colour in COLOURS)
        assert INK not in drawing
        named = [name for name in ("Adelie", "Chinstrap", "Gentoo", "King") if name in drawing]
        assert len(named) == (0 if title.startswith("Probability") else 4)


def test_of_many_classes_those_with_the_most_rows_have_a_panel():
    scored = of_names([f"class {number}" for number in range(MOST + 8)])
    counts = np.bincount(scored.y)
    numbers = [number for number, _ in largest_classes(scored)]
    assert len(numbers) == MOST
    assert numbers == sorted(numbers)
    assert counts[numbers].min() >= np.delete(counts, numbers).max()


def test_models_of_other_classes_are_not_drawn_over_each_other():
    models = {"A": of_names(["a", "b", "c"]), "B": of_names(["a", "b", "d"])}
    assert overlaid(models, bins=5) == {}
