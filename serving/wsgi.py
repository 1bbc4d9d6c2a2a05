"""What gunicorn's workers load: the application with the store's current version."""

from flask import Flask

from serving.answer import load_served
from serving.app import create_app
from serving.config import read_settings
from serving.errors import NoModelError
from serving.scorer import ModelError


def load_app() -> Flask:
    """Load what the store holds; what cannot answer is logged, and the service is not ready."""
    settings = read_settings()
    try:
        return create_app(settings, load_served(settings))
    except (NoModelError, ModelError) as error:
        app = create_app(settings, None)
        app.logger.warning("not ready: %s", error)
        return app


app = load_app()
