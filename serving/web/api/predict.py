"""`POST /predict`: rows as JSON or as a CSV table, answered alike."""

from typing import Any

import msgspec
from flask import Blueprint, Response, request

from serving.errors import JSON, UnsupportedTypeError
from serving.formats.json_body import read_rows
from serving.predictor import to_answer
from serving.web.api import current_request, scored_response, served_model
from serving.web.api.predict_csv import CSV, predict_table
from serving.web.body import OpenedBody, media_type
from serving.web.request_context import RequestContext

blueprint = Blueprint("predict", __name__)

_encoder = msgspec.json.Encoder()


@blueprint.post("/predict")
def predict() -> Response:
    kind = media_type(request.environ)
    if kind == JSON:
        return scored_response(served_model(), answer_json(current_request(), request.environ))
    if kind == CSV:
        return predict_table(served_model())
    raise UnsupportedTypeError(
        f"Send the rows as JSON, with the header Content-Type: {JSON}, "
        f"or as a table, with Content-Type: {CSV}."
    )


def answer_json(exchange: RequestContext, environ: dict[str, Any]) -> bytes:
    """Answer JSON with JSON; knows nothing of Flask, so that the front can call it at once."""
    served, settings = exchange.served_model(), exchange.state.settings
    with OpenedBody(environ, settings) as body:
        rows = read_rows(served.reader, body, settings.max_rows)
        return _encoder.encode(to_answer(served, exchange.score(served, rows)))
