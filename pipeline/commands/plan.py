"""Estimate the time and memory of a search.

It is that of params.yaml on this machine, before you start it. A few units are timed on some of the
rows, which takes about half a minute for a large table.
"""

import sys
from pathlib import Path

import click
from tqdm import tqdm

from pipeline.files import json_text
from pipeline.options import path_option
from pipeline.params_file import load
from pipeline.training.choice import name_way
from pipeline.training.plan import Figures, figures, training_search

EXAMPLES = """\b
Examples:
  python -m pipeline plan
  python -m pipeline plan -S grid_search.grid_size=30
  python -m pipeline plan -S grid_search.approximation=nystroem --rows 1000000
"""


def format_plan(plan: Figures) -> str:
    """Write the figures for people."""
    search = tqdm.format_interval(plan.search_seconds)
    limit = tqdm.format_sizeof(plan.memory_limit_bytes, "B")
    refit = tqdm.format_interval(plan.refit_seconds)
    lines = {
        "table": f"{plan.rows} training rows, {plan.features} features",
        "candidates": f"{plan.candidates} on {plan.folds} folds; the best {plan.finalists} on "
        f"{plan.repeats} x {plan.folds}; {plan.fits} fits in all",
        "way": name_way(plan.strategy, plan.components),
        "units": f"{plan.units} (fold, gamma), {plan.at_once} at once",
        "kernels": plan.layout,
        "memory": f"at most {tqdm.format_sizeof(plan.memory_bytes, 'B')} of {limit} allowed",
        "search": f"about {search} (minutes:seconds)",
        "refit": f"about {refit}, with the learning curve",
        "timed": f"{plan.timed_units} units, on up to {plan.timed_rows} rows",
    }
    return "\n".join(f"{name:<12}{text}" for name, text in lines.items())


@click.command(help=__doc__, epilog=EXAMPLES)
@path_option("--params", default="params.yaml")
@click.option(
    "-S",
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of params.yaml for this plan, such as grid_search.grid_size=30.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=10),
    help="Plan as if the table had so many training rows.  [default: those it has]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=20,
    show_default=True,
    help="About how long to time units.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    params: Path, settings: tuple[str, ...], rows: int | None, seconds: float, as_json: bool
) -> None:
    search = training_search(load(params, settings), rows)
    print("timing some units …", file=sys.stderr)
    found = figures(search, rows or len(search.problem.y), seconds)
    if as_json:
        print(json_text(found), end="")
    else:
        print(format_plan(found))
