import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline.evaluation.importance import importances
from pipeline.reports.curves import PLAIN_TEXT
from pipeline.reports.importance_plot import draw_importance, figure_size, read_importance


def made_up(names):
    sizes = np.linspace(2, 1, len(names)) + np.random.default_rng(0).random((30, len(names)))
    return importances(sizes[:, :, np.newaxis], names, 0.95)


@pytest.fixture
def drawn():
    """Draw a table of importances; give the axes."""

    def draw(table):
        with mpl.rc_context(PLAIN_TEXT):
            figure = Figure(figsize=figure_size(table), layout="constrained")
            axes = figure.add_subplot()
            draw_importance(axes, table)
            figure.draw_without_rendering()
        return axes

    return draw


def labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_the_most_important_feature_is_at_the_top_with_its_share(drawn):
    table = made_up(["a", "b", "c"])
    axes = drawn(table)
    assert labels(axes) == table["feature"].tolist()
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [text.get_text() for text in axes.texts] == [f"{x:.0%}" for x in table["share"]]
    assert [bar.get_width() for bar in axes.patches] == table["importance"].tolist()


def test_of_many_features_the_largest_are_drawn_and_the_title_says_so(drawn):
    table = made_up([f"f{number}" for number in range(33)])
    axes = drawn(table)
    assert labels(axes) == table["feature"][:20].tolist()
    assert axes.get_title() == "What it goes by, the 20 largest of 33"


def test_a_feature_s_name_is_no_formula_and_is_cut_where_it_is_long(drawn):
    axes = drawn(made_up(["price $\\x$", "n" * 60, "c"]))
    assert "price $\\x$" in labels(axes)
    assert "n" * 23 + "…" in labels(axes)


def test_names_are_texts_whatever_they_look_like(tmp_path):
    table = made_up(["NA", "1", "01"])
    table.to_csv(tmp_path / "importance.csv", index=False)
    assert read_importance(tmp_path)["feature"].tolist() == table["feature"].tolist()


def test_without_a_table_there_is_no_feature(tmp_path):
    assert read_importance(tmp_path).empty
