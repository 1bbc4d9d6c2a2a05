"""DVC as its users use it: experiments, the queue, a remote and a second machine."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.e2e.conftest import open_store

QUEUE_SECONDS = 90


def grids(project: Project) -> dict[str, str]:
    """Give the size of the grid of each finished run, by the run's name."""
    runs = open_store(project.store).results()
    return {run.info.run_name: run.data.params["grid_search.grid_size"] for run in runs}


def test_experiments_land_in_the_one_store_under_their_names_and_compare(project: Project) -> None:
    project.run("dvc", "exp", "run", "--queue", "--name", "queued", "-S", "grid_search.grid_size=3")
    project.run("dvc", "queue", "start")
    wait_for_queue(project)
    found = grids(project)
    assert found == {"queued": "3"}
    assert [path.parent for path in project.path.rglob("mlflow.db")] == [project.path]
    store = open_store(project.store)
    (queued,) = [run for run in store.results() if run.info.run_name == "queued"]
    assert len(store.candidates(queued)) == 9
    check_that_metrics_and_plots_compare(project, "queued")


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


def test_a_second_machine_pulls_and_only_registers(project: Project, tmp_path: Path) -> None:
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
    assert len(store.candidates(run)) == 100
    assert store.versions() == {"1": {"staging", "production"}}


def test_mlflow_runs_the_project_with_a_grid_of_its_own(project: Project) -> None:
    project.run("mlflow", "run", ".", "--env-manager", "local", "-P", "grid_size=3")
    store = open_store(project.store)
    (run,) = store.results()
    assert run.data.params["grid_search.grid_size"] == "3"
    assert len(store.candidates(run)) == 9
    assert run.data.tags.get("mlflow.project.entryPoint") is None  # not MLflow's own run


def test_mlflow_runs_the_project_as_it_stands(finished: Project) -> None:
    output = finished.run("mlflow", "run", ".", "--env-manager", "local").stdout
    assert "Stage 'grid_search' didn't change" in output
    assert "Running stage 'register'" in output
    (run,) = open_store(finished.store).results()
    assert run.data.params["grid_search.grid_size"] == "10"
    assert finished.run("git", "status", "--porcelain").stdout == ""
