"""`POST /explain`: rows as `/predict` takes them, with their answers and what made these."""

from functools import partial

import msgspec
from flask import Blueprint, Response, request

from serving.errors import JSON, UnsupportedTypeError
from serving.explanations import class_place, explain, to_explained_answer
from serving.formats.csv_table import answer_columns, read_table
from serving.formats.json_body import read_rows
from serving.model.explained_class import Parts
from serving.model.rows import Rows
from serving.predictor import Scored, ServedModel
from serving.web.api import current_request, score_and_count, scored_response, served_model, state
from serving.web.api.predict_csv import CSV, require_charset, rows_of, table_response
from serving.web.body import OpenedBody, media_type

blueprint = Blueprint("explain", __name__)


@blueprint.post("/explain")
def explain_rows() -> Response:
    kind = media_type(request.environ)
    if kind == JSON:
        return _explain_json(served_model())
    if kind == CSV:
        return _explain_table(served_model())
    raise UnsupportedTypeError(
        f"Send the rows as JSON, with the header Content-Type: {JSON}, "
        f"or as a table, with Content-Type: {CSV}."
    )


def _explain_json(served: ServedModel) -> Response:
    settings = state().settings
    with OpenedBody(request.environ, settings) as body:
        rows = read_rows(served.reader, body, settings.max_explained)
    scored, parts = _explained(served, rows)
    answer = to_explained_answer(served, rows, scored, parts)
    return scored_response(served, msgspec.json.encode(answer))


def _explain_table(served: ServedModel) -> Response:
    settings, contract = state().settings, served.scorer.contract
    require_charset(contract.table_format.encoding)
    with OpenedBody(request.environ, settings) as body:
        table = read_table(contract, body, settings.max_explained)
    columns = answer_columns(contract, table.header, explained=True)
    scored, parts = _explained(served, rows_of(contract, table))
    return table_response(served, table, columns, scored, parts.columns.tolist())


def _explained(served: ServedModel, rows: Rows) -> tuple[Scored, Parts]:
    """Answer rows, and take the answers apart while other requests go on."""
    here, exchange = state(), current_request()
    place = class_place(served.scorer.contract, request.args.get("class"))
    scored = score_and_count(served, rows)
    until = exchange.started + here.settings.deadline
    products = here.settings.max_products
    work = partial(explain, served, rows.values, scored, place, products, until=until)
    return scored, here.explaining.run(work, request.environ, until)
