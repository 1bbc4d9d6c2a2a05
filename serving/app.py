"""The application factory: where settings, the served version and the endpoints meet."""

from typing import Any

import msgspec
from flask import Flask
from flask.json.provider import JSONProvider

from serving import errors
from serving.answer import Served
from serving.api import EXTENSION, State, health, predict
from serving.config import Settings


class StrictJson(JSONProvider):
    """JSON both ways without NaN, which browsers refuse; encodes msgspec's structs too."""

    def dumps(self, obj: Any, **_: Any) -> str:
        return msgspec.json.encode(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return msgspec.json.decode(s)


class Service(Flask):
    json_provider_class = StrictJson


def create_app(settings: Settings, served: Served | None) -> Flask:
    """Make the WSGI application; without a served version it lives, but is not ready."""
    app = Service("serving", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.extensions[EXTENSION] = State(settings, served)
    errors.init_app(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(predict.blueprint)
    return app
