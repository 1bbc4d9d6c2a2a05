"""The command `score` in a folder of its own, with a small model in the store."""

from collections.abc import Callable

import pytest

from serving.__main__ import main

Score = Callable[..., int]


@pytest.fixture(autouse=True)
def _environment(command_environment):
    """As for each command."""


@pytest.fixture
def score(stored) -> Score:
    """Score a file as the command line does, with the version in the store."""
    return lambda *words: main(["score", "--offline", *map(str, words)])
