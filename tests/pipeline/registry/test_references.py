"""What a reference stands for, on a real store."""

import msgspec
import pandas as pd
import pytest

from pipeline.errors import PipelineError
from pipeline.registry.references import Dataset, find_version, run_named
from pipeline.tracking.store import open_tracking
from tests.pipeline.registered import NAME, digest


@pytest.fixture(scope="module")
def twice(project_once, one_version, pima):
    """The same model once more, evaluated with other settings: a run, and no new version."""
    evaluate = msgspec.structs.replace(pima.params.evaluate, bins=5)
    other = type(pima)(pima.folder, msgspec.structs.replace(pima.params, evaluate=evaluate))

    def fill(made):
        assert made.add(other, "again", fingerprint="g" * 64) == "1"

    return project_once("twice", fill, one_version)


@pytest.fixture
def registered(one_version, tmp_path):
    with one_version.copy(tmp_path / "project").entered() as made:
        yield made


@pytest.fixture
def again(one_version, twice, tmp_path):
    """Enter a project with a later run of the same model; return the first run's id."""
    with twice.copy(tmp_path / "project").entered():
        yield one_version.runs["1"]


def find(reference):
    with open_tracking(NAME) as tracking:
        return find_version(tracking, NAME, reference)


def test_all_that_a_version_s_run_recorded_is_known(registered, pima):
    found = find("1")
    assert (found.number, found.run_id, found.run_name) == ("1", registered.runs["1"], "repro one")
    assert found.params["seed"] == "42"
    assert found.metrics["test_rows"] == len(pd.read_csv(pima.test))
    assert found.datasets == {
        "training": Dataset(digest(pima.training), len(pd.read_csv(pima.training))),
        "test": Dataset(digest(pima.test), len(pd.read_csv(pima.test))),
    }


def test_a_version_s_own_run_comes_before_a_later_one_with_the_same_model(again):
    assert find("1").run_id == again
    assert find("1").params["evaluate.bins"] == "10"


def test_a_run_that_is_named_is_taken_although_it_is_not_its_version_s_own(again):
    found = find("again")
    assert (found.number, found.params["evaluate.bins"]) == ("1", "5")


def test_where_a_version_s_own_run_was_deleted_another_with_its_model_is_taken(again):
    with open_tracking(NAME) as tracking:
        tracking.client.delete_run(again)
    assert find("1").run_name == "again"


def test_experiments_with_one_result_both_find_it(registered, pima, monkeypatch):
    for name in ("bigger-grid", "tall-reef", "bigger-grid", "first"):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        registered.add(pima, name)
    first = registered.runs["1"]
    assert find("bigger-grid").run_id == find("tall-reef").run_id == first
    assert find("1").names == {first: ["repro one", "bigger-grid", "tall-reef", "first"]}


def test_version_names_all_runs_that_reached_its_model(again, twice):
    assert find("1").names == {again: ["repro one"], twice.runs["1"]: ["again"]}


def test_a_version_whose_run_is_gone_is_told(registered):
    with open_tracking(NAME) as tracking:
        tracking.client.delete_run(registered.runs["1"])
    with pytest.raises(PipelineError, match="the run of version 1 of pima-diabetes is no longer"):
        find("1")


def test_a_run_whose_version_was_deleted_is_told(registered):
    with open_tracking(NAME) as tracking:
        tracking.client.delete_model_version(NAME, "1")
    with pytest.raises(PipelineError, match="is no version of pima-diabetes any more"):
        find("repro one")


RUNS = {"abcd1": ["new", "wide"], "abcd2": ["old"], "beef": ["old"]}


def test_of_runs_of_one_name_the_newest_is_meant():
    assert run_named(RUNS, NAME, "old") == "abcd2"


def test_any_name_of_a_run_finds_it():
    assert run_named(RUNS, NAME, "wide") == "abcd1"


def test_the_beginning_of_an_id_must_be_that_of_one_run():
    assert run_named(RUNS, NAME, "abcd1") == "abcd1"
    with pytest.raises(PipelineError, match="2 runs begin with abcd: give more of the id"):
        run_named(RUNS, NAME, "abcd")


def test_three_letters_are_too_few_to_mean_a_run():
    with pytest.raises(PipelineError, match="'bee' is no version, stage"):
        run_named(RUNS, NAME, "bee")
