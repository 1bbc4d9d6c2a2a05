"""`POST /predict` with `text/csv`: a table in, the same table with its answers out."""

import codecs
from collections.abc import Iterable

from flask import Response, request

from serving.errors import InvalidBodyError, UnsupportedTypeError, invalid_rows
from serving.formats.csv_table import Table, answer_columns, read_table, to_csv, to_rows
from serving.model.contract import Contract
from serving.model.rows import Rows
from serving.model.validation import InvalidRowsError
from serving.predictor import Scored, ServedModel
from serving.web.api import score_and_count, scored_response, state
from serving.web.body import OpenedBody

CSV = "text/csv"


def predict_table(served: ServedModel) -> Response:
    settings, contract = state().settings, served.scorer.contract
    require_charset(contract.table_format.encoding)
    with OpenedBody(request.environ, settings) as body:
        table = read_table(contract, body, settings.max_rows)
        columns = answer_columns(contract, table.header)
        scored = score_and_count(served, rows_of(contract, table))
        return table_response(served, table, columns, scored)


def table_response(
    served: ServedModel,
    table: Table,
    columns: list[str],
    scored: Scored,
    explanations: Iterable[Iterable[float]] = (),
) -> Response:
    """Answer with a table, as it came, and its answers; see `to_csv`."""
    labels = map(served.scorer.contract.classes.__getitem__, scored.labels)
    probabilities = zip(*(scored.by_class or zip(scored.probabilities)), strict=True)
    answer = to_csv(table, columns, labels, probabilities, scored.warnings, explanations)
    return scored_response(served, answer, f"{CSV}; charset=utf-8")


def require_charset(encoding: str = "utf-8") -> None:
    """Raise UnsupportedTypeError where a Content-Type states neither UTF-8 nor this encoding."""
    charset = request.mimetype_params.get("charset", "utf-8")
    try:
        stated = codecs.lookup(charset).name
    except LookupError:
        stated = ""
    if stated not in ("utf-8", "ascii", codecs.lookup(encoding).name):
        raise UnsupportedTypeError("Send the body as UTF-8.")


def rows_of(contract: Contract, table: Table) -> Rows:
    """Return a table's rows; raises InvalidBodyError for none, and if the contract refuses one."""
    if not table.records:
        raise InvalidBodyError("The table has a header, but no rows.")
    try:
        return Rows.of(contract, to_rows(contract, table))
    except InvalidRowsError as error:
        raise invalid_rows(error, batch=True) from error
