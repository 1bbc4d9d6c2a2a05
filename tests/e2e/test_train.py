"""The short way to a model, `python -m pipeline train N`, ends where the long one does."""

from typing import Any, NamedTuple

import pytest

from tests.conftest import Project
from tests.e2e.conftest import NAME, open_store

SHORT = ("python", "-m", "pipeline", "train", "3")
LONG = ("dvc", "exp", "run", "-S", "grid_search.grid_size=3")


class End(NamedTuple):
    """What a way leaves: the project, its run's settings, and its version's digest and stages."""

    project: Project
    params: dict[str, str]
    candidates: int
    digest: str
    stages: set[str]

    @classmethod
    def of(cls, project: Project) -> "End":
        store = open_store(project.store)
        (run,) = store.results()
        ((version, stages),) = store.versions().items()
        tags: dict[str, Any] = store.client.get_model_version(NAME, version).tags
        return cls(project, run.data.params, len(store.candidates(run)), tags["digest"], stages)


@pytest.fixture(scope="module")
def ends(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[End, End]:
    """Go both ways from the same start, each in a project of its own."""
    folder = tmp_path_factory.mktemp("ways")
    short, long = trained.copy(folder / "a/project"), trained.copy(folder / "b/project")
    short.run(*SHORT)
    long.run(*LONG)
    return End.of(short), End.of(long)


def test_it_registers_the_same_version_in_the_same_stages(ends: tuple[End, End]) -> None:
    short, long = ends
    assert (short.digest, short.stages) == (long.digest, long.stages)
    assert short.stages == {"staging", "production"}


def test_its_run_has_the_same_settings_and_candidates(ends: tuple[End, End]) -> None:
    short, long = ends
    assert short.params == long.params
    assert short.params["grid_search.grid_size"] == "3"
    assert short.candidates == long.candidates == 9


@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock"])
def test_it_leaves_the_workspace_as_dvc_exp_run_does(ends: tuple[End, End], name: str) -> None:
    short, long = ((end.project.path / name).read_bytes() for end in ends)
    assert short == long
    assert b"grid_size: 3" in short


def test_it_is_an_experiment_of_dvc(ends: tuple[End, End]) -> None:
    listed = [end.project.run("dvc", "exp", "list", "--name-only").stdout.split() for end in ends]
    assert list(map(len, listed)) == [1, 1]


def test_once_more_is_no_new_version(ends: tuple[End, End]) -> None:
    short, _ = ends
    short.project.run(*SHORT)
    assert End.of(short.project)[1:] == short[1:]
