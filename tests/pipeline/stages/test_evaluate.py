import json

import msgspec
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from pipeline.data.table import read_split
from pipeline.errors import PipelineError
from pipeline.evaluation.baseline import format_verdict
from pipeline.evaluation.importance import format_importance
from pipeline.stages import evaluate
from serving.model.scorer import Scorer
from serving.model.version_files import ModelError


@pytest.fixture(scope="module")
def figures(pima):
    return json.loads(pima.metrics.read_text())


@pytest.fixture(scope="module")
def answers(pima):
    """The test split's labels with what the service's scorer answers: y, label, probability."""
    scorer = Scorer.load(pima.model)
    table = read_split(pima.test, scorer.contract)
    return table.y, *scorer.score(table.X)


def test_the_figures_are_those_of_scikit_learn_on_the_scorers_answers(figures, answers):
    y, label, p = answers
    observed, predicted = calibration_curve(y, p, n_bins=10)
    rows = np.bincount((p * 10).astype(int), minlength=10)
    tn, fp, fn, tp = sk.confusion_matrix(y, label).ravel().tolist()
    expected = {
        "rows": len(y),
        "roc_auc": sk.roc_auc_score(y, p),
        "average_precision": sk.average_precision_score(y, p),
        "brier": sk.brier_score_loss(y, p),
        "log_loss": sk.log_loss(y, p),
        "expected_calibration_error": np.average(
            np.abs(observed - predicted), weights=rows[rows > 0]
        ),
        "bias": p.mean() - y.mean(),
        "bias_standard_error": np.std(p - y, ddof=1) / np.sqrt(len(y)),
        "accuracy": sk.accuracy_score(y, label),
        "balanced_accuracy": sk.balanced_accuracy_score(y, label),
        "precision": sk.precision_score(y, label),
        "recall": sk.recall_score(y, label),
        "specificity": sk.recall_score(y, label, pos_label=0),
        "f1": sk.f1_score(y, label),
        "true_positives": tp,
        "false_positives": fp,
        "true_negatives": tn,
        "false_negatives": fn,
    }
    shown = {name: value for name, value in figures.items() if name in expected}
    assert shown == pytest.approx(expected, rel=1e-12, abs=1e-12)
    beside = {name for name in figures if name.startswith(("baseline_", "base_rate_"))}
    assert set(figures) - set(expected) - beside == {
        "roc_auc_low",
        "roc_auc_high",
        "threshold",
        "subgroup_gap",
        "chance_calibration_error",
    }


def test_the_baseline_answers_the_same_rows(figures, pima, answers):
    y, _, svm = answers
    scorer = Scorer.load(pima.baseline)
    p = scorer.score(read_split(pima.test, scorer.contract).X)[1]
    assert figures["baseline_roc_auc"] == pytest.approx(sk.roc_auc_score(y, p), rel=1e-12)
    lead = figures["baseline_roc_auc_difference"]
    assert lead == pytest.approx(sk.roc_auc_score(y, svm) - sk.roc_auc_score(y, p), abs=1e-12)
    tpr = sk.roc_curve(y, p, drop_intermediate=False)[1]
    curve = pd.read_csv(pima.plots / "baseline_roc.csv")
    np.testing.assert_allclose(curve["true_positive_rate"], tpr, rtol=1e-12)


def test_the_base_rate_is_the_training_rows(figures, pima, answers):
    y, share = answers[0], pd.read_csv(pima.training)["Outcome"].mean()
    always = np.full(len(y), share)
    assert figures["base_rate_brier"] == pytest.approx(sk.brier_score_loss(y, always), rel=1e-12)
    assert figures["base_rate_log_loss"] == pytest.approx(sk.log_loss(y, always), rel=1e-12)


def test_the_figures_are_worth_a_model(figures):
    assert 0.8 < figures["roc_auc"] < 0.9
    assert figures["roc_auc_low"] < figures["roc_auc"] < figures["roc_auc_high"]
    assert figures["brier"] < 0.2


def test_the_threshold_is_the_contracts(figures, answers, pima):
    _, label, probability = answers
    assert figures["threshold"] == Scorer.load(pima.model).contract.threshold
    np.testing.assert_array_equal(label, probability >= figures["threshold"])


def test_a_table_is_written_for_each_plot(pima, answers):
    y, label, p = answers
    tables = {path.stem: pd.read_csv(path) for path in pima.plots.iterdir()}
    assert sorted(tables) == [
        "baseline_calibration",
        "baseline_roc",
        "calibration",
        "confusion",
        "importance",
        "precision_recall",
        "roc",
        "subgroups",
    ]
    fpr, tpr, _ = sk.roc_curve(y, p, drop_intermediate=False)
    np.testing.assert_allclose(tables["roc"]["false_positive_rate"], fpr, rtol=1e-12)
    np.testing.assert_allclose(tables["roc"]["true_positive_rate"], tpr, rtol=1e-12)
    precision, recall, _ = sk.precision_recall_curve(y, p)
    pr = tables["precision_recall"][::-1]
    np.testing.assert_allclose(pr["precision"], precision[:-1], rtol=1e-12)
    np.testing.assert_allclose(pr["recall"], recall[:-1], rtol=1e-12)
    assert tables["confusion"]["actual"].tolist() == y.tolist()
    assert tables["confusion"]["predicted"].tolist() == label.tolist()
    assert tables["calibration"]["rows"].sum() == len(y)


@pytest.fixture
def evaluate_again(pima, tmp_path):
    def run(seed=42, **changes):
        settings = msgspec.structs.replace(pima.params.evaluate, **changes)
        params = msgspec.structs.replace(pima.params, evaluate=settings, seed=seed)
        evaluate.run(
            params,
            pima.test,
            pima.model,
            pima.baseline,
            tmp_path / "metrics.json",
            tmp_path / "plots",
        )
        return json.loads((tmp_path / "metrics.json").read_text())

    return run


def test_the_same_inputs_give_the_same_bytes(pima, evaluate_again, tmp_path):
    evaluate_again()
    assert (tmp_path / "metrics.json").read_bytes() == pima.metrics.read_bytes()
    for table in pima.plots.iterdir():
        assert (tmp_path / "plots" / table.name).read_bytes() == table.read_bytes()


def test_settings_decide_the_interval_and_the_bins(figures, evaluate_again, tmp_path):
    narrower = evaluate_again(confidence=0.5, resamples=500, bins=3)
    assert figures["roc_auc_low"] < narrower["roc_auc_low"]
    assert narrower["roc_auc_high"] < figures["roc_auc_high"]
    assert set(pd.read_csv(tmp_path / "plots" / "calibration.csv")["bin"]) <= {0, 1, 2}
    assert evaluate_again(seed=1)["roc_auc_low"] != figures["roc_auc_low"]


def test_subgroups_are_measured_on_the_scorers_answers(pima, answers, figures):
    y, _, p = answers
    age = pd.read_csv(pima.test)["Age"].to_numpy()
    table = pd.read_csv(pima.plots / "subgroups.csv").set_index("group")
    assert list(table.index) == ["Age < 30", "30 ≤ Age < 45", "Age ≥ 45"]
    middle = (age >= 30) & (age < 45)
    row = table.loc["30 ≤ Age < 45"]
    assert row["rows"] == middle.sum()
    assert row["roc_auc"] == pytest.approx(sk.roc_auc_score(y[middle], p[middle]), rel=1e-12)
    fewest = np.minimum(table["positives"], table["rows"] - table["positives"])
    areas = table["roc_auc"][fewest >= 10]
    assert figures["subgroup_gap"] == pytest.approx(areas.max() - areas.min(), rel=1e-12)


def test_without_subgroups_there_is_no_gap_and_an_empty_table(evaluate_again, tmp_path):
    assert evaluate_again(subgroups={})["subgroup_gap"] == 0
    assert pd.read_csv(tmp_path / "plots" / "subgroups.csv").empty


def test_the_outcome_the_decisions_and_the_importances_are_told(
    pima, evaluate_again, figures, capsys
):
    evaluate_again()
    importances = format_importance(pd.read_csv(pima.plots / "importance.csv"), 137, 100)
    assert capsys.readouterr().out == (
        f"on {figures['rows']} test rows: ROC AUC {figures['roc_auc']:.4f} "
        f"(95% interval {figures['roc_auc_low']:.4f} to {figures['roc_auc_high']:.4f}), "
        f"Brier score {figures['brier']:.4f}\n"
        f"{format_verdict(figures, 0.95)}\n"
        f"at the threshold {figures['threshold']:.4f}: of 137 rows "
        f"{figures['true_positives']} of 41 positives are found, "
        f"{figures['false_positives']} are false alarms\n"
        f"{importances}\n"
    )


def test_importances_are_of_all_test_rows_with_an_interval_of_the_same_confidence(
    pima, evaluate_again, tmp_path
):
    table = pd.read_csv(pima.plots / "importance.csv")
    assert set(table["feature"]) == set(Scorer.load(pima.model).contract.names)
    assert table["feature"][0] == "Glucose"
    assert set(zip(table["rows"], table["background"], strict=True)) == {(137, 100)}
    evaluate_again(confidence=0.5)
    narrower = pd.read_csv(tmp_path / "plots" / "importance.csv")
    assert (narrower["low"] > table["low"]).all()
    assert (narrower["high"] < table["high"]).all()


def test_a_leak_s_usual_face_is_told(evaluate_again, capsys, monkeypatch):
    monkeypatch.setattr("pipeline.evaluation.importance.SUSPICIOUS", 0.2)
    evaluate_again()
    assert "\n`Glucose` carries " in capsys.readouterr().out


def test_a_model_that_cannot_be_explained_has_no_importances(pima, tmp_path, capsys):
    # The baseline is one, as are models of before there were explanations.
    paths = (pima.test, pima.baseline, pima.baseline, tmp_path / "metrics.json", tmp_path / "plots")
    evaluate.run(pima.params, *paths)
    assert "it goes by" not in capsys.readouterr().out
    assert not (tmp_path / "plots/importance.csv").exists()


def test_a_test_split_of_another_contract_is_refused(pima, tmp_path):
    other = tmp_path / "test.csv"
    other.write_text(pima.test.read_text().replace("Glucose", "Sugar", 1))
    with pytest.raises(PipelineError, match="does not have the contract's columns"):
        evaluate.run(
            pima.params, other, pima.model, pima.baseline, tmp_path / "m.json", tmp_path / "plots"
        )
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("contract.json", '"threshold": 0.', '"threshold": 0.1', "not the contract that"),
        ("golden.json", '"probability":0.', '"probability":0.9', "golden row 1 is answered with"),
    ],
)
def test_a_model_that_does_not_verify_is_not_measured(pima, tmp_path, name, old, new, reason):
    (tmp_path / "model").mkdir()
    for path in pima.model.iterdir():
        (tmp_path / "model" / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "model" / name
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ModelError, match=reason):
        evaluate.run(
            pima.params,
            pima.test,
            tmp_path / "model",
            pima.baseline,
            tmp_path / "m.json",
            tmp_path / "plots",
        )
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_the_confusion_table_names_the_classes(make_params, run_chain, write_csv):
    rows = "".join(f"{row % 13 + 4 * (row % 2)},{'MB'[row % 2]}\n" for row in range(60))
    result = run_chain(make_params({"a": None}, positive_class="M"), write_csv(f"a,y\n{rows}"))
    confusion = pd.read_csv(result.plots / "confusion.csv")
    test = pd.read_csv(result.test)
    assert confusion["actual"].tolist() == test["y"].tolist()
    assert set(confusion["predicted"]) <= {"M", "B"}
    metrics = json.loads(result.metrics.read_text())
    both = (confusion["actual"] == "M") & (confusion["predicted"] == "M")
    assert metrics["true_positives"] == both.sum()


def test_the_command_takes_the_paths(pima, tmp_path):
    paths = {"--test": pima.test, "--model": pima.model, "--baseline": pima.baseline}
    paths |= {"--metrics": tmp_path / "metrics.json", "--plots": tmp_path / "plots"}
    done = CliRunner().invoke(
        evaluate.command, [str(word) for pair in paths.items() for word in pair]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "metrics.json").read_bytes() == pima.metrics.read_bytes()
