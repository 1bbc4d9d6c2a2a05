"""Small real models and a real registry for the service's tests."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serving.config import Settings
from serving.model.contract import Contract
from serving.model.version_files import DIGEST_TAG
from serving.predictor import ServedModel, load_served
from serving.receipts.receipt import RECEIPT_TAG, SIGNATURE_TAG, Gate, Receipt, digest_of, path_of
from serving.receipts.signing import sign
from serving.store import versions
from serving.store.versions import Version
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.conftest import ROOT
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
    versions.adopt(settings.store, tmp_path / "made", version)
    versions.switch(settings.store, version)
    return version


@pytest.fixture
def served(settings: Settings, stored: Version) -> ServedModel:
    return load_served(settings)


@pytest.fixture
def command_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """Let the service's commands run in a folder and with a store of this test."""
    for name in [name for name in os.environ if name.startswith(("SERVING_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("SERVING_MODEL", "heart")
    monkeypatch.setenv("SERVING_STORE", str(settings.store))


def write_receipt(
    source: Path, digest: str, verdict: Any, key: bytes | None = None, model: str = NAME
) -> dict[str, str]:
    """Put a receipt among a version's files, and give the tags that name it."""
    gates = (Gate("max_brier", verdict == "passed", "it is so", 0.1, 0.2),)
    forced = {"forced_by": "ann@desk", "reason": "it is urgent"} if verdict == "forced" else {}
    receipt = Receipt(
        model=model, digest=digest, inputs={}, gates=gates, verdict=verdict, **forced
    ).to_json()
    found = digest_of(receipt)
    path = source / path_of(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(receipt)
    signature = {SIGNATURE_TAG: sign(key, found, digest)} if key else {}
    return {RECEIPT_TAG: found, **signature}


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
        key: bytes | None = None,
    ) -> str:
        """Register a version, with a receipt of this verdict where `gates` gives one."""
        client = self.client()
        if not client.search_registered_models():
            client.create_registered_model(NAME)
        tags = {} if digest is None else {DIGEST_TAG: digest}
        if gates is not None:
            tags |= write_receipt(source, digest or "", gates, key)
        version = str(client.create_model_version(NAME, str(source), tags=tags).version)
        if alias is not None:
            client.set_registered_model_alias(NAME, alias, version)
        return version


@pytest.fixture
def registry(empty_store: Path, tmp_path: Path) -> Registry:
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    return Registry(tmp_path / "mlflow.db")


@pytest.fixture
def app(settings: Settings, served: ServedModel) -> Flask:
    return create_app(State(settings, served, None, Metrics()))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def client_without_model(settings: Settings) -> FlaskClient:
    return create_app(State(settings, None, None, Metrics())).test_client()
