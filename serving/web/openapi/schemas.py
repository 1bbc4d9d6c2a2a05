"""The contract as JSON Schema: what each protocol takes and gives, for this model."""

import csv
import io
from typing import Any

import msgspec

from serving.explanations import ExplainedAnswer
from serving.formats.tensors import DATATYPES, InferRequest
from serving.model.contract import Contract, Feature
from serving.model.scorer import probability_outputs
from serving.model.validation import listed
from serving.predictor import Answer, ModelInfo
from serving.web.problems import InferenceError, MlflowError, Problem

Schema = dict[str, Any]

SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
REFERENCE = "#/components/schemas/{name}"


class Description(msgspec.Struct, frozen=True):
    """A model for a form; `max_rows` and `max_body` (bytes) are of one request.

    `labels` are the contract's classes as the label of an answer has them. `max_explained` rows can
    be explained at once; none if the version has nothing to explain them with.
    """

    model: ModelInfo
    contract: Contract
    example: dict[str, float | bool | str]
    labels: tuple[str | int | bool, ...]
    max_rows: int
    max_body: int
    max_explained: int


def ref(name: str) -> Schema:
    return {"$ref": REFERENCE.format(name=name)}


def schemas(contract: Contract, max_rows: int, max_explained: int) -> dict[str, Schema]:
    """Return every schema of the document, by name."""
    sent = (
        Answer,
        ExplainedAnswer,
        Description,
        Problem,
        MlflowError,
        InferenceError,
        InferRequest,
    )
    _, found = msgspec.json.schema_components(sent, ref_template=REFERENCE)
    for schema in found.values():
        if "description" in schema:
            schema["description"] = " ".join(schema["description"].split())
    prediction = _prediction(contract)
    found["Prediction"] |= {"properties": prediction, "required": list(prediction)}
    found["Explanation"]["properties"]["class"] = {"enum": list(contract.labels)}
    found["Contribution"]["properties"]["feature"] = {"enum": contract.names}
    found["Tensor"]["properties"]["datatype"] = {"enum": list(DATATYPES)}
    found["Tensor"]["description"] = _tensor(contract)
    found["RequestedOutput"]["properties"]["name"] = {"enum": ["label", "probability"]}
    return {
        **_rows(contract, max_rows, max_explained),
        **found,
        **_mlflow(contract, max_rows),
        **_inference(contract),
        **_service(),
    }


def value_schema(feature: Feature) -> Schema:
    """Return the schema of a feature's JSON values: those that `contract.to_matrix` takes."""
    choices: list[Schema] = [_limits(feature)]
    if feature.missing_values:
        missing = [_plain(value) for value in feature.missing_values]
        choices.append({"enum": missing, "description": "means that the value is missing"})
    if feature.nullable:
        choices.append({"type": "null"})
    notes = [feature.description, feature.unit and f"in {feature.unit}"]
    if feature.unseen != "refuse":
        notes.append(
            f"one of {listed(feature.categories)}; any other is treated as {feature.unseen}"
        )
    if feature.training_range:
        low, high = (_shown(feature, value) for value in feature.training_range)
        notes.append(f"{low} to {high} in training")
    about: Schema = {"description": "; ".join(note for note in notes if note)}
    if feature.unit:
        about["x-unit"] = feature.unit
    return about | (choices[0] if len(choices) == 1 else {"anyOf": choices})


def csv_example(contract: Contract) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    values = contract.example().values()
    writer.writerows(
        [contract.names, [str(v).lower() if isinstance(v, bool) else v for v in values]]
    )
    return text.getvalue()


def _limits(feature: Feature) -> Schema:
    if feature.type == "boolean":
        return {"enum": [True, False, 1, 0]}
    if feature.type == "category":
        some: Schema = {"enum": [*feature.categories, *feature.grouped]}
        return {"type": "string"} | (some if feature.unseen == "refuse" else {})
    if feature.type == "date":
        return {"type": "string", "description": f"a date that is written as {feature.date_format}"}
    limits: Schema = {"type": feature.type}
    if feature.minimum is not None:
        limits["minimum"] = _plain(feature.minimum)
    if feature.maximum is not None:
        limits["maximum"] = _plain(feature.maximum)
    return limits


def _shown(feature: Feature, value: float) -> Any:
    return feature.decode(value) if feature.type == "date" else _plain(value)


def _rows(contract: Contract, max_rows: int, max_explained: int) -> dict[str, Schema]:
    """Return the schemas of one row, of many, and of those that are to be explained.

    No body is both: the value of a row's field is never a list, and neither takes other fields.
    """
    row = _object({feature.name: value_schema(feature) for feature in contract.features})
    row["description"] = "One row: every feature, with null for a missing value"
    rows, explained = (_object({"rows": _list(ref("Row"), n)}) for n in (max_rows, max_explained))
    rows["description"] = "Many rows, answered in their order"
    explained["description"] = "Many rows, answered and explained in their order"
    return {"Row": row, "Rows": rows, "RowsToExplain": explained}


def _prediction(contract: Contract) -> dict[str, Schema]:
    label = {
        "enum": list(contract.labels),
        "description": f"{contract.target}: {', '.join(contract.classes_in_words)}",
    }
    return {
        "label": label,
        **(_probability(contract) if contract.is_binary else _probabilities(contract)),
        "warnings": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Which values training has not seen: those outside its range, and "
            "those that are no category",
        },
    }


def _probability(contract: Contract) -> dict[str, Schema]:
    about = (
        f"Probability that {contract.target} is {contract.classes_in_words[1]}; "
        f"that is the label from the threshold {contract.threshold} on"
    )
    return {"probability": SHARE | {"description": about}}


def _probabilities(contract: Contract) -> dict[str, Schema]:
    pairs = zip(contract.classes, contract.classes_in_words, strict=True)
    by_class = _object({str(value): SHARE | {"description": said} for value, said in pairs})
    about = f"Probability of each class of {contract.target}; the largest is that of the label"
    return {"probabilities": by_class | {"description": about}}


def _outputs(contract: Contract) -> dict[str, Schema]:
    """Return the schemas of the model's outputs after the label."""
    if contract.is_binary:
        return _probability(contract)
    pairs = zip(probability_outputs(contract), contract.classes_in_words, strict=True)
    return {
        name: SHARE | {"description": f"Probability that {contract.target} is {said}"}
        for name, said in pairs
    }


def _mlflow(contract: Contract, max_rows: int) -> dict[str, Schema]:
    """Return the schemas of `/invocations`, which ignores what is no feature, and other keys."""
    values = {feature.name: value_schema(feature) for feature in contract.features}
    record = {"type": "object", "properties": values, "required": contract.names}
    cells = {
        "type": "array",
        "prefixItems": list(values.values()),
        "items": False,
        "minItems": len(values),
    }
    columns = {n: {"anyOf": [value, _list(value, max_rows, 0)]} for n, value in values.items()}
    split = {
        "type": "object",
        "properties": {
            "columns": {"const": contract.names},
            "data": _list(cells, max_rows, 0),
            "index": {"type": "array"},
        },
        "required": ["columns", "data"],
        "additionalProperties": False,
    }
    rows = {"anyOf": [_list(cells, max_rows), _list(record, max_rows)]}
    bodies: dict[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": _list(record, max_rows),
        "instances": rows,
        "inputs": {"anyOf": [{**record, "properties": columns}, *rows["anyOf"]]},
    }
    none: dict[str, bool] = dict.fromkeys(bodies, False)
    one_of = [
        {"type": "object", "properties": {**none, key: body}, "required": [key]}
        for key, body in bodies.items()
    ]
    label = {
        "enum": list(range(len(contract.classes))),
        "description": f"{contract.target}: {_places(contract)}",
    }
    prediction = _object({"label": label, **_outputs(contract)})
    predictions = {"type": "array", "items": prediction}
    return {
        "Invocation": {"oneOf": one_of},
        "Predictions": _object({"predictions": predictions}),
    }


def _places(contract: Contract) -> str:
    """Describe which class is meant by a label that is its place."""
    return ", ".join(f"{place} is {said}" for place, said in enumerate(contract.classes_in_words))


def _tensor(contract: Contract) -> str:
    """Describe categories in the Open Inference Protocol, whose tensors are numbers."""
    said = ["Numbers, or null for a missing value"]
    for feature in contract.features:
        if feature.type == "category":
            codes = [f"{place} is {text}" for place, text in enumerate(feature.categories)]
            if feature.code_count > len(feature.categories):
                codes.append(f"{len(feature.categories)} is any other")
            said.append(f"{feature.name}: {', '.join(codes)}")
        if feature.type == "date":
            said.append(f"{feature.name}: days since 1970-01-01")
    return "; ".join(said)


def _inference(contract: Contract) -> dict[str, Schema]:
    """Return the schemas of what the Open Inference Protocol answers with."""
    text: Schema = {"type": "string"}
    texts: Schema = {"type": "array", "items": text}
    tensor: dict[str, Schema] = {
        "name": text,
        "datatype": {"enum": list(DATATYPES)},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}},
    }
    tensors = {"type": "array", "items": _object(tensor)}
    data = {"type": "array", "items": {"type": "number"}}
    outputs = {"type": "array", "items": _object({**tensor, "data": data})}
    infer = _object({"model_name": text, "model_version": text, "outputs": outputs})
    infer["properties"] = {**infer["properties"], "id": text}
    infer["description"] = f"{contract.target}: label {_places(contract)}"
    metadata = {"name": text, "versions": texts, "platform": text}
    classes = {
        "type": "object",
        "description": "The class that each label means: label_0, label_1 and so on",
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
    }
    tensors_of = {"inputs": tensors, "outputs": tensors}
    return {
        "InferAnswer": infer,
        "Server": _object({"name": text, "version": text, "extensions": texts}),
        "Metadata": _object({**metadata, **tensors_of, "parameters": classes}),
        "ServerLive": _object({"live": {"type": "boolean"}}),
        "ServerReady": _object({"ready": {"type": "boolean"}}),
        "ModelReady": _object({"name": text, "ready": {"type": "boolean"}}),
    }


def _service() -> dict[str, Schema]:
    """Return the schemas of what those who keep the service up are told."""
    maybe: Schema = {"type": ["object", "null"]}
    version: dict[str, Schema] = {
        "model": {**maybe, "description": "The version that answers"},
        "desired": {**maybe, "description": "The version that the registry's stage names"},
        "in_step": {"type": "boolean", "description": "Whether these two are known to be the same"},
        "sync": {**maybe, "description": "How the registry was followed last"},
        "refused": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Versions that must not answer, the latest first",
        },
    }
    return {
        "Live": _object({"status": {"const": "ok"}}),
        "Ready": _object({"status": {"const": "ready"}}),
        "Version": _object(version),
    }


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Schema, most: int, least: int = 1) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _plain(value: float | str) -> float | int | str:
    """Write 20 where a float would read 20.0."""
    return int(value) if isinstance(value, float | int) and float(value).is_integer() else value
