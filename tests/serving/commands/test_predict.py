"""`predict --explain`: the answer of `/explain`, for people and for programs."""

import json
import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from serving.__main__ import main
from serving.model.explanation import Explainer
from tests.serving.explained_model import BACKGROUND, write_svm
from tests.serving.small_model import CONTRACT, SPECIES, write

ROW = {"Glucose": 148, "Age": 50, "Smoker": True}
WORDS = ["148", "50", "true"]


@pytest.fixture
def make_model(contract):
    return lambda directory: write_svm(directory, contract)


@pytest.fixture(autouse=True)
def _environment(command_environment, monkeypatch, stored):
    monkeypatch.setenv("COLUMNS", "80")


def explain(*words: str) -> int:
    return main(["predict", "--offline", "--explain", *words])


def test_the_answer_is_followed_by_a_bar_for_each_feature(client, capsys):
    assert explain(*WORDS) == 0
    told = capsys.readouterr()
    answer, end = json.JSONDecoder().raw_decode(told.out)
    assert answer == client.post("/predict", json=ROW).get_json()
    (explanation,) = client.post("/explain", json=ROW).get_json()["explanations"]
    said, bars = told.out[end:].strip().split("\n\n")
    assert f"From the average of {BACKGROUND} training rows, " in said
    expected = [(c["feature"], f"{c['log_odds']:+.3f}") for c in explanation["contributions"]]
    for (feature, log_odds), line in zip(expected, bars.splitlines(), strict=True):
        assert line.startswith(f"{feature} ")
        assert f" {log_odds} " in line
        assert line.endswith("│") == (float(log_odds) < 0)
    assert max(map(len, told.out.splitlines())) <= 80
    assert told.err == ""


def test_as_json_it_is_the_answer_of_explain(client, capsys):
    assert explain("--json", "--class", "no", *WORDS) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == client.post("/explain?class=no", json=ROW).get_json()


@pytest.mark.parametrize("contract", [SPECIES], ids=["three classes"])
def test_of_more_classes_the_predicted_one_is_explained_unless_another_is_asked_for(client, capsys):
    predicted = client.post("/predict", json=ROW).get_json()["predictions"][0]["label"]
    for words, expected in (([], predicted), (["--class", "7"], 7)):
        assert explain("--json", *words, *WORDS) == 0
        (explanation,) = json.loads(capsys.readouterr().out)["explanations"]
        assert explanation["class"] == expected


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--class", "maybe", *WORDS], 1, "There is no class `maybe`; the classes are no, yes."),
        (["148", "5", "1"], 1, "Age: 5 is below the lowest possible, 18."),
    ],
)
def test_a_mistake_is_one_sentence(capsys, words, code, sentence):
    assert explain(*words) == code
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"Error: {sentence}\n")


@pytest.mark.parametrize("option", [["--json"], ["--class", "no"]])
def test_what_only_an_explanation_has_is_refused_without_one(capsys, option):
    assert main(["predict", "--offline", *option, *WORDS]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{option[0]} is for an explanation: give --explain as well." in told.err


class TestAVersionWithoutAnExplanation:
    @pytest.fixture
    def make_model(self, contract):
        return lambda directory: write(directory, contract)

    def test_it_is_one_sentence_and_no_answer(self, capsys):
        assert explain(*WORDS) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err == (
            "Error: Version 1 came without what explanations need: train and promote "
            "one with this release (`dvc repro`).\n"
        )


def test_an_explanation_that_is_not_of_the_answer_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(Explainer, "disagreement", lambda *_: "it is off")
    monkeypatch.setattr(Explainer, "check", lambda *_: None)
    assert explain(*WORDS) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "Error: What explains heart version 1 (production) does not make up its" in told.err


@pytest.mark.parametrize(
    "contract", [replace(CONTRACT, class_names=("nein", "möglich"))], ids=["a name with ö"]
)
@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "│█"), ("latin-1", "|#"), ("ascii", "|#")])
def test_bars_are_blocks_where_the_console_has_them(encoding, bar):
    command = [sys.executable, "-m", "serving", "predict", "--offline", "--explain", *WORDS]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert bar in done.stdout.decode(encoding)
    assert done.stderr == b""
