import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from pipeline.data.table import Table
from pipeline.evaluation.evaluate import Answers, evaluate_answers
from pipeline.params import Evaluate
from pipeline.reports.class_plots import MOST, class_curves, draw_class_confusion
from pipeline.reports.curves import draw_roc
from pipeline.reports.run_plots import draw_evaluation
from serving.model.contract import Contract, Feature
from tests.pipeline.evaluation.many_classes import random_answers

SETTINGS = Evaluate(confidence=0.9, resamples=100, bins=5)


@pytest.fixture
def write_tables(tmp_path):
    """Evaluate made-up answers of these classes; give the folder of the tables."""

    def write(names):
        y, p = random_answers(20 * len(names), len(names))
        contract = Contract(target="y", classes=tuple(names), features=(Feature(name="x"),))
        table = Table(pd.DataFrame(), np.zeros((len(y), 1)), y, contract)
        answers = Answers(y, p.argmax(axis=1), p)
        for name, rows in evaluate_answers(table, answers, contract, SETTINGS, 1)[1].items():
            rows.to_csv(tmp_path / f"{name}.csv", index=False)
        return tmp_path

    return write


def test_every_figure_of_several_classes_is_drawn(write_tables):
    tables = write_tables(["Adelie", "Chinstrap", "Gentoo"])
    draw_evaluation(tables / "plots", tables)
    pictures = {path.stem for path in (tables / "plots").glob("*.png")}
    assert pictures == {"roc", "precision_recall", "calibration", "top_calibration", "confusion"}
    assert {path.name for path in (tables / "plots").glob("*.csv")} == {
        "calibration.csv",
        "classes.csv",
        "subgroups.csv",
        "top_calibration.csv",
    }
    assert all(imread(tables / "plots" / f"{name}.png").shape[0] > 300 for name in pictures)


def test_a_curve_has_its_class_and_its_figure_whatever_the_class_looks_like(write_tables):
    tables = write_tables(["None", "1", "NA", "a name much longer than what there is room for"])
    areas = pd.read_csv(tables / "classes.csv", keep_default_na=False)["roc_auc"]
    labels = [*class_curves(tables, "roc")]
    assert labels[:3] == [f"{n}  {a:.3f}" for n, a in zip(("None", "1", "NA"), areas, strict=False)]
    assert labels[3].startswith("a name much longer than…  0.")


def test_of_many_classes_the_largest_have_their_curves(write_tables):
    names = [f"class {number}" for number in range(MOST + 3)]
    tables = write_tables(names)
    rows = pd.read_csv(tables / "classes.csv").set_index("class")["rows"]
    drawn = [label.split("  ")[0] for label in class_curves(tables, "calibration")]
    assert len(drawn) == MOST
    assert drawn == [name for name in names if name in drawn]
    assert rows[drawn].min() >= rows.drop(drawn).max()


def axes():
    return Figure().add_subplot()


def test_no_two_of_the_curves_look_alike():
    curve = pd.DataFrame({"false_positive_rate": [0, 1], "true_positive_rate": [0, 1]})
    drawing = axes()
    draw_roc(drawing, {str(number): curve for number in range(MOST)})
    styles = {(line.get_color(), line.get_linestyle()) for line in drawing.get_lines()[1:]}
    assert len(styles) == MOST


def test_the_confusion_has_rows_and_shares_and_every_class():
    answers = pd.DataFrame({"actual": list("aaab"), "predicted": list("aaba")})
    drawing = axes()
    draw_class_confusion(drawing, answers, ["a", "b", "c"])
    written = {text.get_position(): text.get_text() for text in drawing.texts}
    assert written == {(0, 0): "2\n67%", (1, 0): "1\n33%", (0, 1): "1\n100%"}
    assert [label.get_text() for label in drawing.get_yticklabels()] == ["a", "b", "c"]
    assert drawing.images[0].get_array().shape == (3, 3)
