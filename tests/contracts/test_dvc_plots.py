"""The plots of dvc.yaml: their template takes the tables of two classes and of several."""

import json

import pytest
from dvc_render.vega import VegaRenderer
from ruamel.yaml import YAML

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


@pytest.mark.parametrize("title", CURVES)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_curve_is_drawn_for_each_class(title, classes):
    y, p = random_answers(60, classes)
    table = curves(CURVES[title], y, p[:, 1] if classes == 2 else p, "abc")
    plot = PLOTS[title]
    points = [{**point, "rev": "workspace"} for point in table.astype("str").to_dict("records")]
    renderer = VegaRenderer(
        points,
        title,
        template=plot["template"],
        template_dir=str(ROOT / ".dvc/plots"),
        x=plot["x"],
        y=next(iter(plot["y"].values())),
    )
    spec = renderer.get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(spec)
    of_two, of_several = spec["layer"]
    assert of_two["transform"] == [{"filter": "!isValid(datum['class'])"}]
    assert of_several["encoding"]["color"]["field"] == "class"
    assert {point.get("class") for point in points} == ({None} if classes == 2 else {*"abc"})
