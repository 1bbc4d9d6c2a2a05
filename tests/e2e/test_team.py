"""Two people, each with a clone, on one tracking store: production moves only if it is meant.

A service of a third one follows them all the while.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from pipeline.registry.split_tag import SPLIT_TAG, read_split_tag
from tests.conftest import Project
from tests.e2e.conftest import NAME, Store, open_store
from tests.running import Service, eventually, service

SAMPLE = {
    **{"Pregnancies": 6, "Glucose": 148, "BloodPressure": 72, "SkinThickness": 35},
    **{"Insulin": None, "BMI": 33.6, "DiabetesPedigreeFunction": 0.627, "Age": 50},
}


@pytest.fixture(params=["sqlite", "postgresql"])
def person(request: pytest.FixtureRequest, finished: Project) -> Project:
    """A clone with a result in production, in a file or on `mlflow server`."""
    if request.param == "sqlite":
        return finished
    person = finished.on(request.getfixturevalue("tracking_server"))
    person.run("dvc", "repro")
    return person


@pytest.fixture
def colleague(person: Project, tmp_path: Path) -> Project:
    """A second clone on the first one's store."""
    return person.copy(tmp_path / "colleague").on(person.store)


@pytest.fixture
def follower(person: Project, tmp_path: Path) -> Iterator[Service]:
    """A service on that store, far from both clones."""
    folder = tmp_path / "service"
    folder.mkdir()
    with service(folder, MLFLOW_TRACKING_URI=person.store, SERVING_MODEL=NAME) as running:
        yield running


def check_followed(follower: Service, version: str) -> None:
    eventually(lambda: answering(follower) == version)


def answering(follower: Service) -> str:
    model = follower.version()["model"]
    return str(model["version"]) if model else ""


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
    person: Project, colleague: Project, follower: Service
) -> None:
    store = open_store(person.store)
    check_followed(follower, "1")
    check_experiment_of_another_seed(colleague, store)
    assert answering(follower) == "1"

    told = colleague.run("dvc", "repro").stdout
    assert "\nstaging: 1 → 2\nproduction: 1 → 2\n" in told
    check_followed(follower, "2")
    told = person.run("dvc", "repro").stdout
    assert "version 1 of pima-diabetes is there already, in no stage" in told
    assert "not promoted: version 2 came later (" in told
    assert store.versions() == {"1": set(), "2": {"staging", "production"}}

    assert answering(follower) == "2"
    one, other = roll_back_at_once(person, colleague)
    assert {one.startswith("version 1 of"), other.startswith("version 1 of")} == {True, False}
    assert any("has just done it (too many alarms): version 1" in said for said in (one, other))
    assert store.versions() == {"1": {"production"}, "2": {"staging"}}
    check_followed(follower, "1")
    assert follower.predict(SAMPLE).json()["model"]["version"] == "1"
    check_ledger(person, store)


def check_experiment_of_another_seed(project: Project, store: Store) -> None:
    """It is judged on the rows of both tests, in which neither was trained, and moves no stage."""
    test = project.path / "data/test.csv"
    before = pd.read_csv(test)
    wide = ("seed=7", "grid_search.grid_size=2", "register.gates.max_roc_auc_drop=0.4")
    settings = [word for each in wide for word in ("-S", each)]
    told = project.run("dvc", "exp", "run", "--name", "wide", *settings).stdout
    assert "version 2 of pima-diabetes is new, in no stage" in told
    assert "not promoted: an experiment moves no stage; `python -m pipeline promote 2" in told
    assert store.versions() == {"1": {"staging", "production"}, "2": set()}
    after = pd.read_csv(test)
    both = len(after.merge(before))
    assert 0 < both < len(after)
    assert f"on the {both} of {len(after)} test rows that neither was trained on" in told
    versions = [store.client.get_model_version(NAME, number) for number in "12"]
    rules = [read_split_tag(version.tags[SPLIT_TAG]) for version in versions]
    assert [rule and rule.seed for rule in rules] == [42, 7]


def test_protected_registry_is_left_alone_outside_its_branch_and_ci(
    finished: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    params = finished.path / "params.yaml"
    params.write_text(re.sub("promote_from:.*", "promote_from: {branch: main}", params.read_text()))
    open_store(finished.store).client.delete_registered_model_alias(NAME, "production")
    for ci, barred in (("", True), ("true", False)):
        assert replace(finished, environment={"CI": ci}).run_stage("register") == 0
        wanted = "not promoted: register.promote_from wants a clean checkout"
        assert (wanted in capsys.readouterr().out) is barred


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
