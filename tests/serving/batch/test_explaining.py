"""`score --explain`: the explanations of `/explain`, for files of any size."""

import re
import signal
import subprocess
import sys

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from serving.batch import explaining
from serving.batch.chunk_scoring import Part
from serving.batch.explaining import Explaining, cut
from serving.batch.table import Chunk, ScoringError
from serving.model.explanation import Explainer
from serving.model.reading import Read
from tests.running import eventually
from tests.serving.batch.files import HEADER, left_behind, read_csv, write_large, write_parquet
from tests.serving.explained_model import write_svm
from tests.serving.small_model import CONTRACT, SPECIES, with_features, write
from tests.workbooks import write_workbook

ADDED = ["base", "contribution_Glucose", "contribution_Age", "contribution_Smoker"]
TABLE = (
    "id, Glucose ,Age,Smoker,\n"
    "007,148,50,true,x\n"
    "008, +8.5e1 ,31.,FALSE,\n"
    '009,NA,22,1,"a, b"\n'
    "010,0,22,1,ü\n"
    "011,300,100,0,NaN\n"
)
NAN = float("nan")


@pytest.fixture
def make_model(contract):
    return lambda directory: write_svm(directory, contract)


@pytest.fixture
def small_pieces(monkeypatch):
    """Cut chunks into pieces of a few rows."""
    monkeypatch.setattr(explaining, "PIECE", 100_000)


def explained(path):
    """Give the columns of explanations in a file, of either format."""
    if path.suffix == ".parquet":
        table = parquet.read_table(path).select(ADDED)
        return np.column_stack([column.to_numpy() for column in table.columns])
    header, *rows = read_csv(path)
    assert header[-len(ADDED) :] == ADDED
    return np.array([row[-len(ADDED) :] for row in rows], dtype=float)


@pytest.mark.parametrize(
    "contract",
    [
        CONTRACT,
        SPECIES,
        msgspec.structs.replace(CONTRACT, target="base"),
        msgspec.structs.replace(CONTRACT, table_format=Read(separator=";", decimal=",")),
    ],
    ids=["two classes", "three classes", "a prefix", "decimal commas"],
)
def test_a_csv_file_gets_the_answer_of_explain_to_the_byte(score, client, contract, tmp_path):
    own = contract.table_format.separator == ";"
    body = TABLE.replace(",", ";").replace(".", ",") if own else TABLE
    (tmp_path / "in.csv").write_text(body)
    *_, asked = map(str, contract.classes)
    for words, query in (([], ""), (["--class", asked], f"?class={asked}")):
        assert score("in.csv", "--out", "out.csv", "--explain", *words) == 0
        response = client.post(f"/explain{query}", data=body.encode(), content_type="text/csv")
        assert response.status_code == 200
        assert (tmp_path / "out.csv").read_bytes() == response.get_data()


def test_every_format_gets_the_same_columns(score, tmp_path):
    columns = {"Glucose": [148.5, None, 0.0], "Age": [50, 31, 22], "Smoker": [True, False, True]}
    write_parquet(tmp_path / "in.parquet", **columns)
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    write_workbook(tmp_path / "in.xlsx", {"one": [list(columns), *rows]})
    (tmp_path / "in.csv").write_text(HEADER + "148.5,50,true\n,31,false\n0,22,true\n")
    found = []
    for source in ("in.csv", "in.parquet", "in.xlsx"):
        for out in (f"{source}.csv", f"{source}.parquet"):
            assert score(source, "--out", out, "--explain") == 0
            found.append(explained(tmp_path / out))
    assert len(np.unique(np.array(found), axis=0)) == 1
    out = parquet.read_table("in.parquet.parquet")
    assert out.column_names[-7:] == ["label", "probability", "warnings", *ADDED]
    log_odds = found[0].sum(axis=1)
    np.testing.assert_allclose(out["probability"], 1 / (1 + np.exp(-log_odds)), rtol=1e-9)


def test_pieces_of_a_few_rows_get_the_same_answers_in_their_order(score, tmp_path, monkeypatch):
    write_large(tmp_path / "in.csv", 500)
    assert score("in.csv", "--out", "whole.parquet", "--explain") == 0
    monkeypatch.setattr(explaining, "PIECE", 100_000)
    for jobs in (1, 3):
        assert score("in.csv", "--out", f"{jobs}.parquet", "--explain", "--jobs", jobs) == 0
        np.testing.assert_allclose(
            explained(tmp_path / f"{jobs}.parquet"),
            explained(tmp_path / "whole.parquet"),
            rtol=1e-12,
        )
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "3.parquet").read_bytes()


@pytest.mark.usefixtures("small_pieces")
def test_bad_rows_have_their_numbers_in_pieces_as_well(score, tmp_path, capsys):
    good = "148,50,1\n" * 300
    (tmp_path / "in.csv").write_text(HEADER + good + "148,50\n" + good + "148,5,1\n")
    assert score("in.csv", "--out", "out.csv", "--rejects", "bad.csv", "--explain") == 0
    assert [row[0] for row in read_csv(tmp_path / "bad.csv")[1:]] == ["301", "602"]
    assert len(explained(tmp_path / "out.csv")) == 600
    assert "row 301: has 2 fields, the header has 3\n" in capsys.readouterr().err


def test_a_cut_keeps_rows_and_faults_and_the_share_that_was_read():
    rows = pa.record_batch({"x": list(range(5))})
    empty = pa.record_batch({"x": pa.array([], pa.int64())})
    chunks = [Chunk(lambda: Part(rows, {3: "bad"}), 0.5), Chunk(lambda: Part(empty, {}), 1.0)]
    found = [(chunk.parse(), chunk.share) for chunk in cut(chunks, 2)]
    assert [(part.rows["x"].to_pylist(), part.faults) for part, _ in found] == [
        ([0, 1], {}),
        ([2, 3], {1: "bad"}),
        ([4], {}),
        ([], {}),
    ]
    assert [share for _, share in found] == [0.2, 0.4, 0.5, 1.0]


@pytest.mark.parametrize("body", [HEADER, HEADER + "148,5,1\n"], ids=["no rows", "bad rows alone"])
@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_without_answers_there_are_the_columns_alone(score, tmp_path, body, out):
    (tmp_path / "in.csv").write_text(body)
    assert score("in.csv", "--out", out, "--rejects", "bad.csv", "--explain") == 0
    assert explained(tmp_path / out).size == 0


def test_rows_without_an_answer_are_not_explained(served):
    found = Explaining(served.scorer.explainer, CONTRACT)
    values = np.array([[148, 50, 1], [85, 31, 0]], dtype=np.float64)
    _, probabilities = served.scorer.score(values)
    explanation = found.explain(values, np.array([NAN, probabilities[1]]))
    assert explanation.contributions.shape == (1, 3, 1)
    assert served.scorer.explainer.disagreement(explanation, probabilities[1:]) == ""
    assert found.explain(values, np.array([NAN, NAN])) is None


FREE = {"minimum": None, "maximum": None}


@pytest.mark.parametrize("contract", [with_features(FREE, {}, {})], ids=["no limits"])
def test_values_beyond_all_measure_are_explained(score, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(HEADER + "1e300,50,1\n-1e308,50,0\n")
    assert score("in.csv", "--out", "out.csv", "--explain") == 0
    assert np.isfinite(explained(tmp_path / "out.csv")).all()
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_explanations_that_are_not_of_the_answers_end_the_run(
    score, tmp_path, monkeypatch, capsys, out
):
    explain, calls = Explainer.explain, []

    def explain_wrong(self, values, *words, **more):
        found = explain(self, values, *words, **more)
        calls.append(len(values))
        return found._replace(base=found.base + 1e-7) if sum(calls) > 200 else found

    monkeypatch.setattr(Explainer, "explain", explain_wrong)
    (tmp_path / out).write_text("of the last time")
    write_large(tmp_path / "in.csv", 500)
    assert score("in.csv", "--out", out, "--explain") == 1
    _, told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"Error: What explains this version does not make up its answers \(contributions add up "
        r"to a probability that is off by \S+\): score without --explain, or promote another "
        r"version\.",
        told,
    )
    assert (tmp_path / out).read_text() == "of the last time"
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("table", "words", "sentence"),
    [
        (
            "Glucose,Age,Smoker,base\n",
            [],
            "in.csv: The table has a column base, which the answer adds: leave it out.",
        ),
        (
            "Glucose,Age,Smoker,contribution_Age\n",
            [],
            "in.csv: The table has a column contribution_Age, which the answer adds: leave it out.",
        ),
        (HEADER, ["--class", "maybe"], "There is no class `maybe`; the classes are no, yes."),
    ],
)
def test_a_mistake_is_one_sentence(score, tmp_path, capsys, table, words, sentence):
    (tmp_path / "in.csv").write_text(table)
    assert score("in.csv", "--out", "out.csv", "--explain", *words) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"Error: {sentence}"
    assert not (tmp_path / "out.csv").exists()


def test_a_class_without_explanations_is_a_mistake_of_usage(score, capsys):
    assert score("in.csv", "--out", "out.csv", "--class", "yes") == 2
    assert "--class is for explanations: give --explain as well." in capsys.readouterr().err


class TestAVersionWithoutAnExplanation:
    @pytest.fixture
    def make_model(self, contract):
        return lambda directory: write(directory, contract)

    def test_it_is_one_sentence(self, score, tmp_path, capsys):
        (tmp_path / "in.csv").write_text(TABLE)
        assert score("in.csv", "--out", "out.csv", "--explain") == 1
        assert capsys.readouterr().err == (
            "Error: Version 1 came without what explanations need: train and promote "
            "one with this release (`dvc repro`).\n"
        )
        assert not (tmp_path / "out.csv").exists()


def test_first_it_is_told_how_long_it_takes(score, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(TABLE)
    assert score("in.csv", "--out", "out.csv", "--explain", "--jobs", 2) == 0
    first, _ = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"Explanations take about \S+ ms a row and core: on 2 cores about [\d,]+ rows a minute\.",
        first,
    )


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_a_run_that_is_stopped_leaves_everything_as_it_was(stored, tmp_path, out):
    (tmp_path / out).write_text("of the last time")
    large = write_large(tmp_path / "large.parquet", 2_000_000)
    command = ["-m", "serving", "score", "--offline", str(large), "--out", out, "--explain"]
    with subprocess.Popen(
        [sys.executable, *command],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            eventually(lambda: any(tmp_path.glob(".*.part")))
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 1
    assert told.split("\n", 1)[1].strip() == "Stopped."
    assert (tmp_path / out).read_text() == "of the last time"
    assert left_behind(tmp_path) == []


def test_a_mismatch_is_found_in_what_another_process_explained(served):
    found = Explaining(served.scorer.explainer, CONTRACT)
    values = np.array([[148, 50, 1]], dtype=np.float64)
    labels, probabilities = served.scorer.score(values)
    explanation = found.explain(values, probabilities)
    rows = pa.record_batch({"x": [1]})
    answered = explaining.Answered(rows, {}, rows, labels, probabilities, [""])
    assert found.add(answered, explanation).explanations.shape == (4, 1)
    with pytest.raises(ScoringError, match="does not make up its answers"):
        found.add(answered._replace(probabilities=probabilities + 1e-6), explanation)
