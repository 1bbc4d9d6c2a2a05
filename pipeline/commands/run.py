"""Run the whole pipeline, as `dvc repro` does.

With settings it is a DVC experiment.
"""

import subprocess

import click

from pipeline.lineage.dvc import dvc_command

EXAMPLES = """\b
Examples:
  python -m pipeline run
  python -m pipeline run -S grid_search.grid_size=4 -S seed=7
"""


def run(settings: tuple[str, ...]) -> int:
    return subprocess.run(dvc_command(settings), check=False).returncode


@click.command(help=__doc__, epilog=EXAMPLES)
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
