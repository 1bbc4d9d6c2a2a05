"""CSV on `POST /predict`: the table comes back with its answers, or one sentence says why not."""

import csv
import gzip
import io
import json

import pytest

from tests.serving.small_model import ROWS, THRESHOLD, expected_probability

HEADER = "Glucose,Age,Smoker\n"
TABLE = HEADER + "148,50,true\n"
ADDED = ["label", "probability", "warnings"]


def post(client, body, content_type="text/csv", **more):
    data = body if isinstance(body, bytes) else body.encode()
    return client.post("/predict", data=data, content_type=content_type, buffered=True, **more)


def cells(response):
    assert response.status_code == 200, response.get_json()
    return list(csv.reader(io.StringIO(response.get_data(as_text=True), newline=""), strict=True))


def answers(response):
    return [dict(zip(ADDED, line[-3:], strict=True)) for line in cells(response)[1:]]


def refused(response, status):
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    return response.get_json()


def test_table_comes_back_with_its_answers(client):
    response = post(client, TABLE + "85,31,false\n")
    first, second = (
        expected_probability(dict(zip(("Glucose", "Age", "Smoker"), row, strict=True)))
        for row in ((148, 50, 1), (85, 31, 0))
    )
    lines = cells(response)
    assert lines[0] == ["Glucose", "Age", "Smoker", *ADDED]
    assert [line[:3] for line in lines[1:]] == [["148", "50", "true"], ["85", "31", "false"]]
    assert second < THRESHOLD
    assert [a["label"] for a in answers(response)] == ["yes", "no"]
    found = [float(a["probability"]) for a in answers(response)]
    assert found == pytest.approx([first, second], rel=1e-12)
    assert [a["warnings"] for a in answers(response)] == ["", ""]
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["X-Model-Version"] == "1"


def test_probability_is_that_of_json(client):
    body = HEADER + "".join(
        f"{'' if r['Glucose'] is None else r['Glucose']},{r['Age']},{r['Smoker']}\n" for r in ROWS
    )
    as_json = client.post("/predict", json={"rows": ROWS}, buffered=True).get_json()
    expected = [(p["label"], p["probability"]) for p in as_json["predictions"]]
    found = [(a["label"], float(a["probability"])) for a in answers(post(client, body))]
    assert found == expected


def test_warnings_are_joined(client):
    (answer,) = answers(post(client, HEADER + "300,100,1\n"))
    assert answer["warnings"] == (
        "Glucose 300 is outside the range seen in training, 44 to 199; "
        "Age 100 is outside the range seen in training, 21 to 81"
    )


def test_other_columns_are_carried_through(client):
    body = "id,Smoker,Age,note,Glucose,\n007,1,50,NaN,148,=1+1\n"
    lines = cells(post(client, body))
    assert lines[0] == ["id", "Smoker", "Age", "note", "Glucose", "", *ADDED]
    assert lines[1][:6] == ["007", "1", "50", "NaN", "148", "=1+1"]
    assert float(lines[1][7]) == float(answers(post(client, TABLE))[0]["probability"])


@pytest.mark.parametrize(
    ("body", "status", "detail", "pointers"),
    [
        (TABLE + "148,50\n", 400, "Row 2 has 2 fields, the header has 3.", ["/rows/1"]),
        (HEADER, 422, "The table has a header, but no rows.", []),
        ("Glucose,Age\n148,1\n", 422, "The table lacks the column Smoker.", ["/Smoker"]),
        (
            "Glucose,Age,Smoker,label\n148,50,1,0\n",
            422,
            "The table has a column label, which the answer adds: leave it out.",
            ["/label"],
        ),
        (
            TABLE + "5000,50.5,x\n",
            422,
            'Row 2, Smoker: "x" is not true or false.',
            ["/rows/1/Smoker"],
        ),
        (
            HEADER + "5000,50.5,2\n",
            422,
            "Row 1, Glucose: 5000 is above the highest possible, 1000 (3 errors in all, 3 listed).",
            ["/rows/0/Glucose", "/rows/0/Age", "/rows/0/Smoker"],
        ),
        (
            HEADER + "148,50,1\n" * 21,
            413,
            "The body has more than 20 rows, the most taken at once.",
            [],
        ),
        (
            TABLE.ljust(100_001),
            413,
            "The body is larger than 100000 bytes, the most that is taken.",
            [],
        ),
    ],
)
def test_table_that_is_refused(client, body, status, detail, pointers):
    problem = refused(post(client, body), status)
    assert problem["detail"] == detail
    assert [error["pointer"] for error in problem.get("errors", [])] == pointers


def test_compressed_table_is_taken(client):
    response = post(client, gzip.compress(TABLE.encode()), headers={"Content-Encoding": "gzip"})
    assert answers(response) == answers(post(client, TABLE))


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", "us-ascii", '"utf-8"'])
def test_charset_that_is_utf8_is_taken(client, charset):
    assert post(client, TABLE, f"text/csv; charset={charset}").status_code == 200


def test_another_charset_is_refused(client):
    problem = refused(post(client, TABLE, "text/csv; charset=latin-1"), 415)
    assert problem["detail"] == "Send the body as UTF-8."


def test_another_content_type_is_told_both(client):
    detail = refused(post(client, TABLE, "text/plain"), 415)["detail"]
    assert "Content-Type: application/json" in detail
    assert "Content-Type: text/csv" in detail


def test_without_a_model_a_table_is_not_answered(client_without_model):
    refused(post(client_without_model, TABLE), 503)


def test_nothing_of_the_other_columns_stands_in_an_error(client):
    response = post(client, "name,Glucose,Age,Smoker\nSecret Name,abc,50,1\n")
    assert "Secret" not in json.dumps(refused(response, 422))
