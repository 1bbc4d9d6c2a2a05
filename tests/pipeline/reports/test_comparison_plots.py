import re

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.comparison import Scored
from pipeline.reports.comparison_plots import COLOURS, INK, overlaid
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
