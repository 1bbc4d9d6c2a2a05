"""Tensors of the Open Inference Protocol -> rows as the contract takes them.

Rows come either as one tensor `[rows, features]` of any name, in the contract's order, or as one
tensor `[rows]` or `[rows, 1]` for each feature, of its name. Values stand in the JSON, flat
(row-major) or nested, where null is missing; or as raw bytes behind it, where NaN is (Triton's
binary tensor data extension). All are numbers: a category is the place of its text, from 0.

Sources: kserve/open-inference-protocol, specification/protocol/inference_rest.md; Triton's
docs/protocol/extension_binary_data.md.
"""

from collections import Counter
from itertools import chain
from math import prod
from typing import Annotated, Any

import msgspec
import numpy as np

from serving.errors import MalformedBodyError
from serving.model.contract import Contract

# The datatypes that hold numbers, each as numpy calls its little-endian bytes.
DATATYPES = {
    "BOOL": "?",
    **{f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}
BINARY_SIZE = "binary_data_size"

Length = Annotated[int, msgspec.Meta(ge=0)]
Parameters = dict[str, Any] | None
Row = dict[str, Any]


class Tensor(msgspec.Struct):
    name: str
    shape: Annotated[list[Length], msgspec.Meta(min_length=1, max_length=2)]
    datatype: str
    parameters: Parameters = None
    data: list[Any] | None = None

    def __str__(self) -> str:
        return f"The tensor `{self.name[:80]}`"


class RequestedOutput(msgspec.Struct):
    name: str
    parameters: Parameters = None


class InferRequest(msgspec.Struct):
    """A request; for what is optional, clients send null as well."""

    inputs: Annotated[list[Tensor], msgspec.Meta(min_length=1)]
    id: str | None = None
    parameters: Parameters = None
    outputs: list[RequestedOutput] | None = None

    @property
    def rows(self) -> int:
        return self.inputs[0].shape[0]


def to_request(value: Any) -> InferRequest:
    """Read a request from decoded JSON; raises MalformedBodyError."""
    try:
        return msgspec.convert(value, InferRequest)
    except msgspec.ValidationError as error:
        detail = str(error)
        raise MalformedBodyError(
            f"The request is not as the protocol has it: {detail[:1].lower()}{detail[1:]}."
        ) from error


def to_rows(contract: Contract, asked: InferRequest, raw: bytes) -> list[Row]:
    """Make coded rows for `contract.encode_rows` from a request and the raw bytes behind it.

    Raises MalformedBodyError for tensors that are not those of the contract, and for data that
    does not fit its shape.
    """
    names = contract.names
    width = len(names)
    if len(asked.inputs) == 1 and asked.inputs[0].shape == [asked.rows, width]:
        (flat,) = _data(asked.inputs, raw)
        starts = range(0, len(flat), width)
        return [dict(zip(names, flat[i : i + width], strict=True)) for i in starts]
    # Before the data, so that the tensors are few: they may be the body's only content.
    _check_columns(names, asked)
    data = _data(asked.inputs, raw)
    columns = {tensor.name: values for tensor, values in zip(asked.inputs, data, strict=True)}
    rows = zip(*(columns[name] for name in names), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _check_columns(names: list[str], asked: InferRequest) -> None:
    given = Counter(tensor.name for tensor in asked.inputs)
    known = frozenset(names)
    wrong = next(
        chain(
            (f"`{name[:80]}` is no feature of this model" for name in given if name not in known),
            (f"There is no tensor for {name}" for name in names if name not in given),
            (f"There are two tensors for {name}" for name in names if given[name] > 1),
        ),
        None,
    )
    if wrong is not None:
        raise MalformedBodyError(
            f"{wrong}: send one tensor [rows, {len(names)}] in the order {', '.join(names)}, "
            f"or one tensor [rows] or [rows, 1] for each of them."
        )
    for tensor in asked.inputs:
        if tensor.shape not in ([asked.rows], [asked.rows, 1]):
            shapes = f"[{asked.rows}] or [{asked.rows}, 1]"
            raise MalformedBodyError(f"{tensor} has the shape {tensor.shape}, not {shapes}.")


def _data(tensors: list[Tensor], raw: bytes) -> list[list[Any]]:
    """Return each tensor's values, flat."""
    found, start = [], 0
    view = memoryview(raw)
    for tensor in tensors:
        if tensor.datatype not in DATATYPES:
            kinds = ", ".join(DATATYPES)
            raise MalformedBodyError(f"{tensor} must be of one of the datatypes {kinds}.")
        size = (tensor.parameters or {}).get(BINARY_SIZE)
        if size is None:
            found.append(_from_json(tensor))
        else:
            found.append(_from_bytes(tensor, size, view[start:]))
            start += size
    if start != len(raw):
        raise MalformedBodyError(
            f"{len(raw)} bytes stand behind the JSON, of which the tensors take {start}."
        )
    return found


def _from_json(tensor: Tensor) -> list[Any]:
    data, shape = tensor.data, tensor.shape
    if data is None:
        raise MalformedBodyError(f"{tensor} has no data.")
    if len(shape) == 2 and any(isinstance(part, list) for part in data):
        fits = all(isinstance(part, list) and len(part) == shape[1] for part in data)
        data = [value for part in data for value in part] if fits else []
    if len(data) != prod(shape):
        raise MalformedBodyError(f"{tensor} has data that does not fit its shape {shape}.")
    return data


def _from_bytes(tensor: Tensor, size: Any, raw: memoryview) -> list[Any]:
    dtype = np.dtype(DATATYPES[tensor.datatype])
    expected = prod(tensor.shape) * dtype.itemsize
    # JSON has 8.0 and true as well, which equal 8 and 1 but slice nothing.
    fits = type(size) is int and size == expected <= len(raw)
    if tensor.data is not None or not fits:
        raise MalformedBodyError(
            f"{tensor} needs {expected} bytes behind the JSON, a {BINARY_SIZE} that says so, "
            f"and no other data."
        )
    values: list[Any] = np.frombuffer(raw, dtype, count=prod(tensor.shape)).tolist()
    return values
