"""The HTTP endpoints, and what they share: the exchange under way, and how it is answered."""

from flask import Response, request

from serving.answer import Scored, Served
from serving.errors import JSON
from serving.exchange import Exchange
from serving.formats.reader import Rows
from serving.front import EXCHANGE
from serving.state import State


def exchange() -> Exchange:
    found: Exchange = request.environ[EXCHANGE]
    return found


def state() -> State:
    return exchange().state


def served_model() -> Served:
    """Give the version that answers; raises NoModelError where there is none."""
    return exchange().served_model()


def score_and_count(served: Served, rows: Rows) -> Scored:
    """Predict for rows that the contract allows, for the metrics and the log as well."""
    return exchange().score(served, rows)


def scored_response(served: Served, body: bytes, mimetype: str = JSON) -> Response:
    """Answer with predictions, and say which version made them."""
    return Response(
        body, headers=[("Content-Type", mimetype), ("X-Model-Version", served.version.version)]
    )
