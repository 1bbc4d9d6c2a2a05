"""Run the whole pipeline, as `dvc repro` does; with settings, as a DVC experiment.

Example: python -m pipeline run -S grid_search.grid_size=4
"""

import subprocess
import sys

import click


def dvc_command(settings: tuple[str, ...]) -> list[str]:
    """Give the command to run; a setting without a value (`key=`) stays as params.yaml has it."""
    given = [setting for setting in settings if not setting.endswith("=")]
    dvc = [sys.executable, "-m", "dvc"]
    if not given:
        return [*dvc, "repro"]
    return [*dvc, "exp", "run", *(word for setting in given for word in ("-S", setting))]


def run(settings: tuple[str, ...]) -> int:
    return subprocess.run(dvc_command(settings), check=False).returncode


@click.command(help=__doc__)
@click.option(
    "-S",
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of params.yaml for this run, such as grid_search.grid_size=4.",
)
def command(settings: tuple[str, ...]) -> int:
    return run(settings)
