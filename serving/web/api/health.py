"""Probes. Live: the process answers, whatever it depends on. Ready: it has a model to answer with.

`/healthz` is `/livez`; `/ping` is what MLflow's server and SageMaker call readiness. They need no
key, so they tell nothing of the model; `/version` does.
"""

from flask import Blueprint, Response, jsonify

from serving.web.api import served_model

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
@blueprint.get("/healthz")
def livez() -> Response:
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
@blueprint.get("/ping")
def readyz() -> Response:
    served_model()
    return jsonify({"status": "ready"})
