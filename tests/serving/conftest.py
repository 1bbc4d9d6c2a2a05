"""Small real models and a real registry for the service's tests."""

import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serving import store
from serving.answer import Served, load_served
from serving.app import create_app
from serving.config import Settings
from serving.contract import Contract
from serving.metrics import Metrics
from serving.state import State
from serving.store import Version
from tests.serving.small_model import CONTRACT, NAME, write

MakeModel = Callable[..., str]


@pytest.fixture
def contract() -> Contract:
    return CONTRACT


@pytest.fixture
def make_model(contract: Contract) -> MakeModel:
    """Write a version's files into a folder and give its digest; `bias` makes versions differ."""
    return lambda directory, bias=0.0: write(directory, contract, bias)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(model=NAME, store=tmp_path / "store", max_rows=20, max_body=100_000)


@pytest.fixture
def stored(settings: Settings, make_model: MakeModel, tmp_path: Path) -> Version:
    """Put a version in the store, and in force."""
    digest = make_model(tmp_path / "made")
    version = Version(NAME, "1", "production", digest)
    store.adopt(settings.store, tmp_path / "made", version)
    store.switch(settings.store, version)
    return version


@pytest.fixture
def served(settings: Settings, stored: Version) -> Served:
    return load_served(settings)


@dataclass
class Registry:
    """A real MLflow registry in a sqlite file."""

    path: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.path}"

    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)

    def register(
        self,
        source: Path,
        digest: str | None,
        alias: str | None = "production",
        gates: str | None = "passed",
    ) -> str:
        client = self.client()
        if not client.search_registered_models():
            client.create_registered_model(NAME)
        given = {"digest": digest, "gates": gates}
        tags = {key: value for key, value in given.items() if value is not None}
        version = str(client.create_model_version(NAME, str(source), tags=tags).version)
        if alias is not None:
            client.set_registered_model_alias(NAME, alias, version)
        return version


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the tables once: it takes seconds."""
    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Registry(path).client().search_registered_models()
    return path


@pytest.fixture
def registry(empty_registry: Path, tmp_path: Path) -> Registry:
    shutil.copyfile(empty_registry, tmp_path / "mlflow.db")
    return Registry(tmp_path / "mlflow.db")


@pytest.fixture
def app(settings: Settings, served: Served) -> Flask:
    return create_app(State(settings, served, None, Metrics()))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def client_without_model(settings: Settings) -> FlaskClient:
    return create_app(State(settings, None, None, Metrics())).test_client()
