"""`GET /healthz`: the process lives. `GET /readyz`: it has a model to answer with."""

from flask import Blueprint, Response, jsonify

from serving.answer import model_info
from serving.api import served_model

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    return jsonify({"status": "ready", "model": model_info(served_model())})
