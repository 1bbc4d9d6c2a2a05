from statistics import NormalDist

import msgspec
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.evaluation import importance
from pipeline.evaluation.importance import (
    COLUMNS,
    format_importance,
    importance_table,
    importances,
    shares_of,
    suspected_leak,
)
from pipeline.export.explanation import export_explanation
from pipeline.search.calibration import Sigmoid
from pipeline.search.units import Candidate
from pipeline.training.estimator import build_estimator
from serving.model.contract import Contract, Feature
from serving.model.explanation import Explainer
from serving.model.scorer import Scorer
from tests.serving.explained_model import BACKGROUND, svm_files
from tests.serving.small_model import CONTRACT


def made_up(rows=400, scale=(1.0, 3.0, 0.0), classes=1, seed=0):
    """Give contributions `[rows, features, classes]`, normal with these deviations."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, len(scale), classes)) * np.array(scale)[:, np.newaxis]


def opened(contract=CONTRACT):
    files = svm_files(contract)
    return Scorer.open(files["model.onnx"], files["contract.json"], files["explanation.onnx"])


def rows_of_the_contract(count=60):
    rng = np.random.default_rng(3)
    columns = (rng.uniform(44, 199, count), rng.integers(21, 81, count), rng.integers(0, 2, count))
    return np.column_stack(columns).astype(np.float64)


def test_the_importance_is_the_mean_size_whatever_the_sign_the_largest_first():
    contributions = np.array([[[1.0], [-4.0]], [[-2.0], [2.0]]])
    table = importances(contributions, ["a", "b"], 0.95)
    assert table["feature"].tolist() == ["b", "a"]
    assert table["importance"].tolist() == [3.0, 1.5]
    assert table["share"].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_of_several_classes_it_is_the_mean_over_them():
    contributions = np.array([[[1.0, -3.0], [0.0, 1.0]], [[1.0, 3.0], [0.0, 1.0]]])
    table = importances(contributions, ["a", "b"], 0.95)
    assert table["importance"].tolist() == [2.0, 0.5]


def test_intervals_hold_what_is_true_as_often_as_they_say():
    confidence = 0.8
    truth = np.array([1.0, 2.0]) * np.sqrt(2 / np.pi)  # of the mean of |normal|
    held = np.zeros((400, 4), dtype=bool)
    for seed, row in enumerate(held):
        found = importances(made_up(200, (1, 2), seed=seed), ["a", "b"], confidence)
        found = found.sort_values("feature")
        row[:2] = (found["low"] <= truth) & (truth <= found["high"])
        share = truth / truth.sum()
        row[2:] = (found["share_low"] <= share) & (share <= found["share_high"])
    assert held.mean(axis=0) == pytest.approx(np.full(4, confidence), abs=0.07)


def test_the_interval_of_a_share_knows_that_all_features_are_of_the_same_rows():
    sizes = np.random.default_rng(1).exponential(size=(100, 1, 1))
    alike = sizes * np.array([3.0, 1.0])[:, np.newaxis]
    table = importances(alike, ["a", "b"], 0.95)
    assert table["share_low"].tolist() == pytest.approx([0.75, 0.25])
    half = NormalDist().inv_cdf(0.975) * sizes.std(ddof=1) * 3 / 10
    assert (table["high"] - table["importance"])[0] == pytest.approx(half)


def test_an_interval_ends_at_0_and_of_a_share_at_1():
    contributions = np.zeros((10, 2, 1))
    contributions[0] = [[0.001], [0.0]]
    contributions[1, 1] = 1e-9
    table = importances(contributions, ["a", "b"], 0.95)
    assert table[["low", "share_low"]].min().min() == 0
    assert table["share_high"].max() == 1


def test_where_nothing_counts_no_feature_has_a_share():
    table = importances(np.zeros((5, 2, 1)), ["a", "b"], 0.95)
    assert table["share"].tolist() == table["share_high"].tolist() == [0, 0]


@pytest.mark.parametrize("classes", [CONTRACT.classes, (0, 1, 2)])
def test_a_model_s_table_is_that_of_its_explanations(classes):
    threshold = CONTRACT.threshold if len(classes) == 2 else None
    scorer = opened(msgspec.structs.replace(CONTRACT, classes=classes, threshold=threshold))
    X = rows_of_the_contract()
    table = importance_table(scorer, X, 0.9, seed=1)
    expected = importances(scorer.explainer.explain(X).contributions, CONTRACT.names, 0.9)
    assert tuple(table.columns) == COLUMNS
    assert (table["rows"] == 60).all()
    assert (table["background"] == BACKGROUND).all()
    figures = list(importance.INTERVALS)
    assert table["feature"].tolist() == expected["feature"].tolist()
    np.testing.assert_allclose(table[figures], expected[figures], rtol=1e-9)


def test_a_model_without_explainer_has_no_rows():
    scorer = opened()
    scorer.explainer = None
    table = importance_table(scorer, rows_of_the_contract(), 0.95, seed=1)
    assert tuple(table.columns) == COLUMNS
    assert table.empty


def test_contributions_that_do_not_make_up_the_answers_are_refused(monkeypatch):
    scorer = opened()
    monkeypatch.setattr(scorer.explainer, "bias", scorer.explainer.bias + 0.1)
    with pytest.raises(PipelineError, match="cannot be explained: contributions add up to a prob"):
        importance_table(scorer, rows_of_the_contract(), 0.95, seed=1)


def test_of_many_rows_some_are_drawn_by_the_seed():
    scorer, X = opened(), rows_of_the_contract(700)
    one, same, other = (importance_table(scorer, X, 0.95, seed) for seed in (1, 1, 2))
    assert (one["rows"] == 500).all()
    assert one.equals(same)
    assert not one["importance"].equals(other["importance"])


@pytest.mark.parametrize(
    ("times", "rows", "background"),
    [(60 * 30, 60, 30), (60 * 25 + 1, 60, 25), (40 * 20, 40, 20), (3, 20, 20)],
)
def test_a_large_model_gets_fewer_background_rows_then_fewer_rows(
    monkeypatch, times, rows, background
):
    scorer = opened()
    monkeypatch.setattr(importance, "PRODUCTS", times * scorer.explainer._products)
    table = importance_table(scorer, rows_of_the_contract(), 0.95, seed=1)
    assert set(zip(table["rows"], table["background"], strict=True)) == {(rows, background)}


def test_the_sentence_has_the_three_most_important_and_what_was_left_out():
    table = importances(made_up(20, (1, 9, 2, 4)), "abcd", 0.95).assign(rows=20, background=30)
    b, d, c, _ = (f"{share:.0%}" for share in table["share"])
    said = f"it goes by b ({b}), d ({d}), c ({c})"
    assert format_importance(table, 20, 30) == said
    assert format_importance(table, 2000, 30) == f"{said}, measured on 20 of 2,000 test rows"
    assert format_importance(table, 2000, 100) == (
        f"{said}, measured on 20 of 2,000 test rows and 30 of 100 background rows"
    )


def test_a_feature_that_carries_most_is_suspected():
    assert suspected_leak({"a": 0.2, "b": 0.72, "c": 0.05, "d": 0.03}) == (
        "`b` carries 72% of the importance: check that its value is known before the outcome is"
    )


@pytest.mark.parametrize(
    "shares",
    [{"a": 0.5, "b": 0.3, "c": 0.1, "d": 0.1}, {"a": 0.9, "b": 0.05, "c": 0.05}, {}],
)
def test_half_of_it_or_most_among_few_features_is_not_suspected(shares):
    assert suspected_leak(shares) == ""


@pytest.mark.parametrize(("flipped", "leaks"), [(0.02, True), (0.5, False)])
def test_a_copy_of_the_target_is_suspected_and_noise_is_not(flipped, leaks):
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 300)
    copy = np.where(rng.random(300) < flipped, 1 - y, y)
    X = np.column_stack([*rng.normal(y, 2, (3, 300)), copy]).astype(np.float64)
    features = tuple(Feature(name=name) for name in ("a", "b", "c", "paid"))
    contract = Contract(target="y", classes=(0, 1), features=features, threshold=0.5)
    estimator = build_estimator(contract, Candidate(1.0, 0.3), (Sigmoid(2.0, 0.0),)).fit(X, y)
    explainer = Explainer(export_explanation(estimator, contract, X[:50]), contract)
    table = importances(explainer.explain(X).contributions, contract.names, 0.95)
    assert ("`paid` carries" in suspected_leak(shares_of(table))) == leaks
