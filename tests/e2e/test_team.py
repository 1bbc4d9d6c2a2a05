"""Two people, each with a clone, on one tracking store: production moves only if it is meant."""

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.conftest import Project
from tests.e2e.conftest import Store, open_store

ROW = ["6", "148", "72", "35", "0", "33.6", "0.627", "50"]


@pytest.fixture
def colleague(finished: Project, tmp_path: Path) -> Project:
    """A second clone on the first one's store."""
    return finished.copy(tmp_path / "colleague").on(finished.store)


def roll_back_at_once(*people: Project) -> list[str]:
    command = ("python", "-m", "pipeline", "rollback", "--reason", "too many alarms")
    started = [
        subprocess.Popen(
            command,
            cwd=one.path,
            env=one.full_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for one in people
    ]
    return sorted(process.communicate(timeout=120)[0] for process in started)


def test_two_people_move_production_only_if_they_mean_it(
    finished: Project, colleague: Project
) -> None:
    store = open_store(finished.store)
    wide = ("-S", "grid_search.grid_size=2", "-S", "register.gates.max_roc_auc_drop=0.4")
    told = colleague.run("dvc", "exp", "run", "--name", "wide", *wide).stdout
    assert "version 2 of pima-diabetes is new, in no stage" in told
    assert "not promoted: an experiment moves no stage; `python -m pipeline promote 2" in told
    assert store.versions() == {"1": {"staging", "production"}, "2": set()}

    told = colleague.run("dvc", "repro").stdout
    assert "\nstaging: 1 → 2\nproduction: 1 → 2\n" in told
    told = finished.run("dvc", "repro").stdout
    assert "version 1 of pima-diabetes is there already, in no stage" in told
    assert "not promoted: version 2 came later (" in told
    assert store.versions() == {"1": set(), "2": {"staging", "production"}}

    one, other = roll_back_at_once(finished, colleague)
    assert {one.startswith("version 1 of"), other.startswith("version 1 of")} == {True, False}
    assert any("has just done it (too many alarms): version 1" in said for said in (one, other))
    again = finished.run("python", "-m", "pipeline", "rollback", check=False)
    assert "nothing earlier to go back to (rolled back from: 2)" in again.stderr
    assert store.versions() == {"1": {"production"}, "2": {"staging"}}

    colleague = Project(colleague.path, {**colleague.environment, "CI": ""})
    params = colleague.path / "params.yaml"
    protected = re.sub("promote_from:.*", "promote_from: {branch: main}", params.read_text())
    params.write_text(protected)
    told = colleague.run("dvc", "repro").stdout
    assert "not promoted: register.promote_from wants a clean checkout" in told
    colleague = Project(colleague.path, {**colleague.environment, "CI": "true"})
    told = colleague.run("dvc", "repro").stdout
    assert "decided for version 1, back from version 2 on " in told
    check_ledger(finished, store)
    assert '"version": "1"' in colleague.run("python", "-m", "serving", "predict", *ROW).stdout


def check_ledger(project: Project, store: Store) -> None:
    said = project.run("python", "-m", "pipeline", "history", "--json").stdout
    history = msgspec.json.decode(said)
    assert history["faults"] == []
    lines = history["lines"]
    assert [(line["stage"], line.get("from"), line["to"], line["what"]) for line in lines] == [
        ("staging", None, "1", "dvc repro"),
        ("production", None, "1", "dvc repro"),
        ("staging", "1", "2", "dvc repro"),
        ("production", "1", "2", "dvc repro"),
        ("production", "2", "1", "rollback"),
    ]
    (actor,) = {line["actor"] for line in lines}
    assert {run.data.tags["mlflow.user"] for run in store.runs()} == {actor}
