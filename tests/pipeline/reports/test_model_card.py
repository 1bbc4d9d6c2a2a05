import json
import re
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from pipeline.data.table import Table
from pipeline.evaluation.baseline import compare_with_baseline
from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.evaluate import Answers, evaluate_answers
from pipeline.params import CardTexts, Evaluate, flatten
from pipeline.registry.references import Dataset, Version
from pipeline.reports.importance_plot import read_importance
from pipeline.reports.model_card import CardFacts, body, markdown, page, wilson_interval
from serving.model.scorer import Scorer
from tests.pipeline.evaluation.many_classes import random_answers


@pytest.fixture(scope="module")
def facts(pima):
    metrics = json.loads(pima.metrics.read_text())
    version = Version(
        name="pima-diabetes",
        number="7",
        digest="f" * 64,
        stages=("production",),
        run_id="r" * 32,
        run_name="a run",
        names={"r" * 32: ["a run", "tall-reef"], "s" * 32: ["bigger-grid"]},
        params={**flatten(pima.params), "C": "1.5", "gamma": "0.01"},
        metrics={f"test_{key}": value for key, value in metrics.items()},
        tags={"git.commit": "c0ffee", "data.digest": "d" * 32, "git.changed": "true"},
        datasets={"training": Dataset("a" * 32, 614), "test": Dataset("b" * 32, 154)},
    )
    return CardFacts(
        version,
        Scorer.load(pima.model).contract,
        CardTexts(intended_use="To learn.", license="mit"),
        pd.read_csv(pima.plots / "calibration.csv"),
        pd.read_csv(pima.plots / "subgroups.csv"),
        importance=read_importance(pima.plots),
    )


def with_texts(facts, **texts):
    return replace(facts, texts=CardTexts(**texts))


def test_every_experiment_that_reached_the_model_is_named(facts):
    text = body(facts)
    assert "| reached by | a run, tall-reef (run `rrrrrrrr`) |\n" in text
    assert "| reached by | bigger-grid (run `ssssssss`) |\n" in text


def test_the_front_matter_is_yaml_with_the_figures(facts):
    _, front, rest = markdown(facts).split("---\n", 2)
    document = msgspec.yaml.decode(front)
    assert (document["library_name"], document["license"]) == ("onnx", "mit")
    (result,) = document["model-index"][0]["results"]
    values = {entry["type"]: entry["value"] for entry in result["metrics"]}
    assert values["roc_auc"] == pytest.approx(facts.version.metrics["test_roc_auc"], abs=1e-6)
    assert document["metrics"] == list(values)
    assert result["dataset"]["revision"] == "d" * 32
    assert rest.lstrip() == body(facts)


def test_a_license_that_nobody_stated_is_unknown(facts):
    unstated = with_texts(facts)
    assert "\nlicense: unknown\n" in markdown(unstated)
    assert "- License: not stated" in body(unstated)
    assert "What the model is meant for was not stated." in body(unstated)


def test_every_feature_has_its_unit_limits_and_range(facts):
    text = body(facts)
    assert "| Glucose | number | mg/dL | 20 to 1000 | 44 to 199 | yes; also 0 | Plasma" in text
    rows = [line for line in text.splitlines() if re.match(r"\| \w+ \| (integer|number) \|", line)]
    assert len(rows) == len(facts.contract.features)


def test_the_figures_stand_there_with_their_intervals(facts, pima):
    m, positives = facts.version.metrics, pd.read_csv(pima.test)["Outcome"].sum()
    text = body(facts)
    area = f"{m['test_roc_auc']:.4f} | {m['test_roc_auc_low']:.4f} to {m['test_roc_auc_high']:.4f}"
    assert f"| ROC AUC | {area} |" in text
    low, high = wilson_interval(m["test_true_positives"], positives, 0.95)
    assert f"| recall | {m['test_recall']:.4f} | {low:.4f} to {high:.4f} |" in text
    assert f"| Brier score | {m['test_brier']:.4f} |  |" in text
    assert f"calibration error is {m['test_expected_calibration_error']:.4f}" in text


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (48, 54), (1, 1)])
def test_the_interval_of_a_share_is_wilson_s(hits, trials):
    expected = binomtest(hits, trials).proportion_ci(0.9, method="wilson")
    assert wilson_interval(hits, trials, 0.9) == pytest.approx((expected.low, expected.high))


def test_without_rows_nothing_is_known_of_a_share():
    assert wilson_interval(0, 0, 0.95) == (0, 1)


@pytest.mark.parametrize(
    ("rule", "said"), [("youden", "Youden index"), ("f1", "F1"), ("accuracy", "accuracy")]
)
def test_the_threshold_is_given_with_its_rule(facts, rule, said):
    params = {**facts.version.params, "grid_search.threshold": rule}
    text = body(replace(facts, version=replace(facts.version, params=params)))
    assert (
        f"at least {facts.contract.threshold:.4f}. That threshold gives the highest {said}" in text
    )


def test_the_threshold_by_cost_is_given_with_the_costs(facts):
    costs = {"grid_search.cost.false_positive": "1.0", "grid_search.cost.false_negative": "2.5"}
    params = {**facts.version.params, "grid_search.threshold": "cost", **costs}
    text = body(replace(facts, version=replace(facts.version, params=params)))
    assert "the lowest cost, 1 for a false positive and 2.5 for a false negative,\non out" in text


def test_the_baseline_is_told_before_the_threshold(facts):
    m, text = facts.version.metrics, body(facts)
    assert "On the same test rows the SVM is not distinguishable from logistic regression" in text
    row = [m[f"test_baseline_{name}"] for name in ("roc_auc", "brier", "log_loss")]
    assert "| logistic regression | {:.4f} | {:.4f} | {:.4f} |".format(*row) in text
    assert f"| base rate | 0.5000 | {m['test_base_rate_brier']:.4f} |" in text
    assert text.index("## Beside simpler models") < text.index("## Threshold")


def test_a_run_without_a_baseline_has_a_card(facts):
    metrics = {k: v for k, v in facts.version.metrics.items() if "base" not in k}
    text = body(replace(facts, version=replace(facts.version, metrics=metrics)))
    assert "simpler models" not in text
    assert "rows are Wilson's.\n\n## Threshold\n" in text


def test_each_subgroup_is_a_row(facts):
    row = facts.subgroups.iloc[0]
    assert f"| Age < 30 | {row['rows']} | {row['positives']} | {row['roc_auc']:.4f} |" in body(
        facts
    )


def test_the_gap_between_subgroups_is_told_where_there_are_some(facts):
    gap = facts.version.metrics["test_subgroup_gap"]
    assert f"the ROC AUC differs by {gap:.4f} at most" in body(facts)
    assert "differs by" not in body(replace(facts, subgroups=None))


def test_a_subgroup_without_a_roc_auc_has_none(facts):
    table = facts.subgroups.assign(roc_auc=float("nan"))
    assert re.search(r"\| Age < 30 \| \d+ \| \d+ \|  \| 0\.", body(replace(facts, subgroups=table)))


def test_what_a_run_did_not_record_is_said_to_be_lacking(facts):
    text = body(replace(facts, calibration=None, subgroups=None))
    assert "The run has no table of its calibration curve." in text
    assert "None are recorded: how the model does for a part of the rows is not known." in text


def test_what_it_goes_by_is_a_row_for_each_feature_with_intervals(facts):
    text, row = body(facts), facts.importance.iloc[0]
    cells = f"{row['importance']:.4f} | {row['low']:.4f} to {row['high']:.4f} | {row['share']:.1%}"
    assert f"| Glucose | {cells} (" in text
    assert "over 137 test rows, each compared with 100 training rows." in text
    assert "not about causes" in text
    assert "features move it less" not in text


def test_of_many_features_the_card_has_the_most_important(facts):
    names = tuple(f"f{number}" for number in range(25))
    one = facts.importance.head(1)
    many = pd.concat([one.assign(feature=name) for name in names], ignore_index=True)
    features = tuple(
        msgspec.structs.replace(facts.contract.features[0], name=name) for name in names
    )
    contract = msgspec.structs.replace(facts.contract, features=features)
    text = body(replace(facts, importance=many, contract=contract)).split("## What it goes by")[1]
    assert "| f9 |" in text
    assert "| f10 |" not in text
    assert "\nThe other 15 features move it less.\n" in text


def test_the_card_says_what_leaves_the_pipeline_with_the_version(facts):
    text = {}
    for kernel in ("none", "nystroem"):
        params = {**facts.version.params, "search.approximation": kernel}
        text[kernel] = body(replace(facts, version=replace(facts.version, params=params)))
    assert "with this version:** up to 100 training rows that explanations" in text["none"]
    assert "and the support vectors,\nwhich are training rows, too." in text["none"]
    assert "and the rows that the kernel is approximated from,\nwhich" in text["nystroem"]


def test_a_feature_that_carries_most_is_pointed_out(facts):
    assert "stands out" not in body(facts)
    table = facts.importance.assign(share=[0.9, *[0.1 / 7] * 7])
    text = body(replace(facts, importance=table))
    assert "**One feature stands out:** `Glucose` carries 90% of the importance: check" in text


def test_a_run_of_before_there_were_explanations_has_a_card(facts):
    text = body(replace(facts, importance=None))
    assert "The run has no table of it, as those of releases without explanations." in text
    assert "leaves the pipeline" not in text


def test_it_says_where_it_comes_from(facts):
    text = body(facts)
    for word in ("`c0ffee` with changes that were not committed", "r" * 32, "f" * 64, "a" * 32):
        assert word in text


def test_a_stage_is_not_mentioned_since_it_moves(facts):
    elsewhere = replace(facts, version=replace(facts.version, stages=("staging",)))
    assert markdown(elsewhere) == markdown(facts)


def tables(text):
    return re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)


def test_every_table_has_as_many_cells_in_each_row(facts):
    features = (
        msgspec.structs.replace(facts.contract.features[0], description="a | b\nc"),
        *facts.contract.features[1:],
    )
    text = body(replace(facts, contract=msgspec.structs.replace(facts.contract, features=features)))
    assert "| a \\| b c |" in text
    for table in tables(text):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_the_page_shows_text_as_text(facts):
    html = page(with_texts(facts, limits="<script>alert(1)</script>"), {"roc": b"PNG"})
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert '<img alt="roc" src="data:image/png;base64,UE5H">' in html
    assert html.count("<table>") == len(tables(body(facts)))


@pytest.fixture
def of_three(facts):
    """The same run, as if its table had three classes."""
    contract = msgspec.structs.replace(
        facts.contract, classes=("Adelie", "Chin|strap", "Gentoo"), threshold=None
    )
    y, p = random_answers(90, 3)
    table = Table(pd.DataFrame(), np.full((90, len(contract.names)), 40.0), y, contract)
    settings = Evaluate(confidence=0.95, resamples=100, bins=4, subgroups={"Age": [30]})
    answers = Answers(y, p.argmax(axis=1), p)
    metrics, tables = evaluate_answers(table, answers, contract, settings, 1)
    poor = random_answers(90, 3, seed=4)[1]
    base_rate = (0.2, 0.3, 0.5)
    metrics |= compare_with_baseline(y, p, poor, base_rate, Bootstrap.of(settings, 1))
    return CardFacts(
        replace(facts.version, metrics={f"test_{key}": value for key, value in metrics.items()}),
        contract,
        facts.texts,
        tables["top_calibration"],
        tables["subgroups"],
        tables["classes"],
        facts.importance,
    )


def test_a_card_of_several_classes_has_a_row_for_each(of_three):
    text, m = body(of_three), of_three.version.metrics
    assert "It predicts `Outcome`: which of 3 classes it is, with the probability of each," in text
    assert "| classes of `Outcome` | `Adelie`, `Chin\\|strap`, `Gentoo` |" in text
    gentoo = of_three.classes.iloc[2]
    assert f"| Gentoo | {gentoo['rows']} | {gentoo['precision']:.4f} |" in text
    low, high = wilson_interval(m["test_accuracy"] * 90, 90, 0.95)
    assert f"| accuracy | {m['test_accuracy']:.4f} | {low:.4f} to {high:.4f} |" in text
    assert f"| F1 | {m['test_f1']:.4f} |  |" in text
    assert f"| Age ≥ 30 | 90 | {of_three.subgroups['rarest'][0]} |" in text
    assert "recall |  |" not in text
    assert "the log-odds of a class or takes from them" in text
    assert "over 137 test rows and all classes, each" in text


def test_a_card_of_several_classes_has_no_threshold_and_no_positives(of_three):
    text = body(of_three)
    assert "## Decision\n\nThe answer is the class with the largest probability." in text
    assert not re.search("threshold|positive", text.split("## How to call it")[0])
    for table in tables(text):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
