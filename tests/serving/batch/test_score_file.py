"""`python -m serving score` as its users call it."""

import gzip
import io
import re
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace
from pyarrow import parquet

from serving.__main__ import main
from serving.batch import score_file
from serving.model.reading import Read
from serving.predictor import answer
from tests.serving.batch.files import (
    ANSWERS,
    HEADER,
    left_behind,
    probabilities,
    read_csv,
    write_parquet,
)
from tests.serving.small_model import (
    CONTRACT,
    ROWS,
    WITH_ANY_WORD,
    WITH_WORDS,
    expected_probability,
)
from tests.workbooks import write_workbook

# Usual and unusual values, other columns, and cells of every kind.
TABLE = (
    'id, Glucose ,Age,"note",Smoker,\n'
    "007,148,50,=1+1,true,x\n"
    '008, +8.5e1 ,31.,"a ""quoted"", cell",FALSE,\n'
    "009,NA,22,two\u00a0words,1, \n"
    "\n"
    '010,0,22,"two\nlines",1,ü\n'
    "011,300,100,,0,NaN\n"
)
COLUMNS = {
    "Glucose": [148.0, 85.0, None, 0.0],
    "Age": [50, 31, 22, 22],
    "Smoker": [True, False, True, True],
}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE, newline="")
    return path


@pytest.fixture
def columns(tmp_path):
    return write_parquet(tmp_path / "table.parquet", **COLUMNS)


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_csv_file_gets_the_answer_that_predict_gives_to_the_byte(
    score, client, tmp_path, newline, bom
):
    body = (bom + TABLE.replace("\n", newline)).encode()
    (tmp_path / "in.csv").write_bytes(body)
    assert score("in.csv", "--out", "out.csv") == 0
    response = client.post("/predict", data=body, content_type="text/csv")
    assert response.status_code == 200
    assert (tmp_path / "out.csv").read_bytes() == response.get_data()


EXPORT = Read(separator=";", decimal=",", encoding="cp1252", skip=1)
EXPORTED = (
    "Größe der Stichprobe\n"
    "Glucose;Age;Smoker;note\n"
    '148,5;50;true;"Tür; zu"\n'
    '85; 31 ;FALSE; "a, b"\n'
    ";;;\n"
    "?;22;1;ü\n"
)


@pytest.mark.parametrize(
    "contract", [replace(CONTRACT, table_format=EXPORT)], ids=["semicolons and decimal commas"]
)
def test_a_file_as_the_model_s_own_table_gets_the_answer_that_predict_gives_to_the_byte(
    score, client, tmp_path
):
    body = EXPORTED.encode("cp1252")
    (tmp_path / "in.csv").write_bytes(body)
    assert score("in.csv", "--out", "out.csv") == 0
    response = client.post("/predict", data=body, content_type="text/csv; charset=windows-1252")
    assert (tmp_path / "out.csv").read_bytes() == response.get_data()
    header, first, *_ = response.text.splitlines()
    assert header == "Glucose;Age;Smoker;note;label;probability;warnings"
    assert re.fullmatch(r'148,5;50;true;"Tür; zu";yes;0,\d+;', first)


def test_compressed_csv_gets_the_answers_of_plain_csv(score, table, tmp_path):
    assert score(table, "--out", "plain.csv") == 0
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    with zipfile.ZipFile("in.zip", "w") as archive:
        archive.write(table, "table.csv")
    for name in ("in.csv.gz", "in.zip"):
        assert score(name, "--out", f"{name}.csv") == 0
        assert (tmp_path / f"{name}.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


@pytest.mark.parametrize(
    "contract", [replace(CONTRACT, table_format=Read(skip=1))], ids=["a title"]
)
def test_a_workbook_gets_the_answers_of_the_same_parquet_file(score, columns, tmp_path):
    rows = [list(row) for row in zip(*COLUMNS.values(), strict=True)]
    assert score(columns, "--out", "same.parquet") == 0
    for name, title in (("plain", []), ("titled", [["A title"]])):
        cells = [*title, list(COLUMNS), *rows, [], ["", None, " "]]
        write_workbook(tmp_path / f"{name}.xlsx", {"one": cells, "two": [["x"]]})
        assert score(f"{name}.xlsx", "--out", f"{name}.parquet") == 0
        assert probabilities(tmp_path / f"{name}.parquet") == probabilities(
            tmp_path / "same.parquet"
        )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'[{"Glucose": 148}]', "in.csv is JSON: save the table as CSV, Parquet or .xlsx."),
        (gzip.compress(TABLE.encode())[:-15], "in.csv is damaged: it cannot be decompressed."),
    ],
)
def test_what_is_no_table_is_named(score, tmp_path, capsys, content, why):
    (tmp_path / "in.csv").write_bytes(content)
    assert score("in.csv", "--out", "out.csv") == 1
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_a_parquet_file_gets_the_answers_that_predict_gives(score, columns, served):
    assert score(columns, "--out", "out.parquet") == 0
    out = parquet.read_table("out.parquet")
    assert out.select(list(COLUMNS)).to_pydict() == COLUMNS
    expected = answer(served, ROWS).predictions
    assert out["probability"].to_pylist() == [p.probability for p in expected]
    assert out["label"].to_pylist() == [p.label for p in expected]
    assert out["warnings"].to_pylist() == ["", "", "", ""]
    assert out.schema.types[-3:] == [pa.string(), pa.float64(), pa.string()]
    assert out["probability"].to_pylist() == pytest.approx(
        [expected_probability(row) for row in ROWS], rel=1e-12
    )


def test_every_format_gets_the_same_answers(score, table, tmp_path):
    assert score(table, "--out", "a.csv") == 0
    assert score(table, "--out", "b.parquet") == 0
    (tmp_path / "named.csv").write_text(TABLE.replace(",\n", ",last\n", 1), newline="")
    assert score("named.csv", "--out", "c.parquet") == 0
    header, *rows = read_csv(tmp_path / "a.csv")
    found = parquet.read_table("b.parquet")
    assert found.column_names == header
    as_text = [
        [str(v) if name in ANSWERS[:2] else v for v in found[name].to_pylist()] for name in header
    ]
    assert [list(row) for row in zip(*as_text, strict=True)] == rows
    kept = parquet.read_table("c.parquet").drop_columns(ANSWERS)
    parquet.write_table(kept, "again.parquet")
    assert score("again.parquet", "--out", "d.csv") == 0
    assert read_csv(tmp_path / "d.csv")[1:] == rows


def test_what_is_unusual_is_in_the_warnings(score, tmp_path):
    write_parquet(tmp_path / "in.parquet", Glucose=[300.0], Age=[100], Smoker=[1])
    assert score("in.parquet", "--out", "out.parquet") == 0
    assert parquet.read_table("out.parquet")["warnings"].to_pylist() == [
        "Glucose 300 is outside the range seen in training, 44 to 199; "
        "Age 100 is outside the range seen in training, 21 to 81"
    ]


def test_the_rows_of_many_chunks_keep_their_order(score, tmp_path):
    rows = 300_000
    age = np.arange(rows) % 60 + 21
    write_parquet(tmp_path / "in.parquet", Glucose=np.full(rows, 120.0), Age=age, Smoker=age % 2)
    assert score("in.parquet", "--out", "one.parquet", "--jobs", 1) == 0
    assert score("in.parquet", "--out", "all.parquet", "--jobs", 3) == 0
    out = parquet.read_table("all.parquet")
    assert out["Age"].to_pylist() == age.tolist()
    expected = {
        a: expected_probability({"Glucose": 120, "Age": a, "Smoker": a % 2}) for a in range(21, 81)
    }
    np.testing.assert_allclose(out["probability"], [expected[a] for a in age], rtol=1e-12)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "all.parquet").read_bytes()


BAD = HEADER + "148,50,1\n148,50\n5000,50.5,1\nabc,50,yes\n148,50,0\n148,50,1,9\n"
REASONS = {
    2: "has 2 fields, the header has 3",
    3: "Glucose: 5000 is above the highest possible, 1000; Age: 50.5 is not a whole number",
    4: 'Glucose: "abc" is not a number; Smoker: "yes" is not true or false',
    6: "has 4 fields, the header has 3",
}


def test_a_bad_row_is_told_and_the_rest_is_scored(score, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(BAD)
    assert score("in.csv", "--out", "out.csv") == 1
    assert [row[:3] for row in read_csv(tmp_path / "out.csv")[1:]] == [
        ["148", "50", "1"],
        ["148", "50", "0"],
    ]
    *told, summary = capsys.readouterr().err.splitlines()
    assert told == [f"row {row}: {reason}" for row, reason in REASONS.items()]
    assert summary.startswith("out.csv: 2 of 6 rows scored by heart version 1 (production) in ")
    assert summary.endswith(
        "; 4 have no answer (--rejects FILE would keep them, with the reasons)."
    )


def test_bad_rows_that_go_to_a_file_are_no_failure(score, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(BAD)
    assert score("in.csv", "--out", "out.csv", "--rejects", "bad.csv") == 0
    assert read_csv(tmp_path / "bad.csv") == [
        ["row", "reason", "Glucose", "Age", "Smoker"],
        ["2", REASONS[2], "148", "50", ""],
        ["3", REASONS[3], "5000", "50.5", "1"],
        ["4", REASONS[4], "abc", "50", "yes"],
        ["6", REASONS[6], "148", "50", "1"],
    ]
    assert capsys.readouterr().err.endswith("; bad.csv has the 4 without an answer.\n")


def test_a_bad_row_of_a_parquet_file_is_told_alike(score, tmp_path):
    write_parquet(
        tmp_path / "in.parquet",
        Glucose=["148", "abc", None, "5000"],
        Age=[50.0, 50.0, None, 50.5],
        Smoker=[1, 1, 1, 2],
        when=pa.array([0, 1, 2, 3], pa.timestamp("s")),
    )
    assert score("in.parquet", "--out", "out.csv", "--rejects", "bad.csv") == 0
    assert len(read_csv(tmp_path / "out.csv")) == 2
    assert [row[:3] for row in read_csv(tmp_path / "bad.csv")[1:]] == [
        ["2", 'Glucose: "abc" is not a number', "abc"],
        ["3", "Age: is missing, and may not be", ""],
        [
            "4",
            "Glucose: 5000 is above the highest possible, 1000; Age: 50.5 is not a whole number; "
            "Smoker: 2 is neither true (1) nor false (0)",
            "5000",
        ],
    ]


def test_only_the_first_ten_bad_rows_are_told(score, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(HEADER + "148,50,1\n" + "148,5,1\n" * 25)
    assert score("in.csv", "--out", "out.csv") == 1
    *told, summary = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in told] == [f"row {i}" for i in range(2, 12)]
    assert "1 of 26 rows" in summary


def test_bad_rows_are_counted_over_all_chunks(score, tmp_path, capsys):
    age = np.full(400_000, 50)
    age[[10, 399_999]] = 5
    write_parquet(tmp_path / "in.parquet", Glucose=np.full(400_000, 120.0), Age=age, Smoker=age % 2)
    assert score("in.parquet", "--out", "out.parquet", "--rejects", "bad.csv") == 0
    assert [row[0] for row in read_csv(tmp_path / "bad.csv")[1:]] == ["11", "400000"]
    assert capsys.readouterr().err.startswith("row 11: Age: 5 is below the lowest possible, 18\n")
    assert parquet.read_metadata("out.parquet").num_rows == 399_998


def test_the_columns_of_the_rejects_do_not_clash_with_the_table_s(score, tmp_path):
    (tmp_path / "in.csv").write_text("row,Glucose,Age,Smoker\n7,148,5,1\n")
    assert score("in.csv", "--out", "out.csv", "--rejects", "bad.csv") == 0
    assert read_csv(tmp_path / "bad.csv")[0][:3] == ["rejected_row", "rejected_reason", "row"]


def test_rejects_without_a_bad_row_hold_a_header(score, columns, tmp_path):
    (tmp_path / "bad.csv").write_text("of the last time")
    assert score(columns, "--out", "out.csv", "--rejects", "bad.csv") == 0
    assert read_csv(tmp_path / "bad.csv") == [["row", "reason", "Glucose", "Age", "Smoker"]]


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
@pytest.mark.parametrize("body", [HEADER, HEADER.strip(), HEADER + "\n  \n"])
def test_a_table_without_rows_is_scored_to_one_without_rows(score, tmp_path, out, body):
    (tmp_path / "in.csv").write_text(body)
    assert score("in.csv", "--out", out) == 0
    assert probabilities(tmp_path / out) == []


def test_a_parquet_table_without_rows_is_scored_to_one_without_rows(score, tmp_path):
    empty = pa.array([], pa.float64())
    write_parquet(tmp_path / "in.parquet", Glucose=empty, Age=empty, Smoker=empty)
    assert score("in.parquet", "--out", "out.parquet") == 0
    assert parquet.read_table("out.parquet").num_rows == 0


def test_a_table_of_bad_rows_alone_has_an_output_without_rows(score, tmp_path):
    (tmp_path / "in.csv").write_text(HEADER + "148,5,1\n")
    assert score("in.csv", "--out", "out.parquet") == 1
    assert parquet.read_table("out.parquet").num_rows == 0


def test_what_pandas_knows_of_a_table_is_kept(score, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS, index=pandas.Index(list("abcd"), name="patient"))
    frame["kind"] = pandas.Categorical(["x", "y", "x", "y"])
    frame.to_parquet("in.parquet")
    assert score("in.parquet", "--out", "out.parquet") == 0
    found = pandas.read_parquet("out.parquet")
    pandas.testing.assert_frame_equal(found[frame.columns], frame)
    assert list(found.columns[-3:]) == ANSWERS


def test_the_summary_stands_on_stderr_alone(score, columns, capsys):
    assert score(columns, "--out", "out.csv") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("out.csv: 4 rows scored by heart version 1 (production) in ")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("no.csv", None, "no.csv cannot be read: No such file or directory."),
        (".", None, ". is no file."),
        ("in.csv", "", "in.csv: The table is empty: it needs a header and rows."),
        ("in.csv", "Glucose,id\n1,2\n", "in.csv: The table lacks the columns Age, Smoker."),
        (
            "in.csv",
            "Glucose;Age;Smoker\n1;2;3\n",
            "in.csv: The table is separated by semicolons: commas are needed.",
        ),
        (
            "in.csv",
            "Age,Glucose,Smoker,Age\n",
            "in.csv: The column Age is in the header twice.",
        ),
        (
            "in.csv",
            "Glucose,Age,Smoker,label\n",
            "in.csv: The table has a column label, which the answer adds: leave it out.",
        ),
        (
            "in.csv",
            HEADER.encode("utf-16"),
            "in.csv: The header is not UTF-8 (byte 0xff): save the table as CSV UTF-8.",
        ),
        ("in.parquet", HEADER, "in.parquet is no Parquet file, or a damaged one."),
        ("in.csv", "PAR1 and no more", "in.csv is no Parquet file, or a damaged one."),
    ],
)
def test_a_file_that_cannot_be_scored_is_one_sentence(
    score, tmp_path, capsys, name, content, sentence
):
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
    assert score(name, "--out", "out.csv") == 1
    assert capsys.readouterr().err == f"Error: {sentence}\n"
    assert not (tmp_path / "out.csv").exists()
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([[1.0]]), "list<item: double>"),
        (pa.array([0], pa.timestamp("us")), "timestamp[us]"),
        (pa.array([b"1"]), "binary"),
    ],
)
def test_a_feature_of_another_type_is_one_sentence(score, tmp_path, capsys, column, kind):
    write_parquet(tmp_path / "in.parquet", Glucose=column, Age=[50], Smoker=[1])
    assert score("in.parquet", "--out", "out.csv") == 1
    told = capsys.readouterr().err.replace("element:", "item:")
    assert told == (
        f"Error: in.parquet has {kind} in the column Glucose, where numbers, booleans or text "
        "are needed.\n"
    )


@pytest.mark.parametrize("words", [["--out", "o.csv"], ["--out", "o.parquet", "--rejects", "r"]])
def test_a_column_that_csv_cannot_hold_is_one_sentence(score, tmp_path, capsys, words):
    write_parquet(tmp_path / "in.parquet", Glucose=[148], Age=[50], Smoker=[1], tags=[["a"]])
    assert score("in.parquet", *words) == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: in.parquet has list<")
    assert "in the column tags, which CSV" in told
    assert told.count("\n") == 1
    assert score("in.parquet", "--out", "o.parquet") == 0
    assert parquet.read_table("o.parquet")["tags"].to_pylist() == [["a"]]


def test_parquet_cannot_hold_several_columns_without_a_name(score, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(",Glucose,Age,Smoker, \n1,148,50,1,2\n")
    assert score("in.csv", "--out", "out.parquet") == 1
    assert "several columns without a name" in capsys.readouterr().err
    assert score("in.csv", "--out", "out.csv") == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "table.csv"], "--out is the file to score, table.csv: name another file."),
        (["--out", "link.csv"], "--out is the file to score, link.csv: name another file."),
        (
            ["--out", "out.csv", "--rejects", "./out.csv"],
            "--rejects is --out, out.csv: name another file.",
        ),
        (
            ["--out", "out.csv", "--rejects", "table.csv"],
            "--rejects is the file to score, table.csv: name another file.",
        ),
        (["--out", "no/out.csv"], "no/out.csv cannot be written: No such file or directory."),
        (["--out", "d.csv"], "d.csv cannot be written: Is a directory."),
    ],
)
def test_an_output_that_cannot_be_is_one_sentence(score, table, tmp_path, capsys, words, sentence):
    (tmp_path / "link.csv").symlink_to(table)
    (tmp_path / "d.csv").mkdir()
    assert score("table.csv", *words) == 1
    assert capsys.readouterr().err.endswith(f"Error: {sentence}\n")
    assert table.read_bytes() == TABLE.encode()
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        ["in.csv"],
        ["--out", "out.csv"],
        ["in.csv", "--out", "out.xlsx"],
        ["in.csv", "--out", "out.csv", "--jobs", "0"],
        ["in.csv", "--out", "out.csv", "--backend", "dask"],
        ["in.csv", "--out", "out.csv", "--scheduler", "tcp://127.0.0.1:8786"],
        ["in.csv", "--out", "out.csv", "--backend", "dask", "--scheduler", "127.0.0.1:8786"],
        ["in.csv", "--out", "out.csv", "--backend", "ray"],
    ],
)
def test_wrong_usage_has_a_code_of_its_own(score, capsys, words):
    assert score(*words) == 2
    assert "Usage: python -m serving score" in capsys.readouterr().err


def test_help_shows_examples(capsys):
    assert main(["score", "--help"]) == 0
    told = capsys.readouterr().out
    assert "python -m serving score new.csv --out scored.csv --rejects rejects.csv" in told


def test_without_a_model_the_terminal_is_told_what_to_run(table, capsys):
    assert main(["score", "--offline", str(table), "--out", "out.csv"]) == 1
    assert "dvc repro" in capsys.readouterr().err


def test_score_asks_the_registry_first_and_answers_without_it(stored, table, capsys):
    assert main(["score", str(table), "--out", "out.csv"]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("heart version 1 (production) goes on answering, from the store.")
    assert "scored by heart version 1 (production)" in second


def test_the_other_commands_do_not_import_what_scores_files():
    script = (
        "import serving.__main__, sys; print({'pyarrow', 'tqdm', 'distributed'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


WORDS = (
    'Glucose,Age,Smoker\n148,50,"now, and then"\n148,50, daily\n148,50,?\n148,50,\n300,50,hourly\n'
)


@pytest.mark.parametrize("contract", [WITH_ANY_WORD], ids=["unseen is missing"])
def test_a_csv_file_with_categories_gets_the_answer_that_predict_gives_to_the_byte(
    score, client, tmp_path
):
    (tmp_path / "in.csv").write_text(WORDS)
    assert score("in.csv", "--out", "out.csv") == 0
    response = client.post("/predict", data=WORDS.encode(), content_type="text/csv")
    assert (tmp_path / "out.csv").read_bytes() == response.get_data()
    assert "was not among the categories" in response.text


@pytest.mark.parametrize("contract", [WITH_WORDS], ids=["unseen is refused"])
def test_a_text_that_is_no_category_has_no_answer_and_is_told(score, capsys, tmp_path):
    (tmp_path / "in.csv").write_text(WORDS)
    assert score("in.csv", "--out", "out.csv", "--rejects", "rejects.csv") == 0
    said = '"hourly" is none of the categories never, now, and then, daily'
    assert f"row 5: Smoker: {said}" in capsys.readouterr().err
    assert read_csv(tmp_path / "rejects.csv")[1] == ["5", f"Smoker: {said}", "300", "50", "hourly"]
    assert len(read_csv(tmp_path / "out.csv")) == 5


@pytest.mark.parametrize("contract", [WITH_WORDS], ids=["texts"])
def test_a_parquet_file_has_categories_as_texts_or_a_dictionary_of_them(score, tmp_path):
    words = pa.array(["never", "daily", "?", None])
    for name, column in (("texts", words), ("dictionary", words.dictionary_encode())):
        path = write_parquet(tmp_path / f"{name}.parquet", **{**COLUMNS, "Smoker": column})
        assert score(path, "--out", f"{name}-scored.parquet") == 0
        found = probabilities(tmp_path / f"{name}-scored.parquet")
        rows = zip(COLUMNS["Glucose"], COLUMNS["Age"], [0, 2, 0, 0], strict=True)
        assert found == pytest.approx(
            [expected_probability(dict(zip(ROWS[0], row, strict=True))) for row in rows], rel=1e-12
        )


@pytest.mark.parametrize("contract", [WITH_WORDS], ids=["texts"])
def test_a_category_in_a_column_of_numbers_is_refused(score, columns, capsys):
    assert score(columns, "--out", "out.csv") == 1
    assert (
        "has bool in the column Smoker, where text or whole numbers are needed."
        in capsys.readouterr().err
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_and_bad_rows_above_it(score, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    (tmp_path / "in.csv").write_text("Glucose,Age,Smoker\n148,50,1\n148,5,1\n")
    assert score("in.csv", "--out", "out.csv") == 1
    told = sys.stderr.getvalue()
    assert "2.00/2.00" in told
    assert "row 2: Age: 5 is below the lowest possible, 18\n" in told


def test_a_log_has_whole_lines_of_progress(score, table, monkeypatch, capsys):
    monkeypatch.setitem(score_file.LOG_LINES, "delay", 0)
    monkeypatch.setitem(score_file.LOG_LINES, "mininterval", 0)
    assert score("table.csv", "--out", "out.csv") == 0
    assert "rows, 100%, 00:00 left\n" in capsys.readouterr().err
