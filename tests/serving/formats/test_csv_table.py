"""A CSV table becomes rows, or one sentence says why not; it comes back cell for cell."""

import csv
import io

import msgspec
import pytest

from serving.errors import InvalidBodyError, MalformedBodyError, TooLargeError
from serving.formats.csv_table import Table, answer_columns, read_table, to_csv, to_rows
from serving.model.reading import Read
from serving.model.rows import to_matrix
from serving.model.validation import InvalidRowsError

MOST = 20
HEADER = "Glucose,Age,Smoker\n"
TABLE = HEADER + "148,50,true\n"
ADDED = ["label", "probability", "warnings"]


@pytest.fixture
def table_of(contract):
    return lambda text: read_table(
        contract, text if isinstance(text, bytes) else text.encode(), MOST
    )


@pytest.fixture
def rows_of(contract, table_of):
    return lambda text: to_rows(contract, table_of(text))


@pytest.fixture
def refusal(table_of):
    def of(text, kind):
        with pytest.raises(kind) as raised:
            table_of(text)
        return raised.value

    return of


def columns_of(contract, *names):
    features = [
        msgspec.structs.replace(f, name=n) for f, n in zip(contract.features, names, strict=True)
    ]
    return msgspec.structs.replace(contract, features=tuple(features))


@pytest.mark.parametrize(
    "body",
    [
        TABLE,
        "\ufeff" + TABLE,
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        TABLE.removesuffix("\n"),
        TABLE.replace("\n", "\n\n   \n"),
        TABLE + ",,\n, ,\n",
        HEADER.replace("\n", ",\n") + "148,50,true\n",
        HEADER + "148,50,true,\n",
        '"Glucose", "Age", "Smoker"\n148, "50", true\n',
        '"Glucose","Age","Smoker"\n"148","50","true"\n',
        HEADER + " 148 ,\u00a050, True\n",
        HEADER + "+1.48e2,50.,1\n",
        HEADER + "148,50,1.0\n",
        "id,Smoker,Age ,note,Glucose,\n007,1,50,NaN,148,=1+1\n",
        ",Glucose,Age,Smoker, ,\n0,148,50,1,a,b\n",
    ],
)
def test_same_row_written_otherwise(rows_of, body):
    assert rows_of(body) == [{"Glucose": 148, "Age": 50, "Smoker": 1}]


@pytest.mark.parametrize("word", ["", "  ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
def test_words_for_missing_are_those_of_the_pipeline(rows_of, word):
    assert rows_of(HEADER + f"{word},50,true\n")[0]["Glucose"] is None


NO_NUMBERS = (
    *("abc", "inf", "-Infinity", "+", "1_000", "1,5", "0x10", "1 2", "١٢", "５", "true"),
    *("a.", "1e"),
)


@pytest.mark.parametrize(
    ("row", "details"),
    [
        *((f'"{word}",50,true', [f'Glucose "{word}" is not a number']) for word in NO_NUMBERS),
        ("1e999,50,1", ["Glucose inf is not a finite number"]),
        ("148,50,yes", ['Smoker "yes" is not true or false']),
        ("148,,1", ["Age is missing, and may not be"]),
        (
            "5000,50.5,2",
            [
                "Glucose 5000 is above the highest possible, 1000",
                "Age 50.5 is not a whole number",
                "Smoker 2 is neither true (1) nor false (0)",
            ],
        ),
    ],
)
def test_cells_that_the_contract_refuses(contract, rows_of, row, details):
    with pytest.raises(InvalidRowsError) as raised:
        to_matrix(contract, rows_of(f"{TABLE}{row}\n"))
    assert [f"{v.feature} {v.detail}" for v in raised.value.violations] == details
    assert {v.row for v in raised.value.violations} == {1}


@pytest.mark.parametrize(
    ("header", "detail", "pointers"),
    [
        ("Glucose,id", "The table lacks the columns Age, Smoker.", ["/Age", "/Smoker"]),
        ("Age,Smoker", "The table lacks the column Glucose.", ["/Glucose"]),
        ("Sex; smoker,Glucose,Age", "The table lacks the column Smoker.", ["/Smoker"]),
        ("Glucose,Age,Smoker, Age", "The column Age is in the header twice.", ["/Age"]),
        ("id,Glucose,Age,Smoker,id", "The column id is in the header twice.", ["/id"]),
    ],
)
def test_header_without_the_contract_s_columns(refusal, header, detail, pointers):
    error = refusal(f"{header}\n", InvalidBodyError)
    assert error.detail == detail
    assert [each.pointer for each in error.errors] == pointers


NOT_UTF8 = "The body is not UTF-8 (byte 0xff): save the table as CSV UTF-8."
EMPTY = "The table is empty: it needs a header and rows."


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (TABLE + "148,50\n", "Row 2 has 2 fields, the header has 3."),
        (TABLE + "148,50,1,1\n", "Row 2 has 4 fields, the header has 3."),
        (TABLE + "148\n", "Row 2 has 1 field, the header has 3."),
        (
            "Glucose;Age;Smoker\n148,5;50;1\n",
            "The table is separated by semicolons: commas are needed.",
        ),
        ("Glucose\tAge\tSmoker\n", "The table is separated by tabs: commas are needed."),
        *((body, EMPTY) for body in ("", "\n\n", "\ufeff", "  \n")),
        (TABLE.encode("utf-16"), NOT_UTF8),
        (TABLE.encode() + b"\xff,1,1\n", NOT_UTF8),
        ('"Glu"cose,Age,Smoker\n148,50,1\n', "The header is not valid CSV: "),
        (HEADER + '"148"0,50,1\n', "Row 1 is not valid CSV: "),
        (TABLE + '"148,50,1\n', "Row 2 is not valid CSV: "),
        (
            HEADER + "9" * (csv.field_size_limit() + 1) + ",50,1\n",
            "Row 1 is not valid CSV: field larger than field limit",
        ),
    ],
)
def test_what_is_no_table(refusal, body, detail):
    error = refusal(body, MalformedBodyError)
    assert error.detail.startswith(detail)
    pointers = [f"/rows/{int(detail[4]) - 1}"] if detail.startswith("Row") else []
    assert [each.pointer for each in error.errors] == pointers


def test_most_rows_are_read_and_one_more_is_not(rows_of, refusal):
    assert len(rows_of(HEADER + "148,50,1\n" * MOST)) == MOST
    assert refusal(HEADER + "148,50,1\n" * (MOST + 1), TooLargeError).detail == (
        "The body has more than 20 rows, the most taken at once."
    )


def test_one_column_keeps_a_row_that_is_empty_in_quotes(contract):
    contract = msgspec.structs.replace(contract, features=contract.features[:1])
    table = read_table(contract, b'Glucose\n148\n""\n\n85\n', MOST)
    assert [row["Glucose"] for row in to_rows(contract, table)] == [148, None, 85]


def test_name_with_a_separator_in_it(contract):
    contract = msgspec.structs.replace(contract, features=contract.features[:1])
    contract = columns_of(contract, "Glucose; fasting")
    table = read_table(contract, b"Glucose; fasting\n148\n", MOST)
    assert to_rows(contract, table) == [{"Glucose; fasting": 148.0}]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_cells_come_back_as_they_were_written(table_of, newline):
    written = [
        [" Glucose", "Age ", "Smoker", "a", "b", "c", "d"],
        ["  1.480E2 ", " 50.0", "TRUE ", 'a "quoted", cell', "two\nlines", "=1+1", "ü"],
    ]
    if newline == "\r\n":
        written[1][4:6] = ["two\r\nlines", "lone\rreturn"]
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=newline).writerows(written)
    text = to_csv(table_of(out.getvalue()), ADDED, [1], [[0.1]], [[]]).decode()
    assert text.endswith(newline)
    assert text.count(newline) == out.getvalue().count(newline)
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert found == [[*written[0], *ADDED], [*written[1], "1", "0.1", ""]]


def test_probability_reads_back_the_same():
    table = Table(["a"], [["1"], ["2"]], "\n")
    text = to_csv(table, ADDED, [0, 1], [[0.1, 1 / 3]], [[], ["x", "y"]]).decode()
    assert text == "a,label,probability,warnings\n1,0,0.1,\n2,1,0.3333333333333333,x; y\n"


@pytest.mark.parametrize("name", ADDED)
def test_column_that_the_answer_adds_may_not_be_there(contract, name):
    with pytest.raises(InvalidBodyError) as raised:
        answer_columns(contract, ["Glucose", "Age", "Smoker", f" {name}"])
    assert raised.value.detail == (
        f"The table has a column {name}, which the answer adds: leave it out."
    )


def test_answers_get_a_prefix_beside_a_feature_of_their_name(contract):
    contract = columns_of(contract, "probability", "Age", "Smoker")
    assert answer_columns(contract, ["probability", "Age", "Smoker", "label"]) == [
        "predicted_label",
        "predicted_probability",
        "predicted_warnings",
    ]


def test_own_table_can_be_scored_whose_target_has_a_name_of_the_answer(contract):
    contract = msgspec.structs.replace(contract, target="label")
    header = ["Glucose", "Age", "Smoker", "label"]
    assert answer_columns(contract, header)[0] == "predicted_label"


EXPORT = Read(separator=";", decimal=",", encoding="cp1252", skip=1, na_values=("k. A.", -1.0))
EXPORTED = 'Größe der Stichprobe\n"Glucose"; "Age";Smoker;\n148,5; 50;k. A.;\n-1,0;51;true\n;;;\n'
IN_PLAIN_CSV = "Age,Glucose,Smoker\n50,148.5,\n51,-1,true\n"


def with_format(contract, **settings):
    return msgspec.structs.replace(contract, table_format=Read(**settings))


@pytest.mark.parametrize("body", [EXPORTED.encode("cp1252"), IN_PLAIN_CSV.encode()])
def test_a_table_is_read_as_plain_csv_or_as_the_model_s_own(contract, body):
    contract = msgspec.structs.replace(contract, table_format=EXPORT)
    assert to_rows(contract, read_table(contract, body, MOST)) == [
        {"Glucose": 148.5, "Age": 50, "Smoker": None},
        {"Glucose": None, "Age": 51, "Smoker": True},
    ]


def test_an_answer_is_written_as_its_table_is(contract):
    contract = msgspec.structs.replace(contract, table_format=EXPORT)
    table = read_table(contract, EXPORTED.encode("cp1252"), MOST)
    text = to_csv(table, ADDED, [1, 0], [[0.25, 0.5]], [["a"], []]).decode()
    assert text.splitlines()[1] == "148,5;50;k. A.;;1;0,25;a"


def test_where_both_fit_a_table_is_plain_csv(contract):
    contract = with_format(columns_of(contract, "a", "b", "c"), separator=";")
    assert read_table(contract, b"a,b,c\n1,2,0\n", MOST).read == Read()
    one = msgspec.structs.replace(contract, features=contract.features[:1])
    assert read_table(one, b"a\n1\n", MOST).read == Read()


def test_cells_decide_where_no_header_can(contract):
    contract = with_format(contract, decimal=",")
    rows = to_rows(contract, read_table(contract, (HEADER + '"1,5",50,1\n1.5,51,0\n').encode(), 9))
    assert [row["Glucose"] for row in rows] == [1.5, 1.5]


def test_a_point_is_no_decimal_where_decimals_have_commas(contract):
    contract = with_format(contract, separator=";", decimal=",")
    (row,) = to_rows(contract, read_table(contract, b"Glucose;Age;Smoker\n1.234;50;1\n", MOST))
    assert row["Glucose"] == "1.234"


def test_what_fits_neither_is_told_what_is_needed(contract):
    contract = with_format(contract, separator=";", decimal=",")
    with pytest.raises(MalformedBodyError) as raised:
        read_table(contract, b"Glucose\tAge\tSmoker\n1\t50\t1\n", MOST)
    assert raised.value.detail == (
        "The table is separated by tabs: plain CSV is needed, or a table separated by semicolons, "
        "with decimal commas."
    )
