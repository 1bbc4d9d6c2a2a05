"""The HTTP endpoints, and what they share: the request under way, and how it is answered."""

from flask import Response, request

from serving.errors import JSON
from serving.model.rows import Rows
from serving.predictor import Scored, ServedModel
from serving.web.middleware import EXCHANGE
from serving.web.request_context import RequestContext
from serving.web.worker_state import State


def current_request() -> RequestContext:
    found: RequestContext = request.environ[EXCHANGE]
    return found


def state() -> State:
    return current_request().state


def served_model() -> ServedModel:
    """Return the version that answers; raises NoModelError where there is none."""
    return current_request().served_model()


def score_and_count(served: ServedModel, rows: Rows) -> Scored:
    """Predict for rows that the contract allows, for the metrics and the log as well."""
    return current_request().score(served, rows)


def scored_response(served: ServedModel, body: bytes, mimetype: str = JSON) -> Response:
    """Answer with predictions, and say which version made them."""
    return Response(
        body, headers=[("Content-Type", mimetype), ("X-Model-Version", served.version.version)]
    )
