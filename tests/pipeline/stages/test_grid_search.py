import io
import json
import re
import shutil
import sys

import msgspec
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from pipeline import progress
from pipeline.data.table import read_split
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import roc_auc
from pipeline.evaluation.threshold import best_threshold
from pipeline.search.calibration import Fold, cross_fitted, fit_sigmoid
from pipeline.search.grid import grid
from pipeline.search.strategy import Result
from pipeline.search.units import Candidate
from pipeline.stages import grid_search
from pipeline.training.cost import Part, Workload
from pipeline.training.estimator import build_estimator, build_transformer
from serving.model.contract import Contract
from serving.model.scorer import Scorer
from tests.conftest import ROOT
from tests.pipeline.conftest import Untracked

OUTPUTS = ["model", "cv_results.csv", "learning_curve.csv", "winner.json", "baseline"]


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
def run(tmp_path, make_params, monkeypatch):
    """Run the stage on `training_files`, into folders of the given name."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def run_stage(name="out", report=None, **settings):
        params = make_params({"a": None}, grid_search=settings)
        out = tmp_path / name
        grid_search.run(
            params,
            tmp_path / "training.csv",
            tmp_path / "contract.json",
            grid_search.Written(*(out / output for output in OUTPUTS)),
            report or Untracked(),
        )
        return out

    return run_stage


def content(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_stage_writes_a_whole_model_that_verifies(pima):
    assert sorted(path.name for path in pima.model.iterdir()) == [
        "contract.json",
        "explanation.onnx",
        "golden.json",
        "model.onnx",
    ]
    scorer = Scorer.load(pima.model)
    made_with = Contract.read(pima.contract)
    winner = json.loads(pima.winner.read_text())
    assert scorer.contract == msgspec.structs.replace(made_with, threshold=winner["threshold"])


def test_the_baseline_is_a_model_of_its_own(pima):
    scorer, svm = Scorer.load(pima.baseline), Scorer.load(pima.model)
    assert scorer.contract == msgspec.structs.replace(svm.contract, threshold=0.5)
    assert scorer.digest != svm.digest
    training = read_split(pima.training, Contract.read(pima.contract))
    facts = json.loads((pima.baseline / "baseline.json").read_text())
    assert facts["positive_share"] == training.y.mean()
    assert facts["onnx_difference"] < 1e-12
    assert 0.7 < roc_auc(training.y, scorer.score(training.X)[1]) < 0.9


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


@pytest.fixture
def four_classes_files(tmp_path, four_classes_model):
    """Write the training split of four classes with its contract."""
    contract = four_classes_model.contract
    rows = [
        {f.name: f.decode(cell) for f, cell in zip(contract.features, row, strict=True)}
        | {contract.target: contract.classes[label]}
        for row, label in zip(four_classes_model.X, four_classes_model.y, strict=True)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "training.csv", index=False)
    (tmp_path / "contract.json").write_bytes(contract.to_json())
    return four_classes_model


@pytest.mark.parametrize(
    "settings", [{}, {"strategy": "halving", "approximation": "nystroem", "components": 20}]
)
def test_four_classes_are_searched_and_written(run, four_classes_files, capsys, settings):
    out, (X, y) = run(**settings), (four_classes_files.X, four_classes_files.y)
    shares = np.bincount(y) / len(y)
    for model in ("model", "baseline"):
        scorer = Scorer.load(out / model)
        assert scorer.contract == four_classes_files.contract
        labels, probabilities = scorer.score(X)
        assert np.mean(labels == y) > 0.55 > shares.max()
        np.testing.assert_allclose(probabilities.mean(axis=0), shares, atol=0.05)
    winner = json.loads((out / "winner.json").read_text())
    assert "threshold" not in winner
    assert winner["out_of_fold_roc_auc"] == pytest.approx(winner["cv_roc_auc_mean"], abs=0.05)
    facts = json.loads((out / "baseline" / "baseline.json").read_text())
    assert facts["class_shares"] == shares.tolist()
    assert "positive_share" not in facts
    curve = pd.read_csv(out / "learning_curve.csv")
    assert curve["cv_roc_auc_mean"].between(0.6, 1).all()
    printed = capsys.readouterr().out
    assert re.search(r"out of fold: of 150 rows \d+ get their class", printed)


@pytest.mark.parametrize(("false_negative", "told"), [(1, False), (5, True)])
def test_costs_of_two_mistakes_have_no_effect_on_four_classes(
    run, four_classes_files, capsys, false_negative, told
):
    run(grid_size=1, cost={"false_positive": 1, "false_negative": false_negative})
    sentence = "grid_search.cost has no effect, since it is for two classes"
    assert (sentence in capsys.readouterr().out) is told


def test_a_class_of_too_few_rows_is_named(run, four_classes_files):
    with pytest.raises(PipelineError, match=r"the rarest class has \d+ rows, 30 folds need 32"):
        run(folds=30)


def test_few_rows_are_enough_golden_predictions(run, training_files):
    training_files(rarer=5, rows=10)
    golden = json.loads((run() / "model" / "golden.json").read_text())
    assert len(golden["rows"]) == len(golden["predictions"]) == 11


def test_the_winner_is_the_first_of_all_candidates(pima):
    candidates, winner = pd.read_csv(pima.cv_results), json.loads(pima.winner.read_text())
    first = candidates.iloc[0]
    assert len(candidates) == 2 * 9
    assert sorted(set(candidates["param_C"])) == grid(0.01, 1000, 3).tolist()
    assert sorted(set(candidates["param_gamma"])) == grid(0.0001, 10, 3).tolist()
    assert set(candidates["param_class_weight"]) == {"none", "balanced"}
    for name in ("C", "gamma", "class_weight"):
        assert winner[name] == first[f"param_{name}"]
    assert winner["cv_roc_auc_mean"] == first["mean_test_score"]
    assert winner["cv_roc_auc_median"] == first["median_test_score"]
    assert winner["cv_roc_auc_std"] == first["std_test_score"]
    assert winner["cv_log_loss"] == first["log_loss"] == candidates["log_loss"].min()
    assert 0 <= winner["onnx_difference"] < 1e-5


def test_the_best_fifth_is_scored_on_all_repeats(pima):
    candidates = pd.read_csv(pima.cv_results)
    scored = candidates.filter(regex=r"^split\d+_test_score$").notna().sum(axis=1)
    assert sorted(scored.tolist()) == [5] * 14 + [25] * 4
    assert scored.is_monotonic_decreasing


def out_of_fold(table, winner):
    """Return the winner's standardised decision values on the rows of 25 folds, by scikit-learn."""
    weight = None if winner["class_weight"] == "none" else winner["class_weight"]
    folds = []
    for repeat in range(5):
        splitter = StratifiedKFold(5, shuffle=True, random_state=42 + repeat)
        for training, test in splitter.split(table.X, table.y):
            svm = SVC(C=winner["C"], gamma=winner["gamma"], class_weight=weight)
            fitted = Pipeline([*build_transformer(table.contract).steps, ("svm", svm)])
            fitted.fit(table.X[training], table.y[training])
            own, unseen = (fitted.decision_function(table.X[part]) for part in (training, test))
            folds.append(Fold((unseen - own.mean()) / own.std(), table.y[test], repeat))
    return folds


def test_the_model_is_the_winner_refitted_on_the_whole_split(pima):
    winner = json.loads(pima.winner.read_text())
    table = read_split(pima.training, Contract.read(pima.contract))
    candidate = Candidate(winner["C"], winner["gamma"], winner["class_weight"])
    sigmoid = fit_sigmoid(out_of_fold(table, winner))
    estimator = build_estimator(table.contract, candidate, (sigmoid,)).fit(table.X, table.y)
    answers = Scorer.load(pima.model).score(table.X)[1]
    expected = estimator.predict_proba(table.X)[:, 1]
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-9)
    assert answers.mean() == pytest.approx(table.y.mean(), abs=0.02)


def test_the_threshold_is_chosen_on_rows_that_the_model_had_not_seen(pima):
    winner = json.loads(pima.winner.read_text())
    table = read_split(pima.training, Contract.read(pima.contract))
    folds = out_of_fold(table, winner)
    y, unseen = cross_fitted(folds)
    seen = Scorer.load(pima.model).score(table.X)[1]
    assert winner["threshold"] == pytest.approx(best_threshold(y, unseen, "youden"), abs=1e-9)
    assert winner["threshold"] != pytest.approx(best_threshold(table.y, seen, "youden"), abs=1e-3)
    assert winner["out_of_fold_roc_auc"] == pytest.approx(roc_auc(y, unseen), abs=1e-9)


def test_the_same_inputs_give_the_same_bytes(run, training_files):
    training_files()
    assert content(run("first")) == content(run("second"))


def test_settings_decide_the_search(run, training_files, capsys):
    training_files()
    out = run(
        **{"grid_size": 3, "C": [1, 100], "gamma": [0.1, 0.1], "folds": 4, "threshold": "f1"},
        **{"class_weight": "none", "repeats": 2, "score": "average_precision"},
        rank_by="median",
    )
    candidates = pd.read_csv(out / "cv_results.csv")
    assert len(candidates) == 3  # the one gamma counts once
    assert {"split7_test_score", "median_test_score"} <= set(candidates.columns)
    assert "split8_test_score" not in candidates
    assert "cv_average_precision_median" in json.loads((out / "winner.json").read_text())
    told = capsys.readouterr()
    assert "best of 3: C " in told.out
    assert "median average precision" in told.out
    assert "over 2 repeats of 4 folds, log loss" in told.out
    assert "(f1)" in told.out


def test_the_tutorials_rule_takes_the_best_median_of_the_folds(run, training_files, capsys):
    training_files()
    out = run(grid_size=3, rule="tutorial")
    candidates = pd.read_csv(out / "cv_results.csv")
    assert len(candidates) == 9
    assert candidates["median_test_score"].is_monotonic_decreasing
    assert "log_loss" not in candidates
    assert "split3_test_score" not in candidates  # of three folds
    told = capsys.readouterr().out
    assert re.search(r"median ROC AUC 0\.\d+ over 3 folds; threshold", told)


def test_the_threshold_follows_the_costs_and_is_told(run, training_files, capsys):
    training_files()
    cost = {"false_positive": 1, "false_negative": 1000}
    threshold = Scorer.load(run(threshold="cost", cost=cost) / "model").contract.threshold
    told = [line for line in capsys.readouterr().out.splitlines() if "threshold" in line]
    assert told[0].endswith(f"threshold {threshold:.4f} (cost)")
    assert re.fullmatch(
        r"out of fold, at this threshold: of 60 rows 20 of 20 positives are found, "
        r"(\d+) are false alarms; they cost \1 \(1 a false positive, 1000 a false negative\)",
        told[1],
    )


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


def test_the_command_takes_the_paths(pima, store_folder, tmp_path):
    params = tmp_path / "params.yaml"
    shutil.copyfile(ROOT / "params.yaml", params)
    params.write_text(params.read_text().replace("grid_size: 10", "grid_size: 1"))
    paths = {
        "--params": params,
        "--training": pima.training,
        "--contract": pima.contract,
        "--model": tmp_path / "model",
        "--cv-results": tmp_path / "cv.csv",
        "--learning-curve": tmp_path / "curve.csv",
        "--winner": tmp_path / "winner.json",
        "--baseline": tmp_path / "baseline",
    }
    done = CliRunner().invoke(
        grid_search.command, [str(word) for pair in paths.items() for word in pair]
    )
    assert done.exit_code == 0, done.output
    assert "best of 2: C 0.01, gamma 0.0001" in done.output
    assert Scorer.load(tmp_path / "model").contract.names[0] == "Pregnancies"


def test_every_candidate_is_reported_with_its_scores_and_times(run, training_files):
    training_files()
    report = Untracked()
    out = run(report=report, grid_size=3)
    ((name, key, params, total, selection),) = report.begun
    assert (name, total, params["grid_search.grid_size"]) == ("pima-diabetes", 18, "3")
    assert (selection.score, selection.rank_by) == ("roc_auc", "mean")
    assert {"seed", "grid_search.folds"} <= params.keys()
    assert not [key for key in params if key.startswith(("data", "register"))]
    axes = ["param_C", "param_gamma", "param_class_weight"]
    candidates = pd.read_csv(out / "cv_results.csv").set_index(axes)
    assert len(key) == 64
    assert len(report.candidates) == 18
    for candidate, scores, fit_s, score_s, extra in report.candidates:
        first = [candidates.loc[candidate, f"split{fold}_test_score"] for fold in range(3)]
        assert first == list(scores)
        assert fit_s > 0
        assert score_s > 0
        assert extra == {}
    assert report.finished == [(out / "cv_results.csv", out / "learning_curve.csv")]


def test_the_learning_curve_ends_with_the_winner_s_own_scores(pima):
    curve = pd.read_csv(pima.learning_curve)
    assert curve["rows"].is_monotonic_increasing
    assert len(curve) == 5
    assert curve["rows"].iloc[-1] == len(pd.read_csv(pima.training)) * 4 // 5
    first = pd.read_csv(pima.cv_results).iloc[0].filter(regex=r"^split[0-4]_").mean()
    assert curve["cv_roc_auc_mean"].iloc[-1] == pytest.approx(first, abs=2e-3)
    assert np.all(curve["train_roc_auc_mean"] > curve["cv_roc_auc_mean"] - 0.05)


class Interrupting(Untracked):
    """A report in the middle of which the user has enough."""

    def candidate(self, *what):
        super().candidate(*what)
        if len(self.candidates) == 4:
            raise KeyboardInterrupt


def test_an_interrupted_search_goes_on_and_ends_with_the_same_bytes(
    run, training_files, tmp_path, capsys
):
    training_files()
    undisturbed = content(run("undisturbed", grid_size=3))
    assert not [*tmp_path.glob(".dvc/tmp/search/*")]
    with pytest.raises(KeyboardInterrupt):
        run("out", Interrupting(), grid_size=3)
    assert not (tmp_path / "out").exists()
    assert [*tmp_path.glob(".dvc/tmp/search/*.jsonl")]
    capsys.readouterr()
    assert content(run("out", grid_size=3)) == undisturbed
    assert re.search(r"goes on after \d+ finished units", capsys.readouterr().err)
    assert not [*tmp_path.glob(".dvc/tmp/search/*")]


def test_another_setting_is_another_search(run, training_files, capsys):
    training_files()
    with pytest.raises(KeyboardInterrupt):
        run("out", Interrupting(), grid_size=3)
    capsys.readouterr()
    run("out", grid_size=3, folds=4)
    assert "goes on" not in capsys.readouterr().err


def test_where_it_runs_makes_no_other_search(run, training_files, capsys):
    training_files()
    with pytest.raises(KeyboardInterrupt):
        run("out", Interrupting(), grid_size=3)
    capsys.readouterr()
    run("out", grid_size=3, memory_limit=1e-6)
    told = capsys.readouterr().err
    assert "goes on after" in told
    assert "no kernel: libsvm computes what it needs of it" in told


def test_halving_says_on_how_many_rows_each_candidate_was_scored(run, training_files):
    training_files(rarer=90, rows=200)
    out = run(grid_size=4, strategy="halving", halving_min_rows=20)
    candidates = pd.read_csv(out / "cv_results.csv")
    assert len(candidates) == 32
    assert candidates["n_resources"].is_monotonic_decreasing
    assert candidates.iloc[0]["n_resources"] == 200  # the finals are on all rows
    assert candidates.iloc[0]["n_resources"] > candidates.iloc[-1]["n_resources"]
    assert candidates["rank_test_score"].is_monotonic_increasing


def test_what_auto_chose_is_tracked_and_in_the_summary(run, training_files, capsys):
    training_files()
    report = Untracked()
    winner = json.loads((run(report=report) / "winner.json").read_text())
    found = {key: value for key, value in winner.items() if key.startswith("search.")}
    assert found == {
        "search.strategy": "grid",
        "search.approximation": "none",
        "search.components": "none",
    }
    assert found.items() <= report.begun[0][2].items()
    assert "the exact grid" not in capsys.readouterr().err  # as one would expect


def test_what_is_set_is_not_explained(run, training_files, capsys):
    training_files()
    run(strategy="grid", approximation="none")
    assert "to force another way" not in capsys.readouterr().err


def test_the_approximation_is_exported_through_the_same_parity_gate(run, training_files):
    training_files(rarer=90, rows=200)
    out = run(grid_size=2, approximation="nystroem", components=30)
    winner = json.loads((out / "winner.json").read_text())
    assert 0 < winner["onnx_difference"] < 1e-5
    assert (winner["search.approximation"], winner["search.components"]) == ("nystroem", "30")
    scorer = Scorer.load(out / "model")
    low, high = scorer.score(np.array([[3.0, 98, 0, 0], [7.0, 102, 1, 1]]))[1]
    assert low < high


def test_more_components_than_rows_are_told_in_a_sentence(run, training_files):
    training_files()
    with pytest.raises(PipelineError, match=r"components is 300, but of 60 training rows only 40"):
        run(approximation="nystroem", components=300)


def patients():
    """Write 60 patients with four visits each, alike but for noise, with outcomes by chance."""
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(60), 4)
    X = rng.normal(size=(60, 5))[ids] + rng.normal(scale=0.05, size=(240, 5))
    sick = (np.arange(60) % 2)[ids]
    lines = [
        ",".join([f"P{patient}", *(f"{x:.4f}" for x in row), str(label)])
        for patient, row, label in zip(ids, X, sick, strict=True)
    ]
    return "patient,a,b,c,d,e,y\n" + "\n".join(lines) + "\n"


def test_of_a_group_no_fold_scores_what_it_was_trained_on(run_chain, make_params, tmp_path):
    path = tmp_path / "patients.csv"
    path.write_text(patients())
    found = {}
    for group in (None, "patient"):
        params = make_params(
            dict.fromkeys("abcde"),
            data={"group": group},
            ignore=["patient"],
            grid_search={"C": [1, 100], "gamma": [0.01, 1]},
        )
        result = run_chain(params, path)
        found[group] = json.loads(result.winner.read_text())
        curve = pd.read_csv(result.learning_curve)["cv_roc_auc_mean"].iloc[-1]
        found[group]["curve"] = curve
    for figure in ("cv_roc_auc_mean", "out_of_fold_roc_auc", "curve"):
        assert found[None][figure] > 0.95
        assert found["patient"][figure] < 0.75


def test_in_time_the_future_is_scored_by_the_past(run_chain, make_params, tmp_path):
    """The feature means the contrary from the last of four blocks on."""
    rng = np.random.default_rng(1)
    days = pd.date_range("2024-01-01", periods=200).strftime("%Y-%m-%d")
    y = rng.integers(0, 2, 200)
    x = (2 * y - 1) * np.where(np.arange(200) < 129, 1, -1) + rng.normal(scale=0.4, size=200)
    path = tmp_path / "days.csv"
    table = pd.DataFrame({"day": days, "x": x.round(4), "late": np.arange(200) // 20, "y": y})
    table.to_csv(path, index=False)
    found = {}
    for name, data in (
        ("shuffled", {}),
        ("in time", {"time": "day", "test_from": "2024-06-20"}),
    ):
        params = make_params({"x": None, "late": None}, ignore=["day"], data=data)
        winner = json.loads(run_chain(params, path).winner.read_text())
        found[name] = winner["cv_roc_auc_mean"]
    assert found["shuffled"] > 0.95
    assert found["in time"] < 0.85


@pytest.fixture(scope="module")
def with_categories(run_chain, make_params, tmp_path_factory):
    """Give the results of a table with a category, in which one text is none."""
    colours = ["red", "green", "green", "blue", "?"]
    rng = np.random.default_rng(2)
    shares = {"red": 0.3, "green": 0.2, "blue": 0.8, "?": 0.5}
    lines = [
        f"{colour},{rng.normal():.3f},{int(rng.random() < shares[colour])}"
        for colour in colours * 20
    ]
    path = tmp_path_factory.mktemp("categories") / "table.csv"
    path.write_text("\n".join(["colour,a,y", *lines, "mauve,0.5,1", ""]))
    category = {
        "type": "category",
        "categories": ["red", "green", "blue"],
        "missing_values": ["?"],
        "unseen": "missing",
    }
    return run_chain(make_params({"colour": category, "a": None}), path)


def test_a_table_with_categories_goes_from_its_texts_to_a_verified_model(with_categories):
    scorer = Scorer.load(with_categories.model)
    assert scorer.contract.features[0].categories == ("red", "green", "blue")
    metrics = json.loads(with_categories.metrics.read_text())
    assert metrics["rows"] == len(pd.read_csv(with_categories.test)) > 10
    assert json.loads(with_categories.winner.read_text())["onnx_difference"] < 1e-9


def test_golden_rows_have_the_texts_of_categories(with_categories):
    rows = json.loads((with_categories.model / "golden.json").read_text())["rows"]
    texts = {row["colour"] for row in rows}
    assert {"green", "blue", None} <= texts <= {"red", "green", "blue", None}
    assert rows[-1]["colour"] is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def count_three(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what is printed of three candidates, the best of which had few rows or folds."""
    monkeypatch.setattr(sys, "stderr", stream)
    parts = [Part(5, 1, 100), Part(5, 1, 300), Part(10, 1, 300)]
    workload = Workload(parts, {0.5: 1}, 0.5, 100)
    with grid_search.progress_bar(workload, "mean ROC AUC") as count:
        for C, score, n_folds, rows in (
            (1.0, 0.99, 5, 100),
            (5.0, 0.9, 5, 300),
            (2.0, 0.8, 10, 300),
        ):
            scores = (score,) * n_folds
            count(Result(Candidate(C, 0.5), scores, 0, 0, {"n_resources": rows}), score)
    return stream.getvalue()


def test_a_terminal_shows_a_bar_with_the_best_on_most_rows(monkeypatch):
    last = count_three(Terminal(), monkeypatch).split("\r")[-1]
    assert "100%" in last
    assert "best mean ROC AUC 0.8000 (C 2, gamma 0.5)" in last


def test_a_log_has_whole_lines_of_progress(monkeypatch):
    monkeypatch.setitem(progress.LOG_LINES, "delay", 0)
    monkeypatch.setitem(progress.LOG_LINES, "mininterval", 0)
    last = count_three(io.StringIO(), monkeypatch).splitlines()[-2]
    assert last.strip() == (
        "grid search: 100%, best mean ROC AUC 0.8000 (C 2, gamma 0.5), 00:00 left"
    )


def test_a_log_of_a_short_search_has_no_progress(monkeypatch):
    assert count_three(io.StringIO(), monkeypatch) == ""
