"""Write a version's model card.

The card has what it is for, its data, its figures, and how to call it. VERSION is a version's
number, a stage (staging, production), a run's id or its beginning, or the name of a DVC experiment.
Markdown goes to standard output, unless a file is named.
"""

import sys
from pathlib import Path

import click

from pipeline.files import write_whole
from pipeline.options import path_option
from pipeline.params_file import load
from pipeline.registry.references import find_version
from pipeline.reports.card_publisher import facts_of
from pipeline.reports.model_card import markdown, page
from pipeline.tracking.store import open_tracking

EXAMPLES = """\b
Examples:
  python -m pipeline card production
  python -m pipeline card 3 --out MODEL_CARD.md
  python -m pipeline card staging --html card.html
"""


@click.command(help=__doc__, epilog=EXAMPLES)
@click.argument("version")
@path_option("--params", default="params.yaml")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the Markdown to this file instead.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it as one page with its plots to this file, and no Markdown to standard output.",
)
def command(version: str, params: Path, out: Path | None, html: Path | None) -> None:
    settings = load(params)
    with open_tracking(settings.name, create=False) as tracking:
        found = find_version(tracking, settings.name, version)
        facts, images = facts_of(tracking, found, settings.card)
    if html is not None:
        write_whole(html, page(facts, images).encode())
    if out is not None:
        write_whole(out, markdown(facts).encode())
    for path in filter(None, (out, html)):
        print(f"the card of {found} is {path}", file=sys.stderr)
    if out is None and html is None:
        print(markdown(facts), end="")
