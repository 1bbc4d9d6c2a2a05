"""The fast reader only ever says yes, and then what the slow way says; most bodies it reads."""

import json
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.formats.json_body import check_count, decode, split_rows
from serving.formats.json_reader import Reader
from serving.model.contract import Contract, Feature
from serving.model.rows import Rows
from serving.model.rows import to_matrix as matrix_of
from serving.model.validation import training_warnings
from tests.serving.small_model import SMOKING, WITH_ANY_WORD, WITH_WORDS, with_features

MOST = 3
# Names as tables have them, with what JSON, msgspec or the form of a body could trip over.
NAMES = ["Age", "rows", "naïve ☃", "", " ", "a/b~c", "self", "field_0", "Größe (cm)", "x.y", "'"]
UNFIT = ["a:b", 'quote"', "back\\slash", "tab\t", "\x00", "\x1f"]
ENDS = [-7.5, -1, 0, 0.5, 1, 3, 80, 200.25]
FAR = [-1e300, -(2.0**63), 2.0**53, 2.0**63, 1e19, 1e300]

TEXTS = ["red", "naïve ☃", "a:b", 'quote"', "back\\slash", "null", "1", "a, b", "?", "NA"]

ends = st.one_of(*[st.sampled_from(ENDS)] * 4, st.sampled_from(FAR))
maybe = st.none() | ends
pairs = st.tuples(ends, ends).map(lambda pair: (min(pair), max(pair)))


@st.composite
def categories(draw, name: str) -> Feature:
    texts = draw(st.lists(st.sampled_from(TEXTS), min_size=2, max_size=5, unique=True))
    some = draw(st.integers(2, len(texts)))
    rare = draw(st.integers(1, some))
    return Feature(
        name=name,
        type="category",
        nullable=draw(st.booleans()),
        missing_values=tuple(texts[some:]),
        categories=tuple(texts[:rare]),
        grouped=tuple(texts[rare:some]),
        unseen=draw(st.sampled_from(["refuse", "missing", "other"])),
    )


@st.composite
def features(draw, name: str) -> Feature:
    if draw(st.integers(0, 3)) == 0:
        return draw(categories(name))
    return Feature(
        name=name,
        type=draw(st.sampled_from(["number", "integer", "boolean"])),
        nullable=draw(st.booleans()),
        missing_values=tuple(draw(st.lists(ends, max_size=1))),
        minimum=draw(maybe),
        maximum=draw(maybe),
        training_range=draw(st.none() | pairs),
    )


@st.composite
def contracts(draw, names: list[str] = NAMES) -> Contract:
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    return Contract(
        target="t",
        classes=(0, 1),
        threshold=0.5,
        features=tuple(draw(features(name)) for name in chosen),
    )


numbers = st.one_of(
    st.integers(-5, 300).map(str),
    st.sampled_from([repr(end) for end in ENDS + FAR] + [str(int(end)) for end in FAR]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.sampled_from(["-0", "-0.0", "1.0", "5e1", "5E+1", "1e400", "-1e400", "1e-400", "9" * 400]),
)
words = st.sampled_from(["true", "false", "null"])
others = st.sampled_from(['"1"', '"a:b"', '""', "[]", "[1]", "{}", '{"a": 1}', "NaN", "01", ""])
values = st.one_of(numbers, words, words, others)


def fitting(feature: Feature) -> st.SearchStrategy[str]:
    """Give values on, beside and between a feature's limits, as they are written."""
    if feature.type == "category":
        texts = [*feature.codes, "unseen"]
        absent = ["null"] if feature.nullable else []
        return st.sampled_from([json.dumps(text) for text in texts] + absent)
    low, high = feature.training_range or (0, 1)
    known = [low, high, (low + high) / 2, *feature.missing_values, feature.minimum, feature.maximum]
    found: set[str] = set()
    for value in known:
        if value is not None:
            whole = {math.floor(value), math.ceil(value), round(value) - 1, round(value) + 1}
            found |= {repr(value), *map(str, whole)}
    if feature.type == "boolean":
        found |= {"true", "false", "1", "0"}
    if feature.nullable:
        found.add("null")
    return st.sampled_from(sorted(found))


@st.composite
def keys(draw, name: str) -> str:
    """Write a name as a key of JSON, now and then with escapes."""
    if name and draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(name) - 1))
        return (
            '"'
            + "".join(
                f"\\u{ord(c):04x}" if i == place else json.dumps(c)[1:-1]
                for i, c in enumerate(name)
            )
            + '"'
        )
    return json.dumps(name, ensure_ascii=draw(st.booleans()))


blanks = st.sampled_from(["", "", "", " ", "\n\t "])


@st.composite
def objects(draw, contract: Contract) -> str:
    """Write a row: right for the most part, else with one thing that is wrong."""
    pairs = [(draw(keys(f.name)), draw(fitting(f))) for f in contract.features]
    place = draw(st.integers(0, len(pairs) - 1))
    key, value = pairs[place]
    fault = draw(st.sampled_from(["none"] * 4 + ["value", "value", "drop", "repeat", "add"]))
    if fault == "value":
        pairs[place] = key, draw(values)
    elif fault == "drop":
        pairs.pop(place)
    elif fault == "repeat":
        pairs.append((draw(keys(contract.names[place])), draw(st.just(value) | values)))
    elif fault == "add":
        pairs.append((draw(keys(draw(st.sampled_from(NAMES + UNFIT)))), draw(values)))
    pairs = draw(st.permutations(pairs))
    space = draw(blanks)
    return "{" + space + f",{space}".join(f"{key}{space}:{space}{v}" for key, v in pairs) + "}"


@st.composite
def bodies(draw, contract: Contract) -> bytes:
    row = objects(contract)
    space = draw(blanks)
    form = draw(
        st.sampled_from(["row"] * 4 + ["rows"] * 5 + ["beside", "twice", "list", "no list"])
    )
    rows = ",".join(draw(st.lists(row, max_size=MOST + 1)))
    text = {
        "row": draw(row),
        "rows": f'{{"rows"{space}: [{rows}]}}',
        "beside": f'{{"rows": [{rows}], "more": 1}}',
        "twice": f'{{"rows": [], "rows": [{rows}]}}',
        "list": f"[{rows}]",
        "no list": f'{{"rows": {draw(row)}}}',
    }[form]
    return (space + text + draw(st.sampled_from(["", "", "", " ", "\n", "x", "{}"]))).encode()


class Case(NamedTuple):
    contract: Contract
    body: bytes


def cases(names: list[str]) -> st.SearchStrategy[Case]:
    return contracts(names).flatmap(
        lambda contract: bodies(contract).map(lambda body: Case(contract, body))
    )


def slowly(contract: Contract, body: bytes) -> Any:
    asked = split_rows(decode(body, 10**6))
    check_count(len(asked.rows), MOST)
    return matrix_of(contract, asked.rows)


def check(case: Case) -> Rows | None:
    found = Reader(case.contract).read(case.body, MOST)
    if found is not None:
        expected = slowly(case.contract, case.body)
        assert found.values.dtype == expected.dtype
        np.testing.assert_array_equal(found.values, expected, strict=True)
        assert found.unseen == ()
        if found.usual:
            warnings, outside = training_warnings(case.contract, expected)
            assert not any(warnings)
            assert outside == {}
    return found


@settings(max_examples=500, deadline=None)
@given(cases(NAMES))
def test_what_is_read_fast_is_what_the_slow_way_reads(case):
    check(case)


@settings(max_examples=50, deadline=None)
@given(cases(NAMES[:2] + UNFIT))
def test_names_that_a_decoder_cannot_have_only_make_it_slow(case):
    found = check(case)
    assert found is None or not set(case.contract.names) & set(UNFIT)


SIMPLE = with_features({}, {}, {"training_range": (0, 1)})
READER = Reader(SIMPLE)
ROW = {"Glucose": 148.5, "Age": 50, "Smoker": True}


def read(body: Any) -> Rows | None:
    return READER.read(body if isinstance(body, bytes) else json.dumps(body).encode(), MOST)


usual_rows = st.fixed_dictionaries(
    {
        "Glucose": st.floats(44, 199) | st.integers(44, 199),
        "Age": st.integers(21, 81),
        "Smoker": st.booleans(),
    }
)
right_rows = st.fixed_dictionaries(
    {
        "Glucose": st.none() | st.just(0) | st.floats(20, 1000) | st.integers(20, 1000),
        "Age": st.integers(18, 120) | st.integers(18, 120).map(float),
        "Smoker": st.sampled_from([True, False, 1, 0, 1.0, 0.0]),
    }
)


@given(usual_rows, st.permutations(list(ROW)))
def test_a_usual_row_is_known_at_one_look(row, order):
    found = read({name: row[name] for name in order})
    assert found is not None
    assert found.usual
    assert found.values.tolist() == [[float(row[name]) for name in SIMPLE.names]]


@given(right_rows)
def test_every_right_row_is_read_fast(row):
    found = read(row)
    assert found is not None
    np.testing.assert_array_equal(found.values, matrix_of(SIMPLE, [row]))


@given(st.lists(right_rows, min_size=1, max_size=MOST))
def test_every_right_batch_is_read_fast(rows):
    texts = [json.dumps({"rows": rows}), json.dumps({"rows": rows}, separators=(",", ":"))]
    for text in texts:
        found = read(text.encode())
        assert found is not None
        np.testing.assert_array_equal(found.values, matrix_of(SIMPLE, rows))


@pytest.mark.parametrize(
    "change",
    [
        {"Glucose": 43.9},
        {"Glucose": 199.1},
        {"Glucose": 0},
        {"Age": 20},
        {"Age": 82},
        {"Age": 50.0},
    ],
)
def test_a_right_row_beyond_what_training_saw_is_read_but_not_as_usual(change):
    found = read({**ROW, **change})
    assert found is not None
    assert not found.usual


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"rows": [%s]}' % (json.dumps(ROW).encode()[:-1] + b', "Age": 50}'),
        b'{"rows": [], "rows": [%s]}' % json.dumps(ROW).encode(),
        b"[]",
        b"null",
        b'{"rows": []}',
        {"rows": [ROW] * (MOST + 1)},
        {**ROW, "Age": None},
        {**ROW, "Age": 50.5},
        {**ROW, "Age": "50"},
        {**ROW, "Age": True},
        {**ROW, "Age": 10**400},
        {**ROW, "Glucose": 19},
        {**ROW, "Smoker": 2},
        {**ROW, "More": 1},
        {"Glucose": 148, "Age": 50},
        json.dumps(ROW).encode() + b"{}",
        json.dumps(ROW).encode()[:-1] + b', "Age": 50}',
        json.dumps(ROW).encode().replace(b"148.5", b"NaN"),
        json.dumps(ROW).encode().replace(b"Age", b"\xff"),
        b"[" * 50_000,
    ],
)
def test_whatever_is_wrong_is_left_to_who_can_say_what(body):
    assert read(body) is None


def seen_in_training(seen: tuple[float, float], **more) -> Reader:
    feature = Feature(name="x", training_range=seen, **more)
    return Reader(Contract(target="t", classes=(0, 1), features=(feature,)))


@pytest.mark.parametrize(("seen", "usual"), [((0, 1), True), ((0, 0), False), ((1, 1), False)])
def test_a_boolean_of_which_training_saw_one_value_is_not_taken_for_usual(seen, usual):
    for value in (b"true", b"false"):
        found = seen_in_training(seen, type="boolean").read(b'{"x": %s}' % value, MOST)
        assert found == Rows(np.array([[float(value == b"true")]]), usual)


@pytest.mark.parametrize(
    ("value", "usual"), [(0, False), (1, True), (80, True), (81, False), (-1, False)]
)
def test_an_integers_range_may_end_between_two_integers(value, usual):
    found = seen_in_training((0.5, 80.5), type="integer").read(b'{"x": %d}' % value, MOST)
    assert found == Rows(np.array([[float(value)]]), usual)


@pytest.mark.parametrize("kind", ["number", "integer"])
def test_true_is_no_number_whatever_a_number_may_be(kind):
    assert seen_in_training((0, 1), type=kind).read(b'{"x": true}', MOST) is None


@pytest.mark.parametrize("seen", [(0, 1e20), (-1e20, 1e20), (1e19, 1e20), (-1e20, -1e19)])
def test_an_integer_may_be_larger_than_a_processor_has_them(seen):
    reader = seen_in_training(seen, type="integer")
    for value in (int(seen[0]), int(seen[1]), 5, 2**63 - 1, 2**63, -(2**63) - 1):
        found = reader.read(b'{"x": %d}' % value, MOST)
        assert found is not None
        assert found.values.tolist() == [[float(value)]]
        assert not found.usual or seen[0] <= value <= seen[1]


def test_a_name_given_twice_in_the_contract_is_read_the_slow_way():
    twice = Contract(target="t", classes=(0, 1), features=(Feature(name="x"), Feature(name="x")))
    assert Reader(twice).read(b'{"x": 1}', MOST) is None


def test_a_missing_value_is_nan():
    found = read({**ROW, "Glucose": None})
    assert found is not None
    assert math.isnan(found.values[0, 0])
    assert found.usual


WORDS = Reader(WITH_WORDS)


@pytest.mark.parametrize(
    ("text", "code"), [("never", 0), ("daily", 2), ("?", math.nan), (None, math.nan)]
)
def test_a_category_is_read_at_one_look(text, code):
    row = {**ROW, "Smoker": text}
    found = WORDS.read(json.dumps(row).encode(), MOST)
    assert found is not None
    assert found.usual
    batch = WORDS.read(json.dumps({"rows": [row, row]}).encode(), MOST)
    assert batch is not None
    for values in (found.values, batch.values):
        np.testing.assert_array_equal(values[:, 2], np.full(len(values), code))


def test_a_text_for_missing_is_not_taken_where_nothing_may_be_missing():
    strict = with_features({}, {}, {**SMOKING, "nullable": False})
    for text, is_read in (("daily", True), ("?", False)):
        body = json.dumps({**ROW, "Smoker": text}).encode()
        assert (Reader(strict).read(body, MOST) is not None) == is_read


@pytest.mark.parametrize("value", ["hourly", 0, True])
@pytest.mark.parametrize("contract", [WITH_WORDS, WITH_ANY_WORD], ids=["refuse", "missing"])
def test_what_is_no_category_is_left_to_who_can_say_what(contract, value):
    assert Reader(contract).read(json.dumps({**ROW, "Smoker": value}).encode(), MOST) is None


def test_a_category_of_rare_texts_only_is_read():
    """None has a place of its own: each is looked at again, by those who know the group."""
    rare = {"categories": (), "grouped": ("weekly",), "missing_values": (), "nullable": False}
    contract = with_features({}, {}, {**SMOKING, **rare, "unseen": "other"})
    assert Reader(contract).read(b'{"Glucose":148,"Age":50,"Smoker":"weekly"}', 1) is None
    assert contract.example()["Smoker"] == "weekly"
