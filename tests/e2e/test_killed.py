"""`kill -9` in a search, or in a registration: the next `dvc repro` goes on from there."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from tests.conftest import Project
from tests.e2e.conftest import open_store
from tests.running import hear_ctrl_c


def the_store_is_being_created(folder: Path) -> bool:
    return (folder / ".mlflow.db.partial").exists()


def candidates_are_being_logged(folder: Path) -> bool:
    if not (folder / "mlflow.db").exists():
        return False
    with closing(sqlite3.connect(f"file:{folder}/mlflow.db?mode=ro", uri=True)) as database:
        (runs,) = database.execute("select count(*) from runs").fetchone()
        return bool(runs > 5)


def start_stage(project: Project, stage: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        project.stage_command(stage),
        cwd=project.path,
        env=project.full_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )


def search_until(project: Project, units: int) -> "subprocess.Popen[str]":
    """Start the search, and wait until so many units are finished."""
    search = start_stage(project, "grid_search")
    checkpoints = project.path / ".dvc/tmp/search"
    while sum(path.read_bytes().count(b"{") for path in checkpoints.glob("*")) < units:
        assert search.poll() is None
        time.sleep(0.005)
    return search


def read_results(project: Project) -> list[bytes]:
    names = ("cv_results.csv", "winner.json", "model/model.onnx")
    return [(project.path / "artifacts" / name).read_bytes() for name in names]


def test_killed_search_ends_with_the_same_scores(project: Project) -> None:
    params = project.path / "params.yaml"
    params.write_text(params.read_text().replace("grid_size: 10", "grid_size: 4"))
    search = search_until(project, units=2)
    os.killpg(search.pid, signal.SIGINT)
    _, said = search.communicate(timeout=60)
    assert search.returncode == 1
    assert said.rstrip().endswith("grid_search failed: interrupted")
    assert "Traceback" not in said
    store = open_store(project.store)
    (run,) = store.other_runs("KILLED")
    assert run.data.tags["failed.reason"] == "interrupted"
    assert run.data.tags["failed.stage"] == "grid_search"
    assert not (project.path / ".mlflow.db.partial").exists()

    search = search_until(project, units=5)
    os.killpg(search.pid, signal.SIGKILL)
    search.communicate()

    last = start_stage(project, "grid_search")
    _, said = last.communicate()
    assert last.returncode == 0, said
    (units,) = re.findall(r"goes on after (\d+) finished units", said)
    assert 5 <= int(units) < 4 * 5
    gone_on_with = read_results(project)
    project.run("dvc", "repro")  # searches anew, for it has run no such search itself
    assert read_results(project) == gone_on_with
    (run,) = store.results()
    assert len(store.candidates(run)) == 32
    assert {candidate.info.status for candidate in store.candidates(run)} == {"FINISHED"}
    assert store.other_runs("RUNNING") == store.other_runs("KILLED") == []


def test_registration_killed_twice_is_made_good(project: Project) -> None:
    for moment in (the_store_is_being_created, candidates_are_being_logged):
        register = start_stage(project, "register")
        with register:
            while register.poll() is None and not moment(project.path):
                time.sleep(0.005)
            os.killpg(register.pid, signal.SIGKILL)
        assert register.returncode == -signal.SIGKILL

    assert project.run_stage("register") == 0
    store = open_store(project.store)
    (run,) = store.results()
    assert len(store.candidates(run)) == 200
    assert store.versions() == {"1": {"staging", "production"}}
    assert store.other_runs("RUNNING") == []
