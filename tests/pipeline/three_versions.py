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
from tests.pipeline.registered import NAME, keep_in_cache, new_project


@pytest.fixture(scope="session")
def three_versions(tmp_path_factory, empty_store, pima, pima_smooth, pima_resplit):
    """Versions 1 and 2 of the same test rows, and 3 of others; none is in a stage.

    They may each take the place of another: so few rows hardly tell them apart.
    """
    made = new_project(tmp_path_factory.mktemp("commands") / "project", empty_store)
    params = made.folder / "params.yaml"
    params.write_text(params.read_text().replace("max_roc_auc_drop: 0.05", "max_roc_auc_drop: 0.2"))
    shutil.copyfile(pima.test, made.folder / "data/test.csv")
    keep_in_cache(made.folder, pima_resplit.test)
    with made.entered():
        assert made.add(pima, "repro one") == "1"
        assert made.add(pima_smooth, "tall-reef") == "2"
        assert made.add(pima_resplit, "resplit") == "3"
    return made


@pytest.fixture
def project(three_versions, tmp_path, monkeypatch):
    """A copy of it for one test, whose folder is the current one."""
    for name in ("REGISTRY_SIGNING_KEY", "MLFLOW_TRACKING_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    with three_versions.copy(tmp_path / "project").entered() as copied:
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
