"""Tensors of the Open Inference Protocol become rows, or one sentence says why not."""

import time
import tracemalloc

import numpy as np
import pytest

from serving.errors import MalformedBodyError
from serving.formats.tensors import DATATYPES, to_request, to_rows
from serving.model.contract import Contract, Feature
from tests.serving.small_model import CONTRACT, ROWS

NAMES = ["Glucose", "Age", "Smoker"]
DATA = [[row[name] for name in NAMES] for row in ROWS]
FLAT = [value for row in DATA for value in row]
FLOATS = np.array(DATA, dtype=np.float64)  # None is NaN
HINT = (
    "send one tensor [rows, 3] in the order Glucose, Age, Smoker, "
    "or one tensor [rows] or [rows, 1] for each of them."
)


def tensor(data, shape, datatype="FP64", name="features", **more):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


def columns(tail=()):
    return [
        tensor([row[name] for row in ROWS], [len(ROWS), *tail], datatype, name)
        for name, datatype in zip(NAMES, ("FP64", "INT64", "BOOL"), strict=True)
    ]


def binary(name, datatype, array, **more):
    """Describe a tensor whose bytes stand behind the JSON."""
    size = {"binary_data_size": array.nbytes}
    return tensor(None, list(array.shape), datatype, name, parameters=size) | more


def rows_of(inputs, raw=b""):
    return to_rows(CONTRACT, to_request({"inputs": inputs}), raw)


def values_of(rows):
    return np.array([[row[name] for name in NAMES] for row in rows], dtype=np.float64)


def refusal(inputs, raw=b""):
    with pytest.raises(MalformedBodyError) as raised:
        rows_of(inputs, raw)
    return raised.value.detail


@pytest.mark.parametrize(
    "inputs",
    [
        [tensor(FLAT, [4, 3])],
        [tensor(DATA, [4, 3])],
        [tensor(FLAT, [4, 3], name="Glucose")],
        [tensor(FLAT, [4, 3], parameters={"content_type": "np"})],
        [tensor(FLAT, [4, 3], parameters=None)],
        columns(),
        columns(tail=[1]),
        columns()[::-1],
        [columns()[0], *columns(tail=[1])[1:]],
        [{**each, "data": [[value] for value in each["data"]]} for each in columns(tail=[1])],
        *([tensor(FLAT, [4, 3], datatype)] for datatype in DATATYPES),
    ],
)
def test_every_form_of_the_same_rows(inputs):
    assert rows_of(inputs) == ROWS


@pytest.mark.parametrize(
    ("inputs", "detail"),
    [
        ([tensor([1, 2], [1, 2])], f"`features` is no feature of this model: {HINT}"),
        ([tensor([148, 50, 1], [3])], f"`features` is no feature of this model: {HINT}"),
        (columns()[:2], f"There is no tensor for Smoker: {HINT}"),
        ([*columns(), columns()[1]], f"There are two tensors for Age: {HINT}"),
        ([*columns(), tensor([1], [1], name="id")], f"`id` is no feature of this model: {HINT}"),
        ([tensor(DATA[0], [1, 3])] * 2, f"`features` is no feature of this model: {HINT}"),
        (
            [*columns()[:2], tensor([1, 0, 1], [3], name="Smoker")],
            "The tensor `Smoker` has the shape [3], not [4] or [4, 1].",
        ),
        (
            [*columns()[:2], tensor([1, 0, 1, 1], [1, 4], name="Smoker")],
            "The tensor `Smoker` has the shape [1, 4], not [4] or [4, 1].",
        ),
        *(
            (
                [tensor(data, [2, 3])],
                "The tensor `features` has data that does not fit its shape [2, 3].",
            )
            for data in (
                [148, 50, 1],
                [[148, 50, 1], [148, 50]],
                [[148, 50, 1], 148, 50, 1],
                [[148, 50, 1, 148], [50, 1]],
                [[148, 50, 1], "abc"],
                [[148, 50, 1]],
            )
        ),
        (
            [tensor([1], [1, 10**18])],
            f"`features` is no feature of this model: {HINT}",
        ),
        ([tensor(None, [1, 3])], "The tensor `features` has no data."),
        (
            [tensor(None, [1, 3], parameters={"shared_memory_region": "/etc/passwd"})],
            "The tensor `features` has no data.",
        ),
        (
            [tensor(["a", "b", "c"], [1, 3], "BYTES")],
            f"The tensor `features` must be of one of the datatypes {', '.join(DATATYPES)}.",
        ),
    ],
)
def test_tensors_that_are_not_the_contract_s(inputs, detail):
    assert refusal(inputs) == detail


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ([], "expected `object`, got `array`"),
        ({}, "object missing required field `inputs`"),
        ({"inputs": []}, "`$.inputs`"),
        ({"inputs": {}}, "`$.inputs`"),
        ({"inputs": [5]}, "`$.inputs[0]`"),
        ({"inputs": [{"name": "x", "shape": [1, 3], "data": []}]}, "`datatype`"),
        ({"inputs": [tensor([1], [])]}, "`$.inputs[0].shape`"),
        ({"inputs": [tensor([1], [1, 1, 1])]}, "`$.inputs[0].shape`"),
        ({"inputs": [tensor([1], [-1, 3])]}, "`$.inputs[0].shape[0]`"),
        ({"inputs": [tensor([1], ["1", 3])]}, "`$.inputs[0].shape[0]`"),
        ({"inputs": [tensor([1], [1.5, 3])]}, "`$.inputs[0].shape[0]`"),
        ({"inputs": [tensor(5, [1, 3])]}, "`$.inputs[0].data`"),
        ({"inputs": [tensor([1], [1, 3], parameters=5)]}, "`$.inputs[0].parameters`"),
        ({"inputs": columns(), "id": 5}, "`$.id`"),
        ({"inputs": columns(), "parameters": []}, "`$.parameters`"),
        ({"inputs": columns(), "outputs": "label"}, "`$.outputs`"),
        ({"inputs": columns(), "outputs": ["label"]}, "`$.outputs[0]`"),
    ],
)
def test_request_that_is_not_the_protocol_s(body, where):
    with pytest.raises(MalformedBodyError) as raised:
        to_request(body)
    assert raised.value.detail.startswith("The request is not as the protocol has it: ")
    assert where in raised.value.detail


@pytest.mark.parametrize(
    ("datatype", "kind", "tolerance"),
    [("FP64", "<f8", 0), ("FP32", "<f4", 1e-6), ("FP16", "<f2", 1e-3)],
)
def test_binary_matrix_with_nan_as_missing(datatype, kind, tolerance):
    array = FLOATS.astype(kind)
    found = values_of(rows_of([binary("x", datatype, array)], array.tobytes()))
    np.testing.assert_allclose(found, FLOATS, rtol=tolerance)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize(("word", "kind"), [("INT", "i"), ("UINT", "u")])
def test_binary_integers_have_their_size_and_sign(word, kind, size):
    array = np.array([[100, -5, 1]]).astype(f"<{kind}{size}")
    (row,) = rows_of([binary("x", f"{word}{8 * size}", array)], array.tobytes())
    assert list(row.values()) == [100, -5 if kind == "i" else 2 ** (8 * size) - 5, 1]


def test_binary_and_json_tensors_together():
    glucose, smoker, age = np.array([148.0, 85]), [1, 0], np.array([50, 31], "<i4")
    inputs = [
        binary("Glucose", "FP64", glucose),
        tensor(smoker, [2], "INT8", "Smoker"),
        binary("Age", "INT32", age),
    ]
    assert rows_of(inputs, glucose.tobytes() + age.tobytes()) == ROWS[:2]
    truth = np.array([[True], [False]])
    inputs[1] = binary("Smoker", "BOOL", truth)
    assert rows_of(inputs, glucose.tobytes() + truth.tobytes() + age.tobytes()) == ROWS[:2]


@pytest.mark.parametrize(
    ("inputs", "behind", "taken"),
    [([binary("x", "FP64", FLOATS)], FLOATS.tobytes() + b"abc", 96), (columns(), b"abc", 0)],
)
def test_bytes_behind_the_tensors(inputs, behind, taken):
    assert refusal(inputs, behind) == (
        f"{len(behind)} bytes stand behind the JSON, of which the tensors take {taken}."
    )


NEEDS = (
    "The tensor `features` needs 96 bytes behind the JSON, "
    "a binary_data_size that says so, and no other data."
)


@pytest.mark.parametrize("size", [0, 8, 95, 96.0, 97, 192, -96, "96", True])
def test_binary_size_that_does_not_fit(size):
    part = tensor(None, [4, 3], parameters={"binary_data_size": size})
    assert refusal([part], FLOATS.tobytes()) == NEEDS


@pytest.mark.parametrize(
    ("data", "size", "raw", "detail"),
    [
        (DATA, 96, FLOATS.tobytes(), NEEDS),
        (None, 96, FLOATS.tobytes()[:-1], NEEDS),
        (None, None, FLOATS.tobytes(), "The tensor `features` has no data."),
    ],
)
def test_data_in_two_places_or_in_none(data, size, raw, detail):
    assert refusal([tensor(data, [4, 3], parameters={"binary_data_size": size})], raw) == detail


EMPTY = np.zeros((0,), "<f8")


@pytest.mark.parametrize("name", ["x", "Glucose"])
def test_names_are_checked_before_data(name):
    """Cutting the bytes behind the JSON for each tensor took half a minute for 60,000."""
    inputs = [binary(name, "FP64", EMPTY)] * 10_000
    started = time.process_time()
    assert "Glucose" in refusal(inputs, bytes(9_000_000))
    assert time.process_time() - started < 1


def test_binary_data_is_not_copied():
    contract = Contract(
        target="y", classes=(0, 1), features=tuple(Feature(name=f"f{n}") for n in range(200))
    )
    one = np.ones(1)
    asked = to_request({"inputs": [binary(name, "FP64", one) for name in contract.names]})
    tracemalloc.start()
    try:
        with pytest.raises(MalformedBodyError, match="of which the tensors take 1600"):
            to_rows(contract, asked, one.tobytes() * 1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 9_000_000
