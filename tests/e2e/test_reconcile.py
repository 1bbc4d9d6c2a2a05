"""Tracking and registry are what the pipeline's result says, whatever came from the cache."""

import json
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.e2e.conftest import NAME, Store, open_store


@pytest.fixture(scope="module")
def store(trained: Project) -> Store:
    return open_store(trained.store)


def searched_again(output: str) -> bool:
    return "Running stage 'grid_search'" in output


def test_one_run_has_all_of_the_result(trained: Project, store: Store) -> None:
    (run,) = store.results()
    metrics = json.loads((trained.path / "artifacts/metrics.json").read_text())
    assert run.data.metrics["test_roc_auc"] == metrics["roc_auc"]
    assert run.data.metrics["cv_roc_auc_median"] > 0.7
    assert run.data.metrics["importance/Glucose"] > 0.3
    assert len([name for name in run.data.metrics if name.startswith("importance/")]) == 8
    assert run.data.params["grid_search.grid_size"] == "10"
    assert run.data.params["gamma"] == str(metrics_of_winner(trained)["gamma"])
    contexts = {
        (dataset.dataset.name, dataset.tags[0].value) for dataset in run.inputs.dataset_inputs
    }
    assert contexts == {("training.csv", "training"), ("test.csv", "test")}
    plots = {Path(f.path).name for f in store.client.list_artifacts(run.info.run_id, "plots")}
    assert plots == {
        "roc.png",
        "precision_recall.png",
        "calibration.png",
        "confusion.png",
        "importance.png",
        "importance.csv",
        "learning_curve.png",
        "subgroups.png",
        "search.png",
        "subgroups.csv",
        "calibration.csv",
    }
    commit = trained.run("git", "rev-parse", "HEAD~1").stdout.strip()
    assert run.data.tags["git.commit"] == commit
    assert len(run.data.tags["pipeline.fingerprint"]) == 64


def metrics_of_winner(project: Project) -> dict[str, float]:
    winner: dict[str, float] = json.loads((project.path / "artifacts/winner.json").read_text())
    return winner


def test_candidates_are_nested_runs_with_their_scores(store: Store) -> None:
    (run,) = store.results()
    candidates = store.candidates(run)
    assert len(candidates) == 200
    ranks = [candidate.data.metrics["rank"] for candidate in candidates]
    best = candidates[ranks.index(1)]
    for name in ("cv_roc_auc_mean", "cv_roc_auc_median", "cv_log_loss"):
        assert best.data.metrics[name] == run.data.metrics[name]
    assert best.data.params["class_weight"] == run.data.params["class_weight"]
    assert {f"cv_roc_auc_fold{fold}" for fold in range(5)} <= best.data.metrics.keys()


def test_evaluated_is_registered_to_the_byte(
    trained: Project, store: Store, tmp_path: Path
) -> None:
    assert store.versions() == {"1": {"staging", "production"}}
    version = store.client.get_model_version(NAME, "1")
    evaluated = (trained.path / "artifacts/model/model.onnx").read_bytes()
    model_id = version.source.removeprefix("models:/")
    location = store.client.get_logged_model(model_id).artifact_location.removeprefix("file://")
    for name in ("model.onnx", "contract.json", "golden.json"):
        ours = (trained.path / "artifacts/model" / name).read_bytes()
        assert (Path(location) / name).read_bytes() == ours
    assert version.tags["digest"] == sha256(evaluated).hexdigest()
    assert version.tags["gates"] == "passed"
    (run,) = store.results()
    for tag in ("digest", "data.digest", "git.commit", "pipeline.fingerprint"):
        assert version.tags[tag] == run.data.tags[tag]


def test_registering_again_adds_no_run_and_no_version(finished: Project) -> None:
    store = open_store(finished.store)
    runs, versions = {run.info.run_id for run in store.runs()}, store.versions()
    assert finished.run_stage("register") == 0
    assert {run.info.run_id for run in store.runs()} == runs
    assert store.versions() == versions


def test_second_machine_pulls_and_only_registers(project: Project, tmp_path: Path) -> None:
    """All is back in a new store, from what DVC keeps."""
    project.run("dvc", "remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    project.run("git", "commit", "--quiet", "--all", "--message", "A remote")
    project.run("dvc", "push")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", project.path, clone], check=True)
    second = Project(clone)
    replace_in(clone / "params.yaml", "auto_promote: repro", "auto_promote: never")
    second.run("dvc", "pull")
    output = second.run("dvc", "repro").stdout
    ran = [line for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["Running stage 'register':"]
    assert "not promoted: register.auto_promote is off" in output
    store = open_store(second.store)
    (run,) = store.results()
    assert len(store.candidates(run)) == 200
    assert store.versions() == {"1": {"staging"}}


def test_cached_search_is_linked_and_its_stage_kept(
    finished: Project,
) -> None:
    store = open_store(finished.store)
    (first,) = store.results()
    replace_in(finished.path / "params.yaml", "bins: 10", "bins: 5")
    replace_in(finished.path / "params.yaml", "min_roc_auc: 0.70", "min_roc_auc: 0.99")
    output = finished.run("dvc", "repro").stdout
    assert not searched_again(output)
    assert "Running stage 'evaluate'" in output
    assert "not promoted: a gate does not hold (but still in production)" in output
    (second,) = [run for run in store.results() if run.info.run_id != first.info.run_id]
    assert second.data.tags["search.run_id"] == first.data.tags["search.run_id"]
    assert list(store.versions()) == ["1"]  # the same model


def test_interrupted_registration_is_done_anew(finished: Project) -> None:
    # In a project that was moved meanwhile, too: `finished` is a copy.
    store = open_store(finished.store)
    (run,) = store.results()
    store.client.update_run(run.info.run_id, status="RUNNING")
    assert finished.run_stage("register") == 0
    (again,) = store.results()
    assert (again.info.status, again.info.run_id != run.info.run_id) == ("FINISHED", True)
    assert len(store.candidates(again)) == 200


def test_result_that_is_not_the_locked_one_is_refused(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = project.path / "artifacts/metrics.json"
    better = metrics.read_text().replace('"roc_auc": 0.8', '"roc_auc": 0.9')
    metrics.unlink()  # a link into DVC's cache, perhaps
    metrics.write_text(better)
    assert project.run_stage("register") == 1
    assert "artifacts/metrics.json is not what dvc.lock records of it" in capsys.readouterr().err


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
