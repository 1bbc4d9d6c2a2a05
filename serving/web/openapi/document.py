"""The OpenAPI document of the service, made from the contract of the model that answers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from serving.config import Settings
from serving.errors import JSON
from serving.model.contract import Contract
from serving.model.rows import to_matrix
from serving.store.versions import Version
from serving.web.openapi.schemas import Schema, csv_example, ref, schemas
from serving.web.permissions import Needs, route_of
from serving.web.problems import PROBLEM_JSON

CSV = "text/csv"
TEXT: Schema = {"type": "string"}
PREDICT, MLFLOW, INFERENCE, OPERATION = "Predict", "MLflow", "Open Inference Protocol", "Operation"
ERRORS = {MLFLOW: (JSON, "MlflowError"), INFERENCE: (JSON, "InferenceError")}
BODY = (400, 408, 413, 415)  # what any body may come to
STATUSES = {
    400: "The request cannot be read, or is none of this protocol's",
    401: "There is no key, or it is not one of this service's",
    403: "The key lacks the role for this",
    404: "The model, or the version, is not the one that answers",
    408: "The body did not arrive in time",
    413: "The body is too large, or has too many rows",
    415: "The body has a type or an encoding that is not taken",
    422: "Rows break the contract; `errors` points to the fields, to ten at most",
    503: "There is no model to answer with, or too much to do at once",
}
HEADERS = {
    "X-Request-ID": {"description": "The request's own, or a new one", "schema": TEXT},
    "X-Model-Version": {"description": "The version that answers", "schema": TEXT},
    "Retry-After": {"description": "Seconds", "schema": {"type": "integer"}},
}
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class Operation(NamedTuple):
    """An address; `gives` and `takes` have a media type's schema and examples by its name.

    `query` has what may stand behind the address, described. `versioned`: its answer says which
    version made it. `probe`: its 503 is an answer like its 200.
    """

    path: str
    name: str
    tag: str
    summary: str
    gives: Mapping[str, Any]
    takes: Mapping[str, Any] | None = None
    refuses: Sequence[int] = ()
    versioned: bool = False
    probe: bool = False
    query: Mapping[str, Any] = {}


def describe(
    contract: Contract, version: Version, settings: Settings, *, keys: bool, explains: bool = False
) -> dict[str, Any]:
    """Describe the service that answers with this version; `keys`: whether it asks for them.

    `explains`: whether the version has what explanations need.
    """
    explained = [_of_explanations(contract, settings)] if explains else []
    operations = [*_of_rows(contract), *explained, *_of_tensors(contract), *_of_the_service()]
    components: Schema = {"schemas": schemas(contract, settings.max_rows, settings.max_explained)}
    if keys:
        components["securitySchemes"] = SECURITY_SCHEMES
    return {
        "openapi": "3.1.0",
        "info": {
            "title": version.name,
            "version": version.version,
            "description": (
                f"Estimates how probable {_estimated(contract)}. "
                f"A request has at most {settings.max_rows} rows and {settings.max_body} bytes, "
                "also once decompressed where it comes with `Content-Encoding: gzip`."
            ),
        },
        "tags": [{"name": name} for name in (PREDICT, MLFLOW, INFERENCE, OPERATION)],
        "paths": {each.path: _path(each, version, settings, keys=keys) for each in operations},
        "components": components,
    }


def _estimated(contract: Contract) -> str:
    if contract.is_binary:
        return f"it is that {contract.target} is {contract.classes_in_words[1]}"
    return f"each class of {contract.target} is"


def _taken(contract: Contract, many: str = "Rows") -> dict[str, Any]:
    """Describe the bodies that hold rows; `many` is the schema of several."""
    row = contract.example()
    examples = {"one": {"value": row}, "many": {"value": {"rows": [row, row]}}}
    return {
        JSON: {"schema": {"oneOf": [ref("Row"), ref(many)]}, "examples": examples},
        CSV: {"schema": TEXT, "example": csv_example(contract)},
    }


def _of_explanations(contract: Contract, settings: Settings) -> Operation:
    default = "the positive one" if contract.is_binary else "the predicted one"
    explained_class = {
        "description": f"The class whose log-odds are explained, instead of {default}",
        "schema": {"enum": [str(value) for value in contract.classes]},
    }
    return Operation(
        "/explain",
        "explain",
        PREDICT,
        "Predict as `/predict` does, and say how much each feature raises or lowers the log-odds "
        f"of a class: exact Shapley values, for at most {settings.max_explained} rows",
        takes=_taken(contract, "RowsToExplain"),
        gives={JSON: {"schema": ref("ExplainedAnswer")}, CSV: {"schema": TEXT}},
        refuses=(*BODY, 422, 503),
        versioned=True,
        query={"class": explained_class},
    )


def _of_rows(contract: Contract) -> list[Operation]:
    row = contract.example()
    taken = _taken(contract)
    return [
        Operation(
            "/predict",
            "predict",
            PREDICT,
            "Predict for one row, for many, or for a table, which comes back with its answers",
            takes=taken,
            gives={JSON: {"schema": ref("Answer")}, CSV: {"schema": TEXT}},
            refuses=(*BODY, 422, 503),
            versioned=True,
        ),
        Operation(
            "/contract",
            "contract",
            PREDICT,
            "What the model takes: its features, their limits, an example",
            gives=_json("Description"),
            refuses=(503,),
            versioned=True,
        ),
        Operation(
            "/invocations",
            "invocations",
            MLFLOW,
            "Predict as MLflow's own server does; other columns than the features are ignored",
            takes={
                JSON: {"schema": ref("Invocation"), "example": {"dataframe_records": [row]}},
                CSV: taken[CSV],
            },
            gives=_json("Predictions"),
            refuses=(*BODY, 503),
            versioned=True,
        ),
    ]


def _of_tensors(contract: Contract) -> list[Operation]:
    values = to_matrix(contract, [contract.example()])[0].tolist()
    tensor = {"name": "features", "shape": [1, len(values)], "datatype": "FP64", "data": values}
    model = "/v2/models/{name}"
    found = [
        Operation("/v2", "server", INFERENCE, "Which server this is", _json("Server")),
        Operation("/v2/health/live", "live", INFERENCE, "It lives", _json("ServerLive")),
        Operation(
            "/v2/health/ready",
            "ready",
            INFERENCE,
            "It has a model to answer with",
            gives=_json("ServerReady"),
            probe=True,
        ),
    ]
    for path, of in ((model, "model"), (model + "/versions/{version}", "version")):
        found += [
            Operation(
                path,
                f"{of}Metadata",
                INFERENCE,
                "The tensors that it takes and gives",
                gives=_json("Metadata"),
                refuses=(404, 503),
            ),
            Operation(
                f"{path}/ready",
                f"{of}Ready",
                INFERENCE,
                "It answers",
                gives=_json("ModelReady"),
                refuses=(404, 503),
            ),
            Operation(
                f"{path}/infer",
                f"{of}Infer",
                INFERENCE,
                "Predict for a tensor [rows, features], or for a tensor [rows] of each feature",
                takes={JSON: {"schema": ref("InferRequest"), "example": {"inputs": [tensor]}}},
                gives=_json("InferAnswer"),
                refuses=(*BODY, 404, 503),
                versioned=True,
            ),
        ]
    return found


def _of_the_service() -> list[Operation]:
    live, ready = "The process lives", "It has a model to answer with"
    figures = {"text/plain": {"schema": TEXT}}
    return [
        Operation("/livez", "livez", OPERATION, live, _json("Live")),
        Operation("/healthz", "healthz", OPERATION, live, _json("Live")),
        Operation("/readyz", "readyz", OPERATION, ready, _json("Ready"), refuses=(503,)),
        Operation("/ping", "ping", OPERATION, ready, _json("Ready"), refuses=(503,)),
        Operation("/version", "version", OPERATION, "What answers, and should", _json("Version")),
        Operation("/metrics", "metrics", OPERATION, "Figures for Prometheus", figures),
    ]


def _path(each: Operation, version: Version, settings: Settings, *, keys: bool) -> dict[str, Any]:
    """Write an address down, with what it asks for and whatever it may answer."""
    needs = route_of(each.path).needs
    closed = keys and needs is not Needs.NOTHING
    refused = {*each.refuses, *((401,) if closed else ())}
    if closed and needs is not Needs.ANY_KEY:
        refused.add(403)
    if settings.trusted_hosts and not route_of(each.path).probe:
        refused.add(400)
    headers = ["X-Request-ID", *(["X-Model-Version"] if each.versioned else [])]
    given = _response("An answer", each.gives, headers)
    errors = {str(status): _error(each.tag, status) for status in sorted(refused)}
    if each.probe:
        errors["503"] = {**given, "description": STATUSES[503]}
    operation: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.tag],
        "summary": each.summary,
        "responses": {"200": given, **errors},
    }
    if each.takes is not None:
        operation["requestBody"] = {"required": True, "content": each.takes}
    if closed:
        operation["security"] = [{scheme: []} for scheme in SECURITY_SCHEMES]
        if needs is not Needs.ANY_KEY:
            operation["description"] = f"Needs a key with the role `{needs.value}`."
    allowed = {"name": version.name, "version": version.version}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"enum": [allowed[name]]}}
        for name in re.findall(r"\{(\w+)\}", each.path)
    ]
    parameters += [{"name": name, "in": "query", **about} for name, about in each.query.items()]
    path: dict[str, Any] = {"get" if each.takes is None else "post": operation}
    return {"parameters": parameters, **path} if parameters else path


def _error(tag: str, status: int) -> dict[str, Any]:
    mimetype, name = ERRORS.get(tag, (PROBLEM_JSON, "Problem"))
    headers = ["X-Request-ID", *(["Retry-After"] if status == 503 else [])]
    return _response(STATUSES[status], {mimetype: {"schema": ref(name)}}, headers)


def _response(
    description: str, content: Mapping[str, Any], headers: Sequence[str]
) -> dict[str, Any]:
    described = {name: HEADERS[name] for name in headers}
    return {"description": description, "content": content, "headers": described}


def _json(name: str) -> dict[str, Any]:
    return {JSON: {"schema": ref(name)}}
