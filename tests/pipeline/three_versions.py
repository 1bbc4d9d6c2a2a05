"""A project with three registered versions, and the commands that people type in it."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import msgspec
import pytest

from pipeline.__main__ import main
from pipeline.tracking.store import open_tracking
from serving.config import Settings
from serving.following.sync import sync
from tests.pipeline.registered import NAME, keep_in_cache, keep_runs, new_project, open_project


@pytest.fixture(scope="session")
def project_once(made_once, empty_store):
    """Return a project that is filled once for all workers; `origin` is one that it begins as.

    Not to be changed: copy it.
    """

    def one(name, fill, origin=None):
        def write(folder):
            made = origin.copy(folder) if origin else new_project(folder, empty_store)
            with made.entered():
                fill(made)
            keep_runs(made)

        return open_project(made_once(name, write))

    return one


@pytest.fixture(scope="session")
def one_version(project_once, pima):
    """Version 1, which is in no stage, and its run."""
    return project_once("one_version", lambda made: made.add(pima, "repro one"))


@pytest.fixture(scope="session")
def three_versions(project_once, pima, pima_smooth, pima_resplit):
    """Versions 1 and 2 of the same test rows, and 3 of others; none is in a stage.

    They may each take the place of another: so few rows hardly tell them apart.
    """

    def fill(made):
        params = made.folder / "params.yaml"
        text = params.read_text().replace("max_roc_auc_drop: 0.05", "max_roc_auc_drop: 0.2")
        params.write_text(text)
        shutil.copyfile(pima.test, made.folder / "data/test.csv")
        keep_in_cache(made.folder, pima_resplit.test)
        assert made.add(pima, "repro one") == "1"
        assert made.add(pima_smooth, "tall-reef") == "2"
        assert made.add(pima_resplit, "resplit") == "3"

    return project_once("three_versions", fill)


@pytest.fixture(scope="session")
def promoted(project_once, three_versions):
    """The same, after versions 1, then 3, then 2 were put in production."""

    def fill(made):
        for version in "132":
            said = ("--reason", f"it is {version}")
            assert main(["promote", version, "--to", "production", *said]) == 0

    return project_once("promoted", fill, three_versions)


@pytest.fixture
def project(request, tmp_path):
    """A copy of it for one test, whose folder is the current one.

    Of the three versions, or of `promoted` where the test asks for that.
    """
    name = "promoted" if "promoted" in request.fixturenames else "three_versions"
    origin = request.getfixturevalue(name)
    with origin.copy(tmp_path / "project").entered() as copied:
        yield copied


@pytest.fixture
def run(project, capsys):
    """Run a command; give its exit code and what it said."""

    def one(*arguments):
        code = main(list(arguments))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return one


@pytest.fixture
def as_json(run):
    return lambda *arguments: msgspec.json.decode(run(*arguments, "--json").out)


@pytest.fixture
def done(run):
    """Run a command that must succeed; give what it said."""

    def one(*arguments):
        result = run(*arguments)
        assert result.code == 0, result.err
        return result.out

    return one


@pytest.fixture
def client(project):
    with open_tracking(NAME) as tracking:
        return tracking.client


@pytest.fixture
def stages(client):
    """Give the version that each stage names."""
    return lambda: {k: str(v) for k, v in client.get_registered_model(NAME).aliases.items()}


@pytest.fixture
def files_of(client):
    """Give the folder in which the registry keeps a version's files."""

    def folder(version):
        address = client.get_model_version_download_uri(NAME, version)
        return Path(unquote(urlsplit(address).path))

    return folder


@pytest.fixture
def synced(project):
    """Sync a service's store with the registry; give the outcome."""

    def one(**changes):
        settings = Settings(model=NAME, store=project.folder / "model_store", **changes)
        return sync(settings, project.uri, retry=True)

    return one
