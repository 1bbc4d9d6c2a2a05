"""Versions that a service follows: registered, promoted and perhaps spoilt."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from serving.following import trial
from serving.predictor import load_model
from tests.running import Service, eventually
from tests.serving.conftest import Registry
from tests.serving.small_model import CONTRACT, write


def promoting(registry: Registry, folder: Path) -> Callable[..., tuple[str, str]]:
    """Return what registers a version that differs by its bias, and lets production name it."""

    def promote(bias: float, spoil=None, **tags) -> tuple[str, str]:
        made = folder / f"made {bias}"
        digest = write(made, CONTRACT, bias)
        if spoil is not None:
            spoil(made)
        return registry.register(made, tags.pop("digest", digest), **tags), digest

    return promote


@pytest.fixture(autouse=True)
def tried_in_this_process(monkeypatch):
    """Try versions by what the process of a trial calls, without starting one for each."""
    monkeypatch.setattr(trial, "_good", set())
    monkeypatch.setattr(trial, "run", lambda folder, digest, _: load_model(folder, digest))


@pytest.fixture
def promote(registry, tmp_path):
    return promoting(registry, tmp_path)


def now_on(running: Service, version: str, digest: str, workers: int) -> None:
    eventually(lambda: running.workers_on(version, digest) == workers)


def truncate(folder: Path) -> None:
    model = folder / "model.onnx"
    model.write_bytes(model.read_bytes()[:-200])


def bloat(folder: Path, times: int = 40_000) -> None:
    """Make the golden predictions so many that checking them takes seconds."""
    golden = msgspec.json.decode((folder / "golden.json").read_bytes())
    many = {key: rows * times for key, rows in golden.items()}
    (folder / "golden.json").write_bytes(msgspec.json.encode(many))
