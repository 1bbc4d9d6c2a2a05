"""Explanations of exported models against the definition, with scikit-learn's own log-odds."""

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.export.explanation import choose_background, export_explanation
from pipeline.search.calibration import Sigmoid
from pipeline.search.problem import Nystroem
from pipeline.search.units import Candidate
from pipeline.training.estimator import build_estimator
from serving.model.contract import Contract, Feature
from serving.model.explanation import Explainer
from tests.coalitions import coalitions, mean_over_orders

FEATURES = {
    "number": Feature(name="number", training_range=(0.0, 1.0)),
    "gaps": Feature(name="gaps", nullable=True, missing_values=(-1.0, 0.0)),
    "constant": Feature(name="constant"),
    "flag": Feature(name="flag", type="boolean"),
    "colour": Feature(
        name="colour",
        type="category",
        categories=("red", "green", "blue"),
        unseen="missing",
        nullable=True,
    ),
    "city": Feature(
        name="city", type="category", categories=("a", "b"), grouped=("c", "d"), unseen="other"
    ),
    "day": Feature(
        name="day",
        type="date",
        date_format="%Y-%m-%d",
        parts=("year", "month", "weekday", "days"),
        nullable=True,
    ),
}


def column(kind, rng, rows):
    return {
        "number": lambda: rng.normal(50, 20, rows),
        "gaps": lambda: rng.choice([np.nan, -1.0, 0.0, 1.5, 2.5, 7.0], rows),
        "constant": lambda: np.full(rows, 3.0),
        "flag": lambda: rng.integers(0, 2, rows).astype(float),
        "colour": lambda: rng.choice([0.0, 1.0, 2.0, np.nan], rows),
        "city": lambda: rng.integers(0, 3, rows).astype(float),
        "day": lambda: np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 20_000, rows)),
    }[kind]()


def contract_of(kinds, classes):
    features = tuple(
        msgspec.structs.replace(FEATURES[kind], name=f"{place} {kind}")
        for place, kind in enumerate(kinds)
    )
    threshold = 0.5 if classes == 2 else None
    return Contract(target="y", classes=(*range(classes),), features=features, threshold=threshold)


def fitted(contract, kinds, rng, candidate, approximation=None, rows=40):
    X = np.column_stack([column(kind, rng, rows) for kind in kinds])
    classes = len(contract.classes)
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, rows - classes)])
    sigmoids = tuple(
        Sigmoid(*rng.uniform([0.5, -1], [3, 1])) for _ in range(1 if classes == 2 else classes)
    )
    return build_estimator(contract, candidate, sigmoids, approximation).fit(X, y), X


def log_odds(estimator, X):
    """Return scikit-learn's own `[rows, classes]`."""
    classifier = estimator.named_steps["classify"]
    slopes, offsets = np.transpose(classifier.sigmoids)
    decided = classifier.decision_function(estimator[:-1].transform(X))
    return np.reshape(decided, (len(X), -1)) * slopes + offsets


def by_definition(estimator, row, background):
    """Return `[features, classes]` from the value of each of the 2^d coalitions."""
    every = coalitions(len(row))
    mixed = []
    for coalition in every:
        rows = background.copy()
        rows[:, sorted(coalition)] = row[sorted(coalition)]
        mixed.append(rows)
    each = log_odds(estimator, np.vstack(mixed))
    means = each.reshape(len(every), len(background), -1).mean(axis=1)
    return np.array(mean_over_orders(dict(zip(every, means, strict=True)), len(row)))


def assert_explained(estimator, contract, X, background):
    explainer = Explainer(export_explanation(estimator, contract, background), contract)
    scale = np.abs(explainer.factors.weights).sum(axis=0).max()
    allowed = max(1e-9, 1e-12 * scale)
    found = explainer.explain(X)
    assert found.log_odds == pytest.approx(log_odds(estimator, X), rel=0, abs=allowed)
    for row, contributions in zip(X, found.contributions, strict=True):
        wanted = by_definition(estimator, row, background)
        assert contributions == pytest.approx(wanted, rel=0, abs=allowed)


@st.composite
def models(draw):
    kinds = draw(st.lists(st.sampled_from([*FEATURES]), min_size=1, max_size=6))
    candidate = Candidate(
        draw(st.sampled_from([0.01, 1.0, 1000.0])),
        draw(st.sampled_from([1e-4, 0.1, 10.0])),
        draw(st.sampled_from(["none", "balanced"])),
    )
    approximation = draw(st.sampled_from([None, None, Nystroem(15, 7)]))
    return kinds, draw(st.integers(2, 4)), candidate, approximation, draw(st.integers(0, 10_000))


@given(models())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_contributions_are_the_mean_over_all_orders_of_the_features(model):
    kinds, classes, candidate, approximation, seed = model
    rng = np.random.default_rng(seed)
    contract = contract_of(kinds, classes)
    estimator, X = fitted(contract, kinds, rng, candidate, approximation)
    new = np.column_stack([column(kind, rng, 2) for kind in kinds])
    assert_explained(estimator, contract, new, choose_background(X, 5, seed))


def test_so_they_are_of_twelve_features():
    kinds = [*FEATURES, "number", "colour", "number", "day", "gaps"]
    rng = np.random.default_rng(12)
    contract = contract_of(kinds, 2)
    estimator, X = fitted(contract, kinds, rng, Candidate(1.0, 0.05, "none"))
    assert_explained(estimator, contract, X[:1], choose_background(X, 3, 0))


def test_the_background_is_chosen_by_the_seed():
    X = np.arange(40.0).reshape(20, 2)
    chosen = choose_background(X, 7, 1)
    assert np.array_equal(chosen, choose_background(X, 7, 1))
    assert not np.array_equal(chosen, choose_background(X, 7, 2))
    assert len({*chosen[:, 0]}) == 7
    assert {*choose_background(X, 100, 1)[:, 0]} == {*X[:, 0]}


def test_the_first_rows_of_a_background_are_those_of_a_smaller_one():
    X = np.arange(40.0).reshape(20, 2)
    assert np.array_equal(choose_background(X, 12, 3)[:5], choose_background(X, 5, 3))


def test_the_same_model_gives_the_same_bytes(mixed_model):
    first, second = (
        export_explanation(mixed_model.estimator, mixed_model.contract, mixed_model.X[:9])
        for _ in range(2)
    )
    assert first == second
    assert onnx.load_from_string(first).graph.name == "explanation"
