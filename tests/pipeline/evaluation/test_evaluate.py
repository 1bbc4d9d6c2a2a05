import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from pipeline.data.table import Table
from pipeline.evaluation.evaluate import Answers, evaluate_answers
from pipeline.evaluation.multiclass import largest_bias
from pipeline.evaluation.threshold import format_decisions
from pipeline.params import Evaluate
from serving.model.contract import Contract, Feature
from tests.pipeline.evaluation.many_classes import random_answers

SPECIES = ("Adelie", "Chinstrap", "Gentoo")
SETTINGS = Evaluate(confidence=0.9, resamples=200, bins=5, subgroups={"Age": [30]})


@pytest.fixture(scope="module")
def answers():
    y, p = random_answers(120, 3)
    return Answers(y, p.argmax(axis=1), p)


@pytest.fixture(scope="module")
def evaluated(answers):
    contract = Contract(target="species", classes=SPECIES, features=(Feature(name="Age"),))
    X = np.random.default_rng(1).uniform(20, 60, (120, 1))
    table = Table(pd.DataFrame({"Age": X[:, 0]}), X, answers.y, contract)
    return evaluate_answers(table, answers, contract, SETTINGS, seed=3)


def test_several_classes_have_the_figures_of_scikit_learn(evaluated, answers):
    y, label, p = answers
    figures = evaluated[0]
    expected = {
        "rows": 120,
        "classes": 3,
        "roc_auc": sk.roc_auc_score(y, p, multi_class="ovr"),
        "average_precision": sk.average_precision_score(np.eye(3)[y], p),
        "brier": sk.brier_score_loss(y, p),
        "log_loss": sk.log_loss(y, p),
        "accuracy": sk.accuracy_score(y, label),
        "balanced_accuracy": sk.balanced_accuracy_score(y, label),
        "f1": sk.f1_score(y, label, average="macro"),
        "bias": largest_bias(y, p)[0],
        "bias_standard_error": largest_bias(y, p)[1],
        "f1_weighted": sk.f1_score(y, label, average="weighted"),
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert set(figures) - set(expected) == {
        "roc_auc_low",
        "roc_auc_high",
        "expected_calibration_error",
        "chance_calibration_error",
        "subgroup_gap",
    }
    assert figures["roc_auc_low"] < figures["roc_auc"] < figures["roc_auc_high"]


def test_the_calibration_error_is_that_of_the_likeliest_class(evaluated, answers):
    figures, tables = evaluated
    curve = tables["top_calibration"]
    hits = (answers.label == answers.y).mean()
    assert np.average(curve["observed"], weights=curve["rows"]) == pytest.approx(hits)
    gaps = (curve["observed"] - curve["predicted"]).abs()
    error = figures["expected_calibration_error"]
    assert error == pytest.approx(np.average(gaps, weights=curve["rows"]))
    assert 0 < figures["chance_calibration_error"] < 0.2


def test_each_curve_has_the_classes_by_name(evaluated):
    tables = evaluated[1]
    for name in ("roc", "precision_recall", "calibration", "classes"):
        assert tuple(tables[name]["class"].unique()) == SPECIES
    assert set(tables["confusion"]["actual"]) == set(SPECIES)
    assert tables["subgroups"]["group"].tolist() == ["Age < 30", "Age ≥ 30"]


def test_decisions_are_told_for_several_classes(evaluated):
    figures = {"rows": 120, "classes": 3, "accuracy": 0.9, "balanced_accuracy": 0.8512}
    assert format_decisions(figures) == (
        "of 120 rows of 3 classes 90.0% are given their own class, "
        "85.1% on average over the classes"
    )
    assert format_decisions(evaluated[0]).startswith("of 120 rows of 3 classes ")
