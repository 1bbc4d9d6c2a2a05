"""The Open Inference Protocol (`/v2`), as KServe, MLServer and Triton speak it over REST.

Answers are always JSON, also where a client of Triton's asks for binary ones: it reads both.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

import re
from itertools import chain
from typing import Any

import msgspec
from flask import Blueprint, Response, jsonify, request

from serving.errors import (
    JSON,
    InvalidBodyError,
    MalformedBodyError,
    NotFoundError,
    UnsupportedTypeError,
)
from serving.formats.json_body import check_count, decode
from serving.formats.tensors import InferRequest, to_request, to_rows
from serving.predictor import Scored, ServedModel
from serving.web.api import score_and_count, scored_response, served_model, state
from serving.web.api.other_protocols import answer_400, checked
from serving.web.body import OpenedBody, media_type

NAME = "csv-to-production"
VERSION = "0.1.0"  # of the project, as in pyproject.toml
PLATFORM = "onnxruntime_onnx"  # Triton's name for it
OUTPUTS = {"label": "INT64", "probability": "FP64"}
JSON_LENGTH = "Inference-Header-Content-Length"
LENGTH = re.compile("[0-9]{1,15}")
BESIDE_ROWS = 100  # objects and lists of a request that are not its rows, for each feature
# Triton's clients send no type at all.
TYPES = (JSON, "application/octet-stream", "")

blueprint = Blueprint("inference", __name__, url_prefix="/v2")
blueprint.register_error_handler(InvalidBodyError, answer_400)

_encoder = msgspec.json.Encoder()


class Output(msgspec.Struct, frozen=True):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferAnswer(msgspec.Struct, frozen=True, kw_only=True):
    model_name: str
    model_version: str
    id: str | msgspec.UnsetType = msgspec.UNSET
    outputs: list[Output]


@blueprint.get("")
def server() -> Response:
    return jsonify({"name": NAME, "version": VERSION, "extensions": []})


@blueprint.get("/health/live")
def live() -> Response:
    return jsonify({"live": True})


@blueprint.get("/health/ready")
def ready() -> tuple[Response, int]:
    here = state().served is not None
    return jsonify({"ready": here}), 200 if here else 503


@blueprint.get("/models/<name>/ready")
@blueprint.get("/models/<name>/versions/<version>/ready")
def model_ready(name: str, version: str | None = None) -> Response:
    return jsonify({"name": _model(name, version).version.name, "ready": True})


@blueprint.get("/models/<name>")
@blueprint.get("/models/<name>/versions/<version>")
def metadata(name: str, version: str | None = None) -> Response:
    served = _model(name, version)
    # One tensor [-1, features] of any name is taken as well; the protocol cannot say so.
    inputs = [_described(each, "FP64", [-1, 1]) for each in served.scorer.contract.names]
    classes = len(served.scorer.contract.classes)
    shapes = {"label": [-1], "probability": [-1] if classes == 2 else [-1, classes]}
    outputs = [_described(each, kind, shapes[each]) for each, kind in OUTPUTS.items()]
    found = {"name": name, "versions": [served.version.version], "platform": PLATFORM}
    # The protocol's outputs are tensors of numbers, its parameters texts, numbers and booleans.
    labels = {f"label_{place}": each for place, each in enumerate(served.scorer.contract.labels)}
    return jsonify({**found, "inputs": inputs, "outputs": outputs, "parameters": labels})


@blueprint.post("/models/<name>/infer")
@blueprint.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None = None) -> Response:
    served, settings = _model(name, version), state().settings
    contract = served.scorer.contract
    # Nested tensors have a list for each row, or for each value where they are columns.
    most = (settings.max_rows + BESIDE_ROWS) * len(contract.features)
    _require_type()
    with OpenedBody(request.environ, settings) as body:
        asked, raw = _split(body, most)
        wanted = _wanted(asked)
        check_count(asked.rows, settings.max_rows)
        rows = checked(contract, to_rows(contract, asked, raw), coded=True)
        answer = _encode(served, asked.id, wanted, score_and_count(served, rows))
    return scored_response(served, answer)


def _model(name: str, version: str | None) -> ServedModel:
    """Return the version in force.

    Raises NotFoundError (404) where it is not the one asked for, NoModelError (503) where there is
    none. What is in force is not told: the probes need no key.
    """
    if name != state().settings.model:
        raise NotFoundError("This service answers for another model.")
    served = served_model()
    if version not in (None, served.version.version):
        raise NotFoundError("This version of the model is not the one in force.")
    return served


def _require_type() -> None:
    if media_type(request.environ) not in TYPES:
        raise UnsupportedTypeError(f"Send the tensors with the header Content-Type: {JSON}.")


def _split(body: bytes, most: int) -> tuple[InferRequest, bytes]:
    """Return the request, of at most `most` objects and lists, and the raw bytes behind it."""
    stated = request.headers.get(JSON_LENGTH, str(len(body)))
    if not LENGTH.fullmatch(stated) or int(stated) > len(body):
        raise MalformedBodyError(f"The header {JSON_LENGTH} is no length within the body.")
    length = int(stated)
    return to_request(decode(body[:length], most)), body[length:]


def _wanted(asked: InferRequest) -> list[str]:
    """Return the names of the outputs asked for; none named are all."""
    names = list(dict.fromkeys(output.name for output in asked.outputs or ())) or list(OUTPUTS)
    for name in names:
        if name not in OUTPUTS:
            known = " and ".join(OUTPUTS)
            raise MalformedBodyError(f"There is no output `{name[:80]}`; there are {known}.")
    return names


def _encode(served: ServedModel, id_: str | None, wanted: list[str], scored: Scored) -> bytes:
    values: dict[str, Any] = {"label": scored.labels, "probability": scored.probabilities}
    shapes = {name: [len(scored.labels)] for name in OUTPUTS}
    if scored.by_class is not None:
        values["probability"] = list(chain.from_iterable(scored.by_class))
        shapes["probability"] = [len(scored.labels), len(served.scorer.contract.classes)]
    outputs = [Output(name, shapes[name], OUTPUTS[name], values[name]) for name in wanted]
    version = served.version
    return _encoder.encode(
        InferAnswer(
            model_name=version.name,
            model_version=version.version,
            id=msgspec.UNSET if id_ is None else id_,
            outputs=outputs,
        )
    )


def _described(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}
