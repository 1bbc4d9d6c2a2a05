"""The application factory: where state, endpoints and the front meet."""

from typing import Any

import msgspec
from flask import Flask, Response, request
from flask.json.provider import JSONProvider
from werkzeug.exceptions import HTTPException

from serving.errors import ServingError
from serving.web.api import (
    explain,
    health,
    invocations,
    open_inference,
    operations,
    pages,
    predict,
)
from serving.web.middleware import Middleware
from serving.web.problems import ErrorAnswer, error_answer, http_error_answer
from serving.web.worker_state import State

BLUEPRINTS = (
    health.blueprint,
    operations.blueprint,
    predict.blueprint,
    explain.blueprint,
    invocations.blueprint,
    open_inference.blueprint,
    pages.blueprint,
)

SHORTCUTS = {"/predict": predict.answer_json}


class StrictJson(JSONProvider):
    """JSON both ways without NaN, which browsers refuse; encodes msgspec's structs too."""

    def dumps(self, obj: Any, **_: Any) -> str:
        return msgspec.json.encode(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return msgspec.json.decode(s)


class Service(Flask):
    json_provider_class = StrictJson


def create_app(state: State) -> Flask:
    """Make the WSGI application; without a served version it lives, but is not ready."""
    app = Service("serving.web", static_folder=None)
    app.register_error_handler(ServingError, lambda e: _response(error_answer(request.path, e)))
    app.register_error_handler(
        HTTPException, lambda e: _response(http_error_answer(request.path, e))
    )
    # `//predict` would be redirected, to wherever the header Host says.
    app.url_map.merge_slashes = False
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.wsgi_app = Middleware(app.wsgi_app, state, SHORTCUTS)  # type: ignore[method-assign]
    return app


def _response(answer: ErrorAnswer) -> Response:
    return Response(answer.body, answer.status, answer.headers)
