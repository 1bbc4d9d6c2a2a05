"""CSV on `POST /predict`: the table comes back with its answers, or one sentence says why not."""

import csv
import gzip
import io
import json

import msgspec
import pytest

from serving.errors import MalformedBodyError
from serving.formats.csv_table import Table, answer_columns, read_table, to_csv, to_rows
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


def columns_of(contract, *names):
    features = [
        msgspec.structs.replace(f, name=n) for f, n in zip(contract.features, names, strict=True)
    ]
    return msgspec.structs.replace(contract, features=tuple(features))


def test_a_table_comes_back_with_its_answers(client):
    response = post(client, TABLE + "85,31,false\n")
    first, second = (
        expected_probability(dict(zip(("Glucose", "Age", "Smoker"), row, strict=True)))
        for row in ((148, 50, 1), (85, 31, 0))
    )
    lines = cells(response)
    assert lines[0] == ["Glucose", "Age", "Smoker", *ADDED]
    assert [line[:3] for line in lines[1:]] == [["148", "50", "true"], ["85", "31", "false"]]
    assert [a["label"] for a in answers(response)] == ["1", str(int(second >= THRESHOLD))]
    found = [float(a["probability"]) for a in answers(response)]
    assert found == pytest.approx([first, second], rel=1e-12)
    assert [a["warnings"] for a in answers(response)] == ["", ""]


def test_the_answer_says_what_it_is_and_which_version_gave_it(client):
    response = post(client, TABLE)
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["X-Model-Version"] == "1"


def test_the_probability_is_that_of_json_to_the_last_digit(client):
    body = HEADER + "".join(
        f"{'' if r['Glucose'] is None else r['Glucose']},{r['Age']},{r['Smoker']}\n" for r in ROWS
    )
    as_json = client.post("/predict", json={"rows": ROWS}, buffered=True).get_json()
    expected = [(str(p["label"]), p["probability"]) for p in as_json["predictions"]]
    found = [(a["label"], float(a["probability"])) for a in answers(post(client, body))]
    assert found == expected


def test_warnings_are_joined(client):
    (answer,) = answers(post(client, HEADER + "300,100,1\n"))
    assert answer["warnings"] == (
        "Glucose 300 is outside the range seen in training, 44 to 199; "
        "Age 100 is outside the range seen in training, 21 to 81"
    )


def test_what_is_no_feature_is_carried_through_in_its_place(client):
    body = "id,Smoker,Age,note,Glucose,\n007,1,50,NaN,148,=1+1\n"
    lines = cells(post(client, body))
    assert lines[0] == ["id", "Smoker", "Age", "note", "Glucose", "", *ADDED]
    assert lines[1][:6] == ["007", "1", "50", "NaN", "148", "=1+1"]
    assert float(lines[1][7]) == float(answers(post(client, TABLE))[0]["probability"])


def test_columns_without_a_name_may_be_many(client):
    lines = cells(post(client, ",Glucose,Age,Smoker, ,\n0,148,50,1,a,b\n"))
    assert lines[1][:6] == ["0", "148", "50", "1", "a", "b"]


def test_cells_come_back_as_they_were_written(client):
    row = ["  1.480E2 ", " 50.0", "TRUE ", 'a "quoted", cell', "two\r\nlines", "lone\rreturn", "ü"]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[" Glucose", "Age ", "Smoker", "a", "b", "c", "d"], row])
    lines = cells(post(client, out.getvalue()))
    assert lines[0][:7] == [" Glucose", "Age ", "Smoker", "a", "b", "c", "d"]
    assert lines[1][:7] == row


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_end_as_they_came(client, newline):
    text = post(client, TABLE.replace("\n", newline)).get_data(as_text=True)
    assert text.count(newline) == 2
    assert not set("\r\n") & set(text.replace(newline, ""))


@pytest.mark.parametrize(
    "body",
    [
        "\ufeff" + TABLE,
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        TABLE.removesuffix("\n"),
        TABLE.replace("\n", "\n\n   \n"),
        '"Glucose","Age","Smoker"\n"148","50","true"\n',
        HEADER + " 148 ,\u00a050, True\n",
        HEADER + "+1.48e2,50.,1\n",
        HEADER + "148,50,1.0\n",
    ],
)
def test_what_is_written_otherwise_means_the_same(client, body):
    found, expected = answers(post(client, body)), answers(post(client, TABLE))
    assert found == expected


@pytest.mark.parametrize("word", ["", "  ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
def test_words_for_missing_are_those_of_the_pipeline(client, word):
    (answer,) = answers(post(client, HEADER + f"{word},50,true\n"))
    expected = expected_probability({"Glucose": None, "Age": 50, "Smoker": 1})
    assert float(answer["probability"]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "word",
    [
        "abc",
        "inf",
        "-Infinity",
        "NAN",
        "1_000",
        "1,5",
        "0x10",
        "1 2",
        "١٢",
        "５",
        "true",
        ".",
        "1e",
    ],
)
def test_what_is_no_number_is_refused_with_its_row_and_column(client, word):
    problem = refused(post(client, TABLE + f'"{word}",50,true\n'), 422)
    assert problem["detail"] == f'Row 2, Glucose: "{word}" is not a number.'
    assert problem["errors"] == [
        {"pointer": "/rows/1/Glucose", "detail": f'"{word}" is not a number'}
    ]


def test_a_number_too_large_for_a_float_is_refused(client):
    problem = refused(post(client, HEADER + "1e999,50,1\n"), 422)
    assert problem["detail"] == "Row 1, Glucose: inf is not a finite number."


def test_what_is_neither_true_nor_false_is_refused(client):
    problem = refused(post(client, HEADER + "148,50,yes\n"), 422)
    assert problem["detail"] == 'Row 1, Smoker: "yes" is not true or false.'


def test_missing_where_it_may_not_be_is_refused(client):
    problem = refused(post(client, HEADER + "148,,1\n"), 422)
    assert problem["detail"] == "Row 1, Age: is missing, and may not be."


def test_every_limit_of_the_contract_holds(client):
    problem = refused(post(client, HEADER + "5000,50.5,2\n"), 422)
    assert problem["detail"] == (
        "Row 1, Glucose: 5000 is above the highest possible, 1000 (3 errors in all, 3 listed)."
    )
    pointers = [error["pointer"] for error in problem["errors"]]
    assert pointers == ["/rows/0/Glucose", "/rows/0/Age", "/rows/0/Smoker"]


def test_a_column_that_is_absent_is_named(client):
    problem = refused(post(client, "Glucose,id\n148,1\n"), 422)
    assert problem["detail"] == "The table lacks the columns Age, Smoker."
    assert [error["pointer"] for error in problem["errors"]] == ["/Age", "/Smoker"]
    assert refused(post(client, "Age,Smoker\n50,1\n"), 422)["detail"] == (
        "The table lacks the column Glucose."
    )


def test_a_semicolon_in_one_of_many_columns_is_no_separator(client):
    problem = refused(post(client, "Sex; smoker,Glucose,Age\n1,148,50\n"), 422)
    assert problem["detail"] == "The table lacks the column Smoker."


@pytest.mark.parametrize("header", ["Glucose,Age,Smoker, Age", "id,Glucose,Age,Smoker,id"])
def test_a_column_that_stands_twice_is_refused(client, header):
    twice = header.rpartition(",")[2].strip()
    body = f"{header}\n{','.join('1' for _ in header.split(','))}\n"
    problem = refused(post(client, body), 422)
    assert problem["detail"] == f"The column {twice} is in the header twice."
    assert problem["errors"][0]["pointer"] == f"/{twice}"


@pytest.mark.parametrize("name", ADDED)
def test_a_column_that_the_answer_adds_may_not_be_there_already(client, name):
    problem = refused(post(client, f"Glucose,Age,Smoker,{name}\n148,50,1,0\n"), 422)
    assert problem["detail"] == (
        f"The table has a column {name}, which the answer adds: leave it out."
    )


def test_an_answer_scored_again_without_its_answers_is_the_same(client):
    text = post(client, TABLE).get_data(as_text=True)
    kept = "".join(",".join(line.split(",")[:3]) + "\n" for line in text.splitlines())
    assert post(client, kept).get_data(as_text=True) == text


def test_where_a_feature_has_the_name_of_an_answer_all_answers_get_a_prefix(contract):
    contract = columns_of(contract, "probability", "Age", "Smoker")
    table = read_table(contract, b"probability,Age,Smoker,label\n148,50,1,0\n", 20)
    assert answer_columns(contract, table.header) == [
        "predicted_label",
        "predicted_probability",
        "predicted_warnings",
    ]


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ("148,50", "Row 2 has 2 fields, the header has 3."),
        ("148,50,1,1", "Row 2 has 4 fields, the header has 3."),
        ("148", "Row 2 has 1 field, the header has 3."),
    ],
)
def test_a_row_of_another_length_is_refused(client, row, detail):
    problem = refused(post(client, f"{TABLE}{row}\n"), 400)
    assert problem["detail"] == detail
    assert problem["errors"][0]["pointer"] == "/rows/1"


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_recognised(client, separator, word):
    body = "Glucose;Age;Smoker\n148,5;50;1\n".replace(";", separator)
    problem = refused(post(client, body), 400)
    assert problem["detail"] == f"The table is separated by {word}: commas are needed."


@pytest.mark.parametrize("body", ["", "\n\n", "\ufeff", "  \n"])
def test_an_empty_body_is_refused(client, body):
    problem = refused(post(client, body), 400)
    assert problem["detail"] == "The table is empty: it needs a header and rows."


def test_a_header_without_rows_is_refused(client):
    problem = refused(post(client, HEADER), 422)
    assert problem["detail"] == "The table has a header, but no rows."


@pytest.mark.parametrize("body", [TABLE.encode("utf-16"), TABLE.encode() + b"\xff,1,1\n"])
def test_what_is_not_utf8_is_refused(client, body):
    problem = refused(post(client, body), 400)
    assert problem["detail"] == ("The body is not UTF-8 (byte 0xff): save the table as CSV UTF-8.")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ('"Glu"cose,Age,Smoker\n148,50,1\n', "The header"),
        (HEADER + '"148"0,50,1\n', "Row 1"),
        (TABLE + '"148,50,1\n', "Row 2"),
    ],
)
def test_a_quote_that_is_wrong_is_refused(client, body, where):
    detail = refused(post(client, body), 400)["detail"]
    assert detail.startswith(f"{where} is not valid CSV: ")


def test_a_field_that_csv_finds_too_large_is_refused(contract):
    body = HEADER.encode() + b"9" * (csv.field_size_limit() + 1) + b",50,1\n"
    with pytest.raises(
        MalformedBodyError, match="Row 1 is not valid CSV: field larger than field limit"
    ):
        read_table(contract, body, 20)


def test_the_most_rows_are_taken_and_one_more_is_not(client, settings):
    row = "148,50,1\n"
    assert len(answers(post(client, HEADER + row * settings.max_rows))) == settings.max_rows
    problem = refused(post(client, HEADER + row * (settings.max_rows + 1)), 413)
    assert problem["detail"] == "The body has more than 20 rows, the most taken at once."


def test_a_table_larger_than_the_largest_body_is_refused(client, settings):
    refused(post(client, TABLE.ljust(settings.max_body + 1)), 413)


def test_a_compressed_table_is_taken(client):
    response = post(client, gzip.compress(TABLE.encode()), headers={"Content-Encoding": "gzip"})
    assert answers(response) == answers(post(client, TABLE))


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", "us-ascii", '"utf-8"'])
def test_a_charset_that_is_utf8_is_taken(client, charset):
    assert post(client, TABLE, f"text/csv; charset={charset}").status_code == 200


def test_another_charset_is_refused(client):
    problem = refused(post(client, TABLE, "text/csv; charset=latin-1"), 415)
    assert problem["detail"] == "Send the body as UTF-8."


def test_another_content_type_is_told_both_that_are_taken(client):
    detail = refused(post(client, TABLE, "text/plain"), 415)["detail"]
    assert "Content-Type: application/json" in detail
    assert "Content-Type: text/csv" in detail


def test_without_a_model_a_table_is_not_answered(client_without_model):
    refused(post(client_without_model, TABLE), 503)


def test_a_table_of_one_column_keeps_a_row_that_is_empty_in_quotes(contract):
    contract = msgspec.structs.replace(contract, features=contract.features[:1])
    table = read_table(contract, b'Glucose\n148\n""\n\n85\n', 20)
    assert [row["Glucose"] for row in to_rows(contract, table)] == [148, None, 85]


def test_a_name_with_a_separator_in_it_is_no_wrong_separator(contract):
    contract = msgspec.structs.replace(contract, features=contract.features[:1])
    contract = columns_of(contract, "Glucose; fasting")
    table = read_table(contract, b"Glucose; fasting\n148\n", 20)
    assert to_rows(contract, table) == [{"Glucose; fasting": 148.0}]


def test_a_probability_is_written_so_that_it_reads_back_the_same():
    table = Table(["a"], [["1"], ["2"]], "\n")
    text = to_csv(table, ADDED, [0, 1], [0.1, 1 / 3], [[], ["x", "y"]]).decode()
    assert text == "a,label,probability,warnings\n1,0,0.1,\n2,1,0.3333333333333333,x; y\n"


def test_nothing_of_the_other_columns_stands_in_an_error(client):
    response = post(client, "name,Glucose,Age,Smoker\nSecret Name,abc,50,1\n")
    assert "Secret" not in json.dumps(refused(response, 422))
