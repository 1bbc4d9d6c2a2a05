import json
import shutil

import msgspec
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.model_selection import cross_val_predict

from pipeline.errors import PipelineError
from pipeline.metrics import best_threshold, roc_auc
from pipeline.model import build_estimator, stratified_folds
from pipeline.search import grid
from pipeline.stages import grid_search
from pipeline.table import read_split
from serving.contract import Contract
from serving.scorer import Scorer

OUTPUTS = ["model", "cv_results.csv", "winner.json"]


@pytest.fixture
def training_files(tmp_path, small_model):
    """Write a small training split with its contract, of so many rows of the rarer class."""

    def write(rarer=20, rows=60):
        rng = np.random.default_rng(1)
        y = np.arange(rows) < rarer
        X = rng.normal(size=(rows, 4)) + [5, 100, 0, 0] + y[:, np.newaxis]
        X[:, 3] = rng.integers(0, 2, rows)
        X[:, 2] = np.abs(X[:, 2])
        lines = [
            ",".join([*map(str, row), ["no", "yes"][label]])
            for row, label in zip(X.tolist(), y.astype(int).tolist(), strict=True)
        ]
        (tmp_path / "training.csv").write_text("a,b,c,d,y\n" + "\n".join(lines) + "\n")
        contract = msgspec.structs.replace(small_model.contract, threshold=None)
        (tmp_path / "contract.json").write_bytes(contract.to_json())

    return write


@pytest.fixture
def run(tmp_path, make_params):
    """Run the stage on `training_files`, into folders of the given name."""

    def run_stage(name="out", **settings):
        params = make_params({"a": None}, grid_search=settings)
        out = tmp_path / name
        grid_search.run(
            params,
            tmp_path / "training.csv",
            tmp_path / "contract.json",
            *(out / output for output in OUTPUTS),
        )
        return out

    return run_stage


def content(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_stage_writes_a_whole_model_that_verifies(pima):
    assert sorted(path.name for path in pima.model.iterdir()) == [
        "contract.json",
        "golden.json",
        "model.onnx",
    ]
    scorer = Scorer.load(pima.model)
    made_with = Contract.read(pima.contract)
    winner = json.loads(pima.winner.read_text())
    assert scorer.contract == msgspec.structs.replace(made_with, threshold=winner["threshold"])


def test_the_golden_predictions_spread_over_the_probabilities(pima):
    golden = json.loads((pima.model / "golden.json").read_text())
    probabilities = [prediction["probability"] for prediction in golden["predictions"]]
    training = read_split(pima.training, Contract.read(pima.contract))
    every = Scorer.load(pima.model).score(training.X)[1]
    assert len(golden["rows"]) == 16
    assert (min(probabilities[:-1]), max(probabilities[:-1])) == (every.min(), every.max())
    assert {prediction["label"] for prediction in golden["predictions"]} == {0, 1}
    nullable = {"Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"}
    assert {name for name, value in golden["rows"][-1].items() if value is None} == nullable


def test_few_rows_are_enough_golden_predictions(run, training_files):
    training_files(rarer=5, rows=10)
    golden = json.loads((run() / "model" / "golden.json").read_text())
    assert len(golden["rows"]) == len(golden["predictions"]) == 11


def test_the_winner_is_the_first_of_all_candidates(pima):
    candidates, winner = pd.read_csv(pima.cv_results), json.loads(pima.winner.read_text())
    first = candidates.iloc[0]
    assert len(candidates) == 9
    assert sorted(set(candidates["param_C"])) == grid(0.01, 1000, 3).tolist()
    assert sorted(set(candidates["param_gamma"])) == grid(0.0001, 10, 3).tolist()
    assert (winner["C"], winner["gamma"]) == (first["param_C"], first["param_gamma"])
    assert winner["cv_roc_auc_median"] == candidates["median_test_score"].max()
    assert winner["cv_roc_auc_mean"] == first["mean_test_score"]
    assert winner["cv_roc_auc_std"] == first["std_test_score"]
    assert 0 <= winner["onnx_difference"] < 1e-5


def test_the_model_is_the_winner_refitted_on_the_whole_split(pima):
    winner = json.loads(pima.winner.read_text())
    table = read_split(pima.training, Contract.read(pima.contract))
    estimator = build_estimator(
        table.contract, C=winner["C"], gamma=winner["gamma"], n_folds=5, seed=42
    )
    expected = estimator.fit(table.X, table.y).predict_proba(table.X)[:, 1]
    answers = Scorer.load(pima.model).score(table.X)[1]
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-9)


def test_the_threshold_is_chosen_on_rows_that_the_model_had_not_seen(pima):
    winner = json.loads(pima.winner.read_text())
    table = read_split(pima.training, Contract.read(pima.contract))
    estimator = build_estimator(
        table.contract, C=winner["C"], gamma=winner["gamma"], n_folds=5, seed=42
    )
    unseen = cross_val_predict(
        estimator, table.X, table.y, cv=stratified_folds(5, 42), method="predict_proba"
    )[:, 1]
    seen = estimator.fit(table.X, table.y).predict_proba(table.X)[:, 1]
    assert winner["threshold"] == best_threshold(table.y, unseen, "youden")
    assert winner["threshold"] != best_threshold(table.y, seen, "youden")
    assert winner["out_of_fold_roc_auc"] == roc_auc(table.y, unseen)


def test_the_same_inputs_give_the_same_bytes(run, training_files):
    training_files()
    assert content(run("first")) == content(run("second"))


def test_settings_decide_the_search(run, training_files, capsys):
    training_files()
    out = run(grid_size=3, C=[1, 100], gamma=[0.1, 0.1], folds=4, rank_by="mean", threshold="f1")
    candidates = pd.read_csv(out / "cv_results.csv")
    assert len(candidates) == 9
    assert {"split3_test_score", "mean_test_score"} <= set(candidates.columns)
    assert "split4_test_score" not in candidates
    assert candidates["mean_test_score"].is_monotonic_decreasing
    told = capsys.readouterr()
    assert "best of 9: C " in told.out
    assert "mean ROC AUC" in told.out
    assert "(f1)" in told.out
    assert "36/36" in told.err  # the progress bar: 3 × 3 candidates in 4 folds


def test_the_thresholds_rule_decides_the_labels_alone(run, training_files):
    training_files(rarer=15)
    scorers = [Scorer.load(run(rule, threshold=rule) / "model") for rule in ("youden", "accuracy")]
    X = np.array([[5.0, 100.0, 0.0, 1.0], [6.0, 101.0, 1.0, 1.0]])
    assert scorers[0].contract.threshold != scorers[1].contract.threshold
    np.testing.assert_array_equal(scorers[0].score(X)[1], scorers[1].score(X)[1])


@pytest.mark.parametrize(("folds", "rarer"), [(2, 3), (3, 4), (5, 1), (5, 4), (5, 6)])
def test_too_few_rows_of_a_class_are_told_in_a_sentence(
    run, training_files, tmp_path, folds, rarer
):
    training_files(rarer)
    with pytest.raises(PipelineError) as error:
        run(folds=folds)
    assert str(error.value) == (
        f"{tmp_path / 'training.csv'}: the rarer class has {rarer} rows, "
        f"{folds} folds need {folds + 2}; "
        "give more rows, or lower grid_search.folds in params.yaml"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folds", [2, 3, 5, 8])
def test_as_few_rows_as_are_asked_for_are_enough(run, training_files, folds):
    training_files(folds + 2)
    assert (run(folds=folds) / "model" / "model.onnx").exists()


def test_a_split_of_another_contract_is_refused(run, training_files, tmp_path):
    training_files()
    (tmp_path / "training.csv").write_text("a,b,y\n1,2,no\n")
    with pytest.raises(PipelineError, match="does not have the contract's columns"):
        run()
    assert not (tmp_path / "out").exists()


def test_the_command_takes_the_paths(pima, tmp_path):
    params = tmp_path / "params.yaml"
    shutil.copyfile("params.yaml", params)
    params.write_text(params.read_text().replace("grid_size: 10", "grid_size: 1"))
    paths = {
        "--params": params,
        "--training": pima.training,
        "--contract": pima.contract,
        "--model": tmp_path / "model",
        "--cv-results": tmp_path / "cv.csv",
        "--winner": tmp_path / "winner.json",
    }
    done = CliRunner().invoke(
        grid_search.command, [str(word) for pair in paths.items() for word in pair]
    )
    assert done.exit_code == 0, done.output
    assert "best of 1: C 0.01, gamma 0.0001" in done.output
    assert Scorer.load(tmp_path / "model").contract.names[0] == "Pregnancies"
