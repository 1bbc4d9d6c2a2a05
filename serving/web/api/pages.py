"""The pages for people at `/` and `/docs`, and what they and programs are told of the model.

The pages themselves are the same for everyone and hold nothing of the model: their scripts fetch
`/contract` and `/openapi.json`, with a key where the service asks for one.
"""

from importlib.resources import files
from pathlib import Path

import msgspec
from flask import Blueprint, Response, send_from_directory

from serving.errors import DETAILS, NotFoundError
from serving.predictor import model_info
from serving.web.api import scored_response, served_model, state
from serving.web.openapi.document import describe
from serving.web.openapi.schemas import Description

blueprint = Blueprint("pages", __name__)

OURS = Path(__file__).parents[1]
SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


@blueprint.get("/contract")
def contract() -> Response:
    served, settings = served_model(), state().settings
    contract = served.scorer.contract
    description = Description(
        model_info(served),
        contract,
        contract.example(),
        contract.labels,
        settings.max_rows,
        settings.max_body,
        settings.max_explained if served.scorer.explainer else 0,
    )
    written = {**msgspec.structs.asdict(description), "contract": contract.to_builtins()}
    return scored_response(served, msgspec.json.encode(written))


@blueprint.get("/openapi.json")
def openapi() -> Response:
    served, here = served_model(), state()
    document = describe(
        served.scorer.contract,
        served.version,
        here.settings,
        keys=here.keys is not None,
        explains=served.scorer.explainer is not None,
    )
    return scored_response(served, msgspec.json.encode(document))


@blueprint.get("/")
def index() -> Response:
    return _page(OURS / "templates", "index.html")


@blueprint.get("/docs")
def docs() -> Response:
    return _page(OURS / "templates", "docs.html")


@blueprint.get("/static/<path:name>")
def static(name: str) -> Response:
    return _page(OURS / "static", name)


@blueprint.get("/static/swagger/<name>")
def swagger(name: str) -> Response:
    if name not in SWAGGER:
        raise NotFoundError(DETAILS[404])
    return _page(Path(str(files("flask_swagger_ui") / "dist")), name)


def _page(directory: Path, name: str) -> Response:
    """Send a file with an ETag, to be asked for again each time."""
    if not state().settings.pages:
        raise NotFoundError(DETAILS[404])
    response = send_from_directory(directory, name)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
