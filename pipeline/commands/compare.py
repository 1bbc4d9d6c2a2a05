"""Compare two versions: settings, figures, difference.

It says whether one is better by more than chance. A and B are each a version's number, a stage
(staging, production), a run's id or its beginning, or the name of a DVC experiment. Both are scored
anew on their test rows. Nothing is changed.
"""

import sys
from pathlib import Path

import click

from pipeline.files import json_text, write_whole
from pipeline.options import path_option
from pipeline.params_file import load
from pipeline.reports.comparison_report import compared

EXAMPLES = """\b
Examples:
  python -m pipeline compare staging production
  python -m pipeline compare 3 2 --json
  python -m pipeline compare tall-reef production --html compare.html
"""


@click.command(help=__doc__, epilog=EXAMPLES)
@click.argument("a")
@click.argument("b")
@path_option("--params", default="params.yaml")
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one page with plots to this file as well, which needs nothing else.",
)
def command(a: str, b: str, params: Path, as_json: bool, html: Path | None) -> None:
    settings = load(params)
    found = compared(settings, a, b)
    if html is not None:
        write_whole(html, found.page(settings.evaluate.bins).encode())
        print(f"the page is {html}", file=sys.stderr)
    if as_json:
        print(json_text(found.data()), end="")
    else:
        print(found.text())
