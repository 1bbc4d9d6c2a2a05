"""A JSON body becomes rows, or one sentence says why not."""

import json
import tracemalloc

import pytest

from serving.errors import InvalidBodyError, MalformedBodyError, TooLargeError
from serving.formats.json_body import decode, read_rows
from serving.formats.json_reader import Reader
from tests.serving.small_model import CONTRACT

MOST = 20
READER = Reader(CONTRACT)
ROW = {"Glucose": 148, "Age": 50, "Smoker": True}
WHOLE = b'{"Glucose": 148, "Age": 50, "Smoker": 1}'


def read(body):
    return read_rows(READER, body if isinstance(body, bytes) else json.dumps(body).encode(), MOST)


def refusal(body, kind=InvalidBodyError):
    with pytest.raises(kind) as raised:
        read(body)
    return raised.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        *(WHOLE.replace(b"148", word) for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999")),
        WHOLE.replace(b"148", b'"\xff"'),
        WHOLE.replace(b"148", b"9" * 5000),
        WHOLE + b" {}",
        WHOLE + b"x",
        b'{"inputs": "\xff"}',
    ],
)
def test_malformed_json(body):
    assert refusal(body, MalformedBodyError).detail.startswith("The body is ")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (WHOLE[:-1] + b', "Glucose": 20}', "Glucose"),
        (b'{"rows": [%s]}' % (WHOLE[:-1] + b', "Glucose": 20}'), "Glucose"),
        (b'{"rows": [], "rows": [%s]}' % WHOLE, "rows"),
        (WHOLE[:-1] + b', "Gluc\\u006fse": 2}', "Glucose"),
        (b'{"inputs": [{"name": "x", "shape": [1, 3], "shape": [1, 3]}]}', "shape"),
        (b'{"inputs": [%s]}' % (WHOLE[:-1] + b', "Glucose": 20}'), "Glucose"),
    ],
)
def test_repeated_key(body, key):
    with pytest.raises(MalformedBodyError, match=f'^The key "{key}" is twice in one object.$'):
        decode(body, MOST)


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"a":' * 15_000])
def test_deep_nesting(body):
    with pytest.raises(MalformedBodyError, match=r"^The body is nested too deeply\.$"):
        decode(body, 10**6)


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows":[%s{}]}' % (b"{}," * 1_000_000),
        b' {\n"rows" : [%s[]]}' % (b"[]," * 1_000_000),
        b'{"a":[%s[]]}' % (b"[]," * 1_000_000),
        b'{"rows":[%s]}' % b",".join([WHOLE] * 100_000),
        b'{"rows":[%s' % (b'"{",{},' * 1_000_000),
    ],
)
def test_too_many_rows_are_counted_before_they_are_made(body):
    tracemalloc.start()
    try:
        refusal(body, TooLargeError)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * len(body)


def test_braces_in_texts_are_no_rows():
    text = '[{"' * 100
    assert refusal({"rows": [{**ROW, "Age": text}] * MOST}).errors[0].pointer == "/rows/0/Age"
    assert decode(json.dumps({"a": text}).encode(), 1) == {"a": text}


def test_text_with_a_colon_is_no_repeated_key():
    assert refusal({**ROW, "Note: a": "b:c"}).errors[0].pointer == "/Note: a"


NO_OBJECT = 'The body must be one row as an object, or {"rows": [...]}.'


@pytest.mark.parametrize(
    ("body", "detail", "pointers"),
    [
        *((body, NO_OBJECT, []) for body in ([], [ROW], 5, "row", None, True)),
        ({"rows": []}, "`rows` is empty; it must hold at least one row.", ["/rows"]),
        ({"rows": [ROW, 5]}, "Row 2 is not an object.", ["/rows/1"]),
        (
            {"rows": [ROW], "threshold": 0.9},
            "`threshold` stands beside `rows`, where nothing else may.",
            ["/threshold"],
        ),
        (
            {},
            "Glucose: is not given (null, if it is missing) (3 errors in all, 3 listed).",
            ["/Glucose", "/Age", "/Smoker"],
        ),
        (
            {**ROW, "Glucose": 5000},
            "Glucose: 5000 is above the highest possible, 1000.",
            ["/Glucose"],
        ),
        (
            {"rows": [ROW, {**ROW, "Glucose": 5000, "Age": None}]},
            "Row 2, Glucose: 5000 is above the highest possible, 1000 (2 errors in all, 2 listed).",
            ["/rows/1/Glucose", "/rows/1/Age"],
        ),
        (
            {"rows": [{**ROW, "Age": 5}] * 15},
            "Row 1, Age: 5 is below the lowest possible, 18 (15 errors in all, 10 listed).",
            [f"/rows/{row}/Age" for row in range(10)],
        ),
        (
            {**ROW, "a/b~c": 1},
            "a/b~c: is no feature of this model; it takes Glucose, Age, Smoker.",
            ["/a~1b~0c"],
        ),
    ],
)
def test_refused_body(body, detail, pointers):
    error = refusal(body)
    assert error.detail == detail
    assert [each.pointer for each in error.errors] == pointers


def test_most_rows_are_read_and_one_more_is_not():
    assert len(read({"rows": [ROW] * MOST}).values) == MOST
    assert refusal({"rows": [ROW] * (MOST + 1)}, TooLargeError).detail == (
        "The body has more than 20 rows, the most taken at once."
    )


def test_long_key_beside_rows_is_cut():
    assert len(refusal({"rows": [ROW], "x" * 1_000_000: 1}).detail) < 200
