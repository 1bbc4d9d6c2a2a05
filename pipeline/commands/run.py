"""Run the whole pipeline, as `dvc repro` does.

With settings it is a DVC experiment.
"""

import subprocess

import click

from pipeline.errors import PipelineError
from pipeline.lineage.dvc import dvc_command
from pipeline.lineage.dvc_scm import tell_dvc
from pipeline.lineage.git import why_no_commit

EXAMPLES = """\b
Examples:
  python -m pipeline run
  python -m pipeline run -S grid_search.grid_size=4 -S seed=7
"""


def run(settings: tuple[str, ...]) -> int:
    """Return DVC's exit code; raises PipelineError for an experiment where git has no commit."""
    command = dvc_command(settings)
    if "exp" in command and (why := why_no_commit()):
        raise PipelineError(f"an experiment needs a commit of git to start from: {why}")
    tell_dvc()
    return subprocess.run(command, check=False).returncode


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
