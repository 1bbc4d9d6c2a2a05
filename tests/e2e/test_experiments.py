"""DVC and `mlflow run` as their users use them: experiments, the queue, entry points."""

import time

import pytest

from tests.conftest import Project
from tests.e2e.conftest import open_store

QUEUE_SECONDS = 90


def test_queued_experiment_lands_in_the_store_and_compares(
    finished: Project,
) -> None:
    command = ("dvc", "exp", "run", "--queue", "--name", "queued", "-S", "grid_search.grid_size=2")
    finished.run(*command)
    finished.run("dvc", "queue", "start")
    wait_for_queue(finished)
    assert [path.parent for path in finished.path.rglob("mlflow.db")] == [finished.path]
    store = open_store(finished.store)
    (queued,) = [run for run in store.results() if run.info.run_name == "queued"]
    assert queued.data.params["grid_search.grid_size"] == "2"
    assert len(store.candidates(queued)) == 12
    assert store.versions() == {"1": {"staging", "production"}, "2": set()}
    check_that_metrics_and_plots_compare(finished, "queued")


def wait_for_queue(project: Project) -> None:
    """Wait for git's reference: `dvc queue status` takes a second's work each time."""
    refs, deadline = project.path / ".git/refs/exps", time.monotonic() + QUEUE_SECONDS
    while not any(refs.rglob("queued")):
        if time.monotonic() > deadline:
            pytest.fail(project.run("dvc", "queue", "logs", "queued").stdout)
        time.sleep(0.2)


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


def test_mlflow_runs_the_project_with_and_without_a_grid(finished: Project) -> None:
    store = open_store(finished.store)
    (first,) = store.results()
    run = ("mlflow", "run", ".", "--env-manager", "local")
    output = finished.run(*run).stdout
    assert "Stage 'grid_search' didn't change" in output
    assert "Running stage 'register'" in output
    assert [result.info.run_id for result in store.results()] == [first.info.run_id]
    assert finished.run("git", "status", "--porcelain").stdout == ""

    finished.run(*run, "-P", "grid_size=2")
    (second,) = [run for run in store.results() if run.info.run_id != first.info.run_id]
    assert second.data.params["grid_search.grid_size"] == "2"
    assert len(store.candidates(second)) == 12
    assert store.versions() == {"1": {"staging", "production"}, "2": set()}
    assert store.client.search_runs(["0"]) == []  # Default: where MLflow opens a run of its own
