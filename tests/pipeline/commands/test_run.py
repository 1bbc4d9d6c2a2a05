import subprocess
import sys
from types import SimpleNamespace

import pytest

from pipeline.__main__ import main
from pipeline.commands import run
from pipeline.lineage.dvc import dvc_command

DVC = [sys.executable, "-m", "dvc"]


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ((), ["repro"]),
        (("grid_search.grid_size=",), ["repro"]),
        (("seed=1",), ["exp", "run", "-S", "seed=1"]),
        (
            ("seed=1", "grid_search.grid_size=", "name=x"),
            ["exp", "run", "-S", "seed=1", "-S", "name=x"],
        ),
        (("data.target=a=b",), ["exp", "run", "-S", "data.target=a=b"]),
    ],
)
def test_settings_make_an_experiment_and_empty_ones_are_none(settings, command):
    assert dvc_command(settings) == [*DVC, *command]


def test_train_n_is_an_experiment_with_that_grid(monkeypatch):
    asked = []
    done = subprocess.CompletedProcess([], 3)
    dvc = SimpleNamespace(run=lambda command, **_: asked.append(command) or done)
    monkeypatch.setattr(run, "subprocess", dvc)
    assert main(["train", "4"]) == 3
    assert asked == [[*DVC, "exp", "run", "-S", "grid_search.grid_size=4"]]
