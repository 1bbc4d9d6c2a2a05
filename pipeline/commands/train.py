"""Run the whole pipeline with an N×N grid.

Short for `python -m pipeline run -S grid_search.grid_size=N`, and so for `dvc exp run` with that
setting: N stands in params.yaml afterwards, and the run in MLflow has the experiment's name. Stages
move only if production is empty; `promote` decides otherwise.
"""

import click

from pipeline.commands.run import run
from pipeline.params import LARGEST_GRID

EXAMPLES = """\b
Example:
  python -m pipeline train 10
"""


@click.command(help=__doc__, epilog=EXAMPLES)
@click.argument("size", metavar="N", type=click.IntRange(1, LARGEST_GRID))
def command(size: int) -> int:
    return run((f"grid_search.grid_size={size}",))
