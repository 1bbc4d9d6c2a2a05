"""The command `score` in a folder of its own, with a small model in the store."""

import os
from collections.abc import Callable

import pytest

from serving.__main__ import main
from tests.conftest import ROOT

Score = Callable[..., int]


@pytest.fixture(autouse=True)
def _environment(tmp_path, monkeypatch, settings):
    for name in [name for name in os.environ if name.startswith(("SERVING_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("SERVING_MODEL", "heart")
    monkeypatch.setenv("SERVING_STORE", str(settings.store))


@pytest.fixture
def score(stored) -> Score:
    """Score a file as the command line does, with the version in the store."""
    return lambda *words: main(["score", "--offline", *map(str, words)])
