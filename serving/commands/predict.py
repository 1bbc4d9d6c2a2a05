"""`predict`: answer for one row at the terminal."""

from collections.abc import Sequence

import click
import msgspec

from serving.commands.current import load_current
from serving.commands.row_arguments import to_row
from serving.config import read_settings
from serving.errors import invalid_rows
from serving.model.validation import InvalidRowsError
from serving.predictor import Answer, ServedModel, answer


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="Example: python -m serving predict 6 148 72 35 0 33.6 0.627 50",
)
@click.option("--offline", is_flag=True, help="Answer from the store; do not ask the registry.")
@click.argument("values", nargs=-1, required=True, type=click.UNPROCESSED)
def predict(values: tuple[str, ...], offline: bool) -> None:
    """Answer for one row at the terminal, as POST /predict does.

    VALUES stand in the model's order, or as Name=value. `null` or `-` is missing.
    """
    served = load_current(read_settings(), offline)
    body = msgspec.json.encode(_answer(served, values))
    click.echo(msgspec.json.format(body, indent=2).decode())


def _answer(served: ServedModel, words: Sequence[str]) -> Answer:
    try:
        return answer(served, [to_row(served.scorer.contract, words)])
    except InvalidRowsError as error:
        raise invalid_rows(error, batch=False) from error
