"""`POST /invocations`: MLflow's scoring protocol, as `mlflow models serve` speaks it.

Stricter than MLflow's own server: numbers are JSON numbers (no text, no NaN; null is missing),
every row has all values, and no column is given twice. As there, what is no feature is ignored, and
so is what stands beside the one key that holds the rows (`params`, for which no model here asks).

Source: mlflow/pyfunc/scoring_server/__init__.py, and "Deploy MLflow Model as a Local Inference
Server" in MLflow's documentation.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from serving.errors import JSON, InvalidBodyError, MalformedBodyError, UnsupportedTypeError
from serving.formats.csv_table import read_table, to_rows
from serving.formats.json_body import check_count, decode
from serving.model.contract import Contract
from serving.model.scorer import probability_outputs
from serving.predictor import Scored
from serving.web.api import score_and_count, scored_response, served_model, state
from serving.web.api.other_protocols import answer_400, checked
from serving.web.api.predict_csv import CSV, require_charset
from serving.web.body import OpenedBody, media_type

Rows = Sequence[Mapping[str, Any]]

SPLIT, RECORDS = "dataframe_split", "dataframe_records"
KEYS = (SPLIT, RECORDS, "instances", "inputs")
SPLIT_KEYS = {"columns", "data", "index"}
BESIDE_ROWS = 100  # objects and lists of a body that are not its rows: columns, params and the like

blueprint = Blueprint("invocations", __name__)
blueprint.register_error_handler(InvalidBodyError, answer_400)

_encoder = msgspec.json.Encoder()


class Prediction(msgspec.Struct, frozen=True, gc=False):
    label: int
    probability: float


class Predictions(msgspec.Struct, frozen=True):
    predictions: list[Any]


@blueprint.post("/invocations")
def invocations() -> Response:
    served, settings = served_model(), state().settings
    kind = _media_type()
    contract = served.scorer.contract
    read = _read_csv if kind == CSV else _read_json
    with OpenedBody(request.environ, settings) as body:
        rows = checked(contract, read(contract, body, settings.max_rows))
        answer = _encode(contract, score_and_count(served, rows))
    return scored_response(served, answer)


def _media_type() -> str:
    kind = media_type(request.environ)
    if kind not in (JSON, CSV):
        raise UnsupportedTypeError(
            f"Send the rows with the header Content-Type: {JSON} or Content-Type: {CSV}."
        )
    require_charset()
    return kind


def _encode(contract: Contract, scored: Scored) -> bytes:
    """Answer with the model's outputs, as MLflow's server names them."""
    if scored.by_class is None:
        found = map(Prediction, scored.labels, scored.probabilities)
        return _encoder.encode(Predictions(list(found)))
    names = ["label", *probability_outputs(contract)]
    rows = zip(scored.labels, scored.by_class, strict=True)
    several = [dict(zip(names, (label, *row), strict=True)) for label, row in rows]
    return _encoder.encode(Predictions(several))


def _read_csv(contract: Contract, body: bytes, most: int) -> Rows:
    return to_rows(contract, read_table(contract, body, most))


def _read_json(contract: Contract, body: bytes, most: int) -> Rows:
    asked = decode(body, most + BESIDE_ROWS)
    given = [key for key in KEYS if key in asked] if isinstance(asked, dict) else []
    if len(given) != 1:
        raise MalformedBodyError(
            f"The body must be an object with exactly one of {', '.join(KEYS)}."
        )
    key, value = given[0], asked[given[0]]
    if key == SPLIT:
        return _from_split(contract, value, most)
    if key != RECORDS and isinstance(value, dict):
        return _from_columns(contract, key, value, most)
    if not isinstance(value, list) or not value:
        raise MalformedBodyError(f"`{key}` must be a list of rows, and not empty.")
    check_count(len(value), most)
    if key != RECORDS and isinstance(value[0], list):
        return _in_columns(contract, contract.names, value)
    return _from_records(contract, key, value)


def _from_split(contract: Contract, value: Any, most: int) -> Rows:
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys() <= SPLIT_KEYS:
        raise MalformedBodyError(f"`{SPLIT}` must be an object with columns, data and maybe index.")
    columns, data, index = value["columns"], value["data"], value.get("index")
    if not isinstance(columns, list) or not isinstance(data, list):
        raise MalformedBodyError(f"`columns` and `data` of `{SPLIT}` must be lists.")
    if index is not None and (not isinstance(index, list) or len(index) != len(data)):
        raise MalformedBodyError(f"`index` of `{SPLIT}` must be a list as long as `data`.")
    check_count(len(data), most)
    _require(contract, columns)
    return _in_columns(contract, columns, data)


def _in_columns(contract: Contract, columns: list[str], data: list[Any]) -> Rows:
    for number, row in enumerate(data, start=1):
        if not isinstance(row, list) or len(row) != len(columns):
            raise MalformedBodyError(f"Row {number} is not a list of {len(columns)} values.")
    places = [(name, columns.index(name)) for name in contract.names]
    return [{name: row[place] for name, place in places} for row in data]


def _from_records(contract: Contract, key: str, value: list[Any]) -> Rows:
    for number, row in enumerate(value, start=1):
        if not isinstance(row, dict):
            raise MalformedBodyError(f"Row {number} of `{key}` is not an object.")
    # As in a DataFrame of records: what one of them has is missing where another lacks it.
    given = [name for name in contract.names if any(name in row for row in value)]
    _require(contract, given)
    return [{name: row.get(name) for name in given} for row in value]


def _from_columns(contract: Contract, key: str, value: dict[str, Any], most: int) -> Rows:
    _require(contract, list(value))
    columns = [value[name] for name in contract.names]
    lengths = {len(column) for column in columns if isinstance(column, list)}
    if len(lengths) > 1:
        raise MalformedBodyError(f"The columns of `{key}` are not of the same length.")
    # A value that is no list stands for all rows, and for one where there is no list at all.
    count = lengths.pop() if lengths else 1
    check_count(count, most)
    lists = [column if isinstance(column, list) else [column] * count for column in columns]
    return [dict(zip(contract.names, row, strict=True)) for row in zip(*lists, strict=True)]


def _require(contract: Contract, given: list[Any]) -> None:
    names = contract.names
    counts = Counter(name for name in given if isinstance(name, str))
    missing = [name for name in names if name not in counts]
    if missing:
        lacking, taken = ", ".join(missing), ", ".join(names)
        raise MalformedBodyError(f"Not given: {lacking}. This model takes {taken}.")
    for name in names:
        if counts[name] > 1:
            raise MalformedBodyError(f"The column {name} is given twice.")
