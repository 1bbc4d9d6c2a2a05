"""DVC as its users use it: experiments, the queue, a remote and a second machine."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.e2e.conftest import open_store

QUEUE_SECONDS = 90


def test_queued_experiment_lands_in_the_store_and_compares(
    finished: Project,
) -> None:
    command = ("dvc", "exp", "run", "--queue", "--name", "queued", "-S", "grid_search.grid_size=3")
    finished.run(*command)
    finished.run("dvc", "queue", "start")
    wait_for_queue(finished)
    assert [path.parent for path in finished.path.rglob("mlflow.db")] == [finished.path]
    store = open_store(finished.store)
    (queued,) = [run for run in store.results() if run.info.run_name == "queued"]
    assert queued.data.params["grid_search.grid_size"] == "3"
    assert len(store.candidates(queued)) == 18
    assert store.versions() == {"1": {"staging", "production"}, "2": set()}
    check_that_metrics_and_plots_compare(finished, "queued")


def wait_for_queue(project: Project, tasks: int = 1) -> None:
    deadline = time.monotonic() + QUEUE_SECONDS
    while (status := project.run("dvc", "queue", "status").stdout).count("Success") < tasks:
        if "Failed" in status or time.monotonic() > deadline:
            pytest.fail(f"{status}\n{project.run('dvc', 'queue', 'logs', 'queued').stdout}")
        time.sleep(1)


def check_that_metrics_and_plots_compare(project: Project, experiment: str) -> None:
    shown = project.run("dvc", "metrics", "show").stdout
    assert "roc_auc_low" in shown
    assert "cv_roc_auc_median" in shown
    difference = project.run("dvc", "metrics", "diff", "HEAD", experiment).stdout
    assert "artifacts/winner.json" in difference
    plots = project.run("dvc", "plots", "diff", "HEAD", experiment, "--json").stdout
    for title in ("ROC", "Precision and recall", "Calibration", "Confusion", "Search"):
        assert f'"{title}' in plots
    assert '"errors"' not in plots


def test_second_machine_pulls_and_only_registers(project: Project, tmp_path: Path) -> None:
    project.run("dvc", "remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    project.run("git", "commit", "--quiet", "--all", "--message", "A remote")
    project.run("dvc", "push")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", project.path, clone], check=True)
    second = Project(clone)
    second.run("dvc", "pull")
    output = second.run("dvc", "repro").stdout
    ran = [line for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["Running stage 'register':"]
    store = open_store(second.store)
    (run,) = store.results()
    assert len(store.candidates(run)) == 200
    assert store.versions() == {"1": {"staging", "production"}}


def test_mlflow_runs_the_project_with_and_without_a_grid(finished: Project) -> None:
    store = open_store(finished.store)
    (first,) = store.results()
    run = ("mlflow", "run", ".", "--env-manager", "local")
    output = finished.run(*run).stdout
    assert "Stage 'grid_search' didn't change" in output
    assert "Running stage 'register'" in output
    assert [result.info.run_id for result in store.results()] == [first.info.run_id]
    assert finished.run("git", "status", "--porcelain").stdout == ""

    finished.run(*run, "-P", "grid_size=3")
    (second,) = [run for run in store.results() if run.info.run_id != first.info.run_id]
    assert second.data.params["grid_search.grid_size"] == "3"
    assert len(store.candidates(second)) == 18
    assert store.versions() == {"1": {"staging", "production"}, "2": set()}

    finished.run("git", "checkout", "params.yaml", "dvc.lock")
    finished.run(*run, "-P", "grid_size=3")  # from the cache, under another name
    assert len(store.results()) == 2
    assert len(store.other_runs()) == 3  # two searches and the ledger
    names = second.info.run_name, store.client.get_run(second.info.run_id).data.tags["also_named"]
    said = [finished.run("python", "-m", "pipeline", "card", name).stdout for name in names]
    assert said[0] == said[1]
    assert f"| reached by | {', '.join(names)} (run" in said[0]
    assert store.client.search_runs(["0"]) == []  # Default: where MLflow opens a run of its own
