import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import Bootstrap, roc_auc_interval
from pipeline.evaluation.delong import paired_roc_auc_difference
from pipeline.evaluation.subgroups import COLUMNS, groups, subgroup_gap, subgroup_table
from serving.model.contract import Contract, Feature
from tests.pipeline.evaluation.many_classes import random_answers

BOOTSTRAP = Bootstrap(0.95, resamples=200, seed=1)
AGE = Feature(name="Age", type="integer", nullable=True, missing_values=(-1.0,))
SMOKER = Feature(name="Smoker", type="boolean")
SITE = Feature(name="Site", type="integer")
CONTRACT = Contract(target="y", classes=(0, 1), features=(SMOKER, AGE, SITE))


def members(feature, values, points):
    """Give each group with the positions of its rows."""
    x = np.array(values, dtype=np.float64)
    return {name: np.flatnonzero(mask).tolist() for name, mask in groups(feature, x, points)}


def test_a_cut_point_begins_the_next_group_and_what_is_not_known_is_one_by_itself():
    assert members(AGE, [29, 30, 44.5, 45, np.nan, -1, 80], [30, 45]) == {
        "Age < 30": [0],
        "30 ≤ Age < 45": [1, 2],
        "Age ≥ 45": [3, 6],
        "Age not known": [4, 5],
    }


def test_without_cut_points_each_value_is_a_group():
    assert members(SITE, [3, 1, 3], []) == {
        "Site = 1": [1],
        "Site = 3": [0, 2],
        "Site not known": [],
    }


def test_a_boolean_s_values_are_named_true_and_false():
    assert list(members(SMOKER, [1, 0], [])) == [
        "Smoker = false",
        "Smoker = true",
        "Smoker not known",
    ]


def test_categories_are_named_by_their_texts():
    colour = Feature(
        name="colour", type="category", categories=("red", "blue"), missing_values=("?",)
    )
    assert members(colour, [1, 0, 1, np.nan], []) == {
        "colour = red": [1],
        "colour = blue": [0, 2],
        "colour not known": [3],
    }


def test_a_feature_of_many_values_needs_cut_points():
    with pytest.raises(PipelineError) as refused:
        members(SITE, range(21), [])
    assert str(refused.value) == (
        "evaluate.subgroups.Site in params.yaml takes each of 21 values as a group by itself: "
        "give cut points, such as [10]"
    )


def test_a_feature_that_the_model_does_not_have_is_named():
    with pytest.raises(
        PipelineError, match=r"evaluate\.subgroups\.Agee in params\.yaml is no feat"
    ):
        subgroup_table(
            np.ones((2, 3)), np.array([0, 1]), np.ones(2), CONTRACT, {"Agee": [1]}, BOOTSTRAP
        )


@pytest.fixture
def answers():
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.integers(0, 2, 80), rng.integers(20, 70, 80), np.ones(80)])
    y = rng.integers(0, 2, 80)
    return X, y, np.round(rng.random(80) * 0.8 + 0.2 * y, 1)


def test_each_group_has_the_figures_of_its_rows(answers):
    X, y, p = answers
    table = subgroup_table(X, y, p, CONTRACT, {"Age": [30], "Smoker": []}, BOOTSTRAP)
    assert list(table.columns) == COLUMNS
    assert table["feature"].tolist() == ["Age", "Age", "Smoker", "Smoker"]
    for (_, row), mask in zip(
        table.iterrows(), [X[:, 1] < 30, X[:, 1] >= 30, X[:, 0] == 0, X[:, 0] == 1], strict=True
    ):
        assert row["rows"] == mask.sum()
        assert row["positives"] == y[mask].sum()
        assert row["roc_auc"] == pytest.approx(sk.roc_auc_score(y[mask], p[mask]))
        beside_chance = paired_roc_auc_difference(
            y[mask], p[mask], np.zeros(mask.sum()), confidence=0.95
        )
        assert row["roc_auc_low"] == pytest.approx(0.5 + beside_chance.low)
        assert row["roc_auc_high"] == pytest.approx(min(1.0, 0.5 + beside_chance.high))
        assert row["brier"] == pytest.approx(sk.brier_score_loss(y[mask], p[mask]))
        assert row["observed"] == pytest.approx(y[mask].mean())
        assert row["predicted"] == pytest.approx(p[mask].mean())


def test_a_group_without_a_class_has_no_roc_auc_and_one_without_rows_is_left_out(answers):
    X, y, p = answers
    X[:, 1] = np.where(y == 1, 50, 25)
    table = subgroup_table(X, y, p, CONTRACT, {"Age": [20, 30]}, BOOTSTRAP)
    assert table["group"].tolist() == ["20 ≤ Age < 30", "Age ≥ 30"]
    assert table["roc_auc"].isna().all()
    assert ",,,,0." in table.to_csv(index=False)
    assert subgroup_gap(table) == 0


def test_a_group_with_one_row_of_a_class_may_have_any_roc_auc(answers):
    X, y, p = answers
    X[:, 1] = np.where(np.arange(80) == np.flatnonzero(y == 1)[0], 25, np.where(y == 1, 50, 25))
    young = subgroup_table(X, y, p, CONTRACT, {"Age": [30]}, BOOTSTRAP).iloc[0]
    assert (young["positives"], young["roc_auc_low"], young["roc_auc_high"]) == (1, 0, 1)


def table_of(*rows):
    columns = ["feature", "rows", "positives", "roc_auc"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("rows", "gap"),
    [
        ([("Age", 40, 20, 0.7), ("Age", 40, 20, 0.9), ("Age", 40, 20, 0.8)], 0.2),
        # nine positives, or nine negatives, are too few to count
        ([("Age", 40, 9, 0.5), ("Age", 40, 10, 0.9), ("Age", 40, 30, 0.8)], 0.1),
        ([("Age", 40, 31, 0.5), ("Age", 40, 10, 0.9), ("Age", 40, 30, 0.8)], 0.1),
        # groups of two features are not compared
        ([("Age", 40, 20, 0.5), ("Smoker", 40, 20, 0.9)], 0.0),
        ([("A", 40, 20, 0.5), ("A", 40, 20, 0.6), ("B", 40, 20, 0.5), ("B", 40, 20, 0.8)], 0.3),
        ([], 0.0),
    ],
)
def test_the_gap_is_the_largest_between_two_groups_of_a_feature(rows, gap):
    assert subgroup_gap(table_of(*rows)) == pytest.approx(gap)


@pytest.fixture
def of_three(answers):
    X, *_ = answers
    y, p = random_answers(80, 3)
    return X, y, p


def test_a_group_of_several_classes_has_the_macro_figures_of_its_rows(of_three):
    X, y, p = of_three
    table = subgroup_table(X, y, p, CONTRACT, {"Age": [30]}, BOOTSTRAP)
    row, mask = table.iloc[1], X[:, 1] >= 30
    assert row["rarest"] == np.bincount(y[mask]).min()
    assert row["roc_auc"] == pytest.approx(sk.roc_auc_score(y[mask], p[mask], multi_class="ovr"))
    interval = roc_auc_interval(y[mask], p[mask], BOOTSTRAP)
    assert (row["roc_auc_low"], row["roc_auc_high"]) == interval
    assert row["brier"] == pytest.approx(sk.brier_score_loss(y[mask], p[mask]))
    assert row["observed"] == np.mean(p[mask].argmax(axis=1) == y[mask])
    assert row["predicted"] == pytest.approx(p[mask].max(axis=1).mean())


def test_a_group_without_one_of_several_classes_has_no_roc_auc(of_three):
    X, y, p = of_three
    X[:, 1] = np.where(y == 2, 50, np.where(np.arange(80) % 2, 50, 25))
    young, old = subgroup_table(X, y, p, CONTRACT, {"Age": [30]}, BOOTSTRAP)["roc_auc"]
    assert np.isnan(young)
    assert 0 < old < 1


def test_groups_of_several_classes_count_with_ten_rows_of_the_rarest():
    rows = [("Age", 90, 10, 0.9), ("Age", 90, 30, 0.8), ("Age", 90, 9, 0.1)]
    table = pd.DataFrame(rows, columns=["feature", "rows", "rarest", "roc_auc"])
    assert subgroup_gap(table) == pytest.approx(0.1)


def test_a_group_with_one_row_of_one_of_several_classes_may_have_any_roc_auc(of_three):
    X, y, p = of_three
    first = np.flatnonzero(y == 2)[0]
    X[:, 1] = np.where((y < 2) | (np.arange(80) == first), 25, 50)
    young = subgroup_table(X, y, p, CONTRACT, {"Age": [30]}, BOOTSTRAP).iloc[0]
    assert (young["rarest"], young["roc_auc_low"], young["roc_auc_high"]) == (1, 0, 1)
