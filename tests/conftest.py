"""A trained project, made once: a copy of this repository in which `dvc repro` has run."""

import os
import random
import shlex
import shutil
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
import requests
from filelock import FileLock
from hypothesis import settings
from ruamel.yaml import YAML

from pipeline.tracking.relocation import Move
from tests import tracking_server as tracking_server_process

MakeOnce = Callable[[str, Callable[[Path], None]], Path]
ROOT = Path(__file__).resolve().parent.parent
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Else six processes beside a server, which import all of MLflow for queues that stay empty.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "DVC_NO_ANALYTICS": "1",
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}
# What a person's shell may say of the project, of MLflow and of signing.
STEERING = ("DVC_ROOT", "DVC_EXP_NAME", "REGISTRY_SIGNING_KEY", "MLFLOW_TRACKING_USERNAME")
os.environ.update(QUIET)
# Else each of the hundreds of processes that tests start compiles the sources anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# The same examples every time, however busy the machine is. A test that needs more says so.
settings.register_profile("repeatable", max_examples=50, deadline=None, derandomize=True)
settings.load_profile("repeatable")


@dataclass(frozen=True)
class Project:
    """A project's folder, and the environment in which its commands run."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; what it printed is shown where it fails unexpectedly."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self.full_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
        return done

    def full_environment(self) -> dict[str, str]:
        """Give the machine's environment without what steers MLflow and DVC, and this one."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**clean, **QUIET, "PATH": path, **self.environment}

    def run_stage(self, stage: str) -> int:
        """Run a stage as dvc.yaml does, but within the test; return its exit code."""
        from pipeline.__main__ import main

        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(self.path)
            for name in STEERING:
                patched.delenv(name, raising=False)
            for name, value in {"MLFLOW_TRACKING_URI": self.store, **self.environment}.items():
                patched.setenv(name, value)
            return main(self.stage_command(stage)[3:])

    def stage_command(self, stage: str) -> list[str]:
        """Return a stage's command in dvc.yaml, word by word."""
        document = YAML(typ="safe", pure=True).load((self.path / "dvc.yaml").read_text())
        return shlex.split(document["stages"][stage]["cmd"])

    @property
    def store(self) -> str:
        return self.environment.get("MLFLOW_TRACKING_URI", f"sqlite:///{self.path}/mlflow.db")

    def on(self, tracking_uri: str) -> "Project":
        """Give the same project with another tracking store."""
        return replace(self, environment={**self.environment, "MLFLOW_TRACKING_URI": tracking_uri})

    def copy(self, path: Path) -> "Project":
        """Copy the project without its tracking store, which a new `dvc repro` makes anew."""
        ignored = shutil.ignore_patterns("mlflow.db*", "mlruns", "model_store")
        shutil.copytree(self.path, path, ignore=ignored, symlinks=True)
        return replace(self, path=path)

    def copy_with_store(self, path: Path) -> "Project":
        """Copy the project as it stands; in the store are absolute addresses, which are mended."""
        shutil.copytree(self.path, path, symlinks=True)
        Move(self.path, path, path / "mlflow.db").correct().unlink()
        forget_addresses()
        return replace(self, path=path)


def forget_addresses() -> None:
    """Let MLflow ask again where the files of an id are, which it remembers for a whole process."""
    if client := sys.modules.get("mlflow.tracking._tracking_service.utils"):
        client._artifact_repos_cache.clear()


def copy_of_repository(path: Path) -> Project:
    """Copy what git would take of this repository, without its results, and commit it there."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, path / name)
    project = Project(path)
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "A copy")
    return project


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Return a path that is written once: the first worker that wants it makes it for all.

    Not to be changed: copy it.
    """
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    base = tmp_path_factory.getbasetemp()
    shared = base if alone else base.parent

    def make(name: str, write: Callable[[Path], None]) -> Path:
        path, made = shared / name, shared / f"{name}.made"
        with FileLock(shared / f"{name}.lock"):
            if not made.exists():
                write(path)
                made.touch()
        return path

    return make


@pytest.fixture(scope="session")
def trained(made_once: MakeOnce) -> Project:
    """A project after `dvc repro`, its dvc.lock committed."""
    return Project(made_once("trained", _train))


def _train(path: Path) -> None:
    project = copy_of_repository(path)
    project.run("dvc", "repro")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "The first result")


@pytest.fixture(scope="session")
def empty_store(made_once: MakeOnce) -> Path:
    """A tracking store's tables, which take seconds to create."""
    return made_once("empty.db", _create_tables)


def _create_tables(path: Path) -> None:
    from mlflow import MlflowClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MlflowClient(f"sqlite:///{path}").search_experiments()


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """A trained project of the test's own, with an empty tracking store."""
    return trained.copy(tmp_path / "project")


@pytest.fixture
def finished(trained: Project, tmp_path: Path) -> Project:
    """A trained project of the test's own, with the tracking store that `dvc repro` left."""
    return trained.copy_with_store(tmp_path / "project")


# Below those that the kernel gives to clients, and of each worker of the tests its own: a port that
# was free is then not taken by another before the process that it is for listens there.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = count(random.randrange(1000))


def free_port() -> int:
    """Give a port on which nobody listens."""
    while True:
        port = 10_000 + 1000 * (_WORKER % 20) + next(_PORTS) % 1000
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@pytest.fixture(scope="session")
def server_folder(made_once: MakeOnce) -> Path:
    """The addresses of a PostgreSQL and of an `mlflow server` on it, which all workers share."""
    return made_once("server", lambda folder: tracking_server_process.start(folder, free_port()))


@pytest.fixture
def database(server_folder: Path) -> str:
    """An empty database of the test's own."""
    uri, name = (server_folder / "database").read_text(), f"of-{uuid4().hex}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlsplit(uri)._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="session")
def shared_server(server_folder: Path) -> str:
    """A server that other tests use meanwhile: for models and experiments of other names."""
    return (server_folder / "url").read_text()


@pytest.fixture
def tracking_server(shared_server: str, server_folder: Path) -> Iterator[str]:
    """The same, without Pima's experiments and models, which are the test's own while it runs."""
    with FileLock(f"{server_folder}.use"):
        yield shared_server
        put_aside(shared_server)


def put_aside(uri: str) -> None:
    """Rename Pima's experiments and models: a server deletes no experiment for good."""
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    of_pima = "name LIKE 'pima-diabetes%'"
    for experiment in client.search_experiments(filter_string=of_pima):
        client.rename_experiment(experiment.experiment_id, uuid4().hex)
    for model in client.search_registered_models(of_pima):
        client.rename_registered_model(model.name, uuid4().hex)


def wait_until_healthy(server: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    deadline = time.monotonic() + 120  # its four processes import MLflow, each for seconds
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{uri}/health", timeout=1).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.2)
    pytest.fail(f"mlflow server did not start:\n{log.read_text()}")
