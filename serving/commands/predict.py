"""`predict`: answer for one row at the terminal, and say why."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from serving.commands.current import load_current
from serving.commands.explanation_bars import to_lines
from serving.commands.row_arguments import to_row
from serving.config import Settings, read_settings
from serving.errors import FailedError, invalid_rows
from serving.explanations import (
    ExplainedAnswer,
    class_place,
    explain,
    explainer_of,
    to_explained_answer,
)
from serving.model.rows import Rows
from serving.model.validation import InvalidRowsError
from serving.predictor import Answer, ServedModel, score, to_answer

WIDEST = 100  # columns: longer bars say no more
EXAMPLES = """\b
Examples:
  python -m serving predict 6 148 72 35 0 33.6 0.627 50
  python -m serving predict --explain 6 148 72 35 0 33.6 0.627 50
  python -m serving predict --explain --json 6 148 72 35 0 33.6 0.627 50
"""


@click.command(context_settings={"ignore_unknown_options": True}, epilog=EXAMPLES)
@click.option("--offline", is_flag=True, help="Answer from the store; do not ask the registry.")
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Print as well how much each feature raises or lowers the log-odds.",
)
@click.option(
    "--class",
    "class_name",
    help="The class to explain: the positive one by default, of more than two the predicted one.",
)
@click.option("--json", "as_json", is_flag=True, help="Explain in JSON alone, as POST /explain.")
@click.argument("values", nargs=-1, required=True, type=click.UNPROCESSED)
def predict(
    values: tuple[str, ...], offline: bool, explained: bool, class_name: str | None, as_json: bool
) -> None:
    """Answer for one row at the terminal, as POST /predict does.

    VALUES stand in the model's order, or as Name=value. `null` or `-` is missing.
    """
    for option, given in (("--class", class_name is not None), ("--json", as_json)):
        if given and not explained:
            raise click.UsageError(f"{option} is for an explanation: give --explain as well.")
    settings = read_settings()
    served = load_current(settings, offline)
    rows = _rows(served, values)
    if not explained:
        _print_json(to_answer(served, score(served, rows)))
        return
    found = _explain(settings, served, rows, class_name)
    if as_json:
        _print_json(found)
        return
    _print_json(Answer(found.predictions, found.model))
    width = min(WIDEST, shutil.get_terminal_size().columns)
    contract, (explanation,) = served.scorer.contract, found.explanations
    for line in ["", *to_lines(contract, explanation, found.background, width)]:
        # Left to itself, click writes UTF-8 to a console that knows ASCII alone.
        click.echo(line, file=sys.stdout)


def _rows(served: ServedModel, words: Sequence[str]) -> Rows:
    contract = served.scorer.contract
    try:
        return Rows.of(contract, [to_row(contract, words)])
    except InvalidRowsError as error:
        raise invalid_rows(error, batch=False) from error


def _explain(
    settings: Settings, served: ServedModel, rows: Rows, class_name: str | None
) -> ExplainedAnswer:
    explainer_of(served)
    place = class_place(served.scorer.contract, class_name)
    scored = score(served, rows)
    try:
        parts = explain(served, rows.values, scored, place, settings.max_products)
    except FailedError as error:
        raise click.ClickException(
            f"What explains {served.version} does not make up its answer: promote another version."
        ) from error
    return to_explained_answer(served, rows, scored, parts)


def _print_json(content: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(content), indent=2).decode())
