"""`kill -9` while a result is registered: the next `dvc repro` puts everything right."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import Project
from tests.e2e.conftest import open_store


def the_store_is_being_created(folder: Path) -> bool:
    return (folder / ".mlflow.db.partial").exists()


def candidates_are_being_logged(folder: Path) -> bool:
    if not (folder / "mlflow.db").exists():
        return False
    with closing(sqlite3.connect(f"file:{folder}/mlflow.db?mode=ro", uri=True)) as database:
        (runs,) = database.execute("select count(*) from runs").fetchone()
        return bool(runs > 5)


@pytest.mark.parametrize("moment", [the_store_is_being_created, candidates_are_being_logged])
def test_a_killed_registration_is_made_good(
    project: Project, moment: Callable[[Path], bool]
) -> None:
    stages = YAML(typ="safe", pure=True).load((project.path / "dvc.yaml").read_text())["stages"]
    register = subprocess.Popen(
        ["bash", "-c", f"exec {stages['register']['cmd']}"],
        cwd=project.path,
        env=project.full_environment(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    with register:
        while register.poll() is None and not moment(project.path):
            time.sleep(0.005)
        os.killpg(register.pid, signal.SIGKILL)
    assert register.returncode == -signal.SIGKILL

    project.run("dvc", "repro")
    store = open_store(project.store)
    (run,) = store.results()
    assert len(store.candidates(run)) == 100
    assert store.versions() == {"1": {"staging", "production"}}
    assert store.results("RUNNING") == []
