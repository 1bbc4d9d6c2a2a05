"""The plots of dvc.yaml: their templates take the tables that the stages write."""

import json

import numpy as np
import pytest
from dvc_render.vega import VegaRenderer
from ruamel.yaml import YAML

from pipeline.evaluation.importance import importances
from pipeline.evaluation.metrics import calibration_curve, precision_recall_curve, roc_curve
from pipeline.evaluation.multiclass import curves
from tests.conftest import ROOT
from tests.pipeline.evaluation.many_classes import random_answers

DVC_YAML = YAML(typ="safe").load(ROOT / "dvc.yaml")
PLOTS = {title: plot for one in DVC_YAML["plots"] for title, plot in one.items()}
CURVES = {
    "ROC": roc_curve,
    "Precision and recall": precision_recall_curve,
    "Calibration": lambda y, p: calibration_curve(y, p, 5),
}


def as_dvc_reads(table):
    return [{**point, "rev": "workspace"} for point in table.astype("str").to_dict("records")]


def filled(title, points):
    """Fill a plot's template, of which no place may be left empty."""
    plot = PLOTS[title]
    renderer = VegaRenderer(
        points,
        title,
        template=plot["template"],
        template_dir=str(ROOT / ".dvc/plots"),
        x=plot["x"],
        y=next(iter(plot["y"].values())),
        x_label=plot["x_label"],
        y_label=plot["y_label"],
    )
    spec = renderer.get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(spec)
    return spec


@pytest.mark.parametrize("title", CURVES)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_curve_is_drawn_for_each_class(title, classes):
    y, p = random_answers(60, classes)
    table = curves(CURVES[title], y, p[:, 1] if classes == 2 else p, "abc")
    points = as_dvc_reads(table)
    of_two, of_several = filled(title, points)["layer"]
    assert of_two["transform"] == [{"filter": "!isValid(datum['class'])"}]
    assert of_several["encoding"]["color"]["field"] == "class"
    assert {point.get("class") for point in points} == ({None} if classes == 2 else {*"abc"})


def test_the_importances_are_bars_with_their_intervals():
    table = importances(np.ones((9, 3, 1)), "abc", 0.95)
    spec = filled("Importance", as_dvc_reads(table))
    # dvc reads cells as texts, which only an encoding's own field is turned into numbers from.
    taken = [step["calculate"] for step in spec["transform"] if "calculate" in step]
    assert taken == [f"toNumber(datum['{name}'])" for name in ("importance", "low", "high")]
    assert {"feature", "importance", "low", "high"} <= {*table.columns}
    assert spec["encoding"]["y"]["field"] == "feature"
    bars, intervals = spec["layer"]
    assert (bars["mark"]["type"], intervals["mark"]["type"]) == ("bar", "rule")
