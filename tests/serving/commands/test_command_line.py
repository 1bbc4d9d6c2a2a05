"""`python -m serving` as its users call it."""

import json
import os
import socket
from pathlib import Path

import msgspec
import pytest

from serving.__main__ import COMMANDS, main
from serving.config import Settings
from serving.store import versions
from tests.serving.small_model import ROWS, expected_probability


@pytest.fixture(autouse=True)
def _environment(command_environment):
    """As for each command."""


def offline(*words: str) -> int:
    return main(["predict", "--offline", *words])


def test_values_by_position_are_answered_as_the_service_does(stored, client, capsys):
    assert offline("148", "50", "true") == 0
    told = capsys.readouterr()
    row = {"Glucose": 148, "Age": 50, "Smoker": True}
    assert json.loads(told.out) == client.post("/predict", json=row).get_json()
    assert told.out.startswith('{\n  "predictions": [\n')
    assert told.err == ""


def test_values_by_name_are_answered(stored, capsys):
    assert offline("Smoker=1", "Glucose=null", "Age=22") == 0
    (prediction,) = json.loads(capsys.readouterr().out)["predictions"]
    assert prediction["probability"] == pytest.approx(expected_probability(ROWS[2]), rel=1e-12)


def test_a_negative_number_is_a_value_not_an_option(stored, capsys):
    assert offline("148", "-1", "0") == 1
    assert capsys.readouterr().err == "Error: Age: -1 is below the lowest possible, 18.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["148"], "1 values are given, 3 expected: Glucose Age Smoker."),
        (["abc", "50", "1"], 'Glucose: "abc" is not a number.'),
        (["--ofline", "50", "1"], 'Glucose: "--ofline" is not a number.'),
        (["148", "50", "maybe"], 'Smoker: "maybe" is not true or false.'),
        (["148", "null", "1"], "Age: is missing, and may not be."),
        (["Age=50", "1"], "Give every value by position, or every one as Name=value."),
    ],
)
def test_a_users_mistake_is_one_sentence(stored, capsys, words, sentence):
    assert offline(*words) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"Error: {sentence}\n"


def test_without_a_model_the_terminal_is_told_what_to_run(capsys):
    assert offline("148", "50", "1") == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "dvc repro" in told


def test_a_damaged_version_is_told(stored, settings, capsys):
    (versions.version_dir(settings.store, stored.digest) / "model.onnx").write_bytes(b"x")
    assert offline("148", "50", "1") == 1
    assert "model.onnx has the sha256" in capsys.readouterr().err


def test_a_store_that_followed_another_model_does_not_answer_for_this_one(
    stored, monkeypatch, capsys
):
    monkeypatch.setenv("SERVING_MODEL", "lung")
    assert offline("148", "50", "1") == 1
    assert "No version of `lung`" in capsys.readouterr().err


def test_predict_asks_the_registry_first(registry, make_model, monkeypatch, tmp_path, capsys):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.uri)
    assert main(["predict", "148", "50", "1"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["model"]["version"] == "1"
    assert told.err == ""


def test_predict_answers_from_the_store_while_the_registry_has_nothing(stored, capsys):
    assert main(["predict", "148", "50", "1"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["model"]["version"] == "1"
    assert told.err.count("\n") == 1
    assert "heart version 1 (production) goes on answering" in told.err


def test_predict_says_why_there_is_no_model(capsys):
    assert main(["predict", "148", "50", "1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_settings_in_force_are_printed(monkeypatch, capsys):
    monkeypatch.setenv("SERVING_PORT", "9123")
    assert main(["config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "SERVING_PORT=9123" in lines
    assert "SERVING_MODEL=heart" in lines
    set_by_default = [f for f in msgspec.structs.fields(Settings) if f.default is not None]
    assert [line.split("=")[0] for line in lines] == [f.encode_name for f in set_by_default]


def test_where_the_registry_is_is_printed_without_its_password(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@registry:5000")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    assert main(["config"]) == 0
    told = capsys.readouterr().out
    assert told.endswith(
        "MLFLOW_TRACKING_PASSWORD=***\nMLFLOW_TRACKING_URI=http://***@registry:5000\n"
    )
    assert "secret" not in told


@pytest.mark.parametrize("command", [["config"], ["predict", "1"], []])
def test_a_bad_setting_is_one_sentence(monkeypatch, capsys, command):
    monkeypatch.setenv("SERVING_PROT", "9000")
    assert main(command) == 1
    told = capsys.readouterr().err
    assert told == "Error: SERVING_PROT: no such setting; do you mean SERVING_PORT?\n"


def test_a_port_in_use_is_one_sentence(monkeypatch, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("SERVING_PORT", str(port))
        assert main([]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"Error: 127.0.0.1:{port} is in use already")
    assert told.count("\n") == 1


def test_an_address_that_is_not_ours_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setenv("SERVING_HOST", "192.0.2.1")
    monkeypatch.setenv("SERVING_ALLOW_ANONYMOUS", "1")
    assert main(["serve"]) == 1
    assert "Cannot listen on 192.0.2.1:8000" in capsys.readouterr().err


def test_an_address_that_others_can_reach_is_not_opened_without_keys(monkeypatch, capsys):
    monkeypatch.setenv("SERVING_HOST", "0.0.0.0")
    assert main(["serve"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: SERVING_HOST is `0.0.0.0`, which others can reach")
    assert told.count("\n") == 1


@pytest.fixture
def executed(monkeypatch):
    """Collect what would replace this process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("SERVING_PORT", str(probe.getsockname()[1]))
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: commands.append(words))
    return commands


def test_serve_says_what_will_answer_and_asks_no_registry_first(
    stored, executed, monkeypatch, capsys
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///damaged")
    Path("damaged").write_text("no database")
    assert main([]) == 0
    told = capsys.readouterr().err
    port = os.environ["SERVING_PORT"]
    assert told == f"http://127.0.0.1:{port}: heart version 1 (production), from the store\n"
    (command,) = executed
    assert command[1:4] == ["-m", "gunicorn", "-c"]
    assert Path(command[4]).is_file()


def test_serve_without_a_version_says_what_it_waits_for(executed, capsys):
    assert main(["serve"]) == 0
    assert capsys.readouterr().err.endswith(": waiting for a version of heart (production)\n")
    assert len(executed) == 1


def test_help_shows_examples(capsys):
    assert main(["--help"]) == 0
    assert "python -m serving predict 6 148 72 35 0 33.6 0.627 50" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["predict"], ["nonsense"], ["config", "--no-such-option"]])
def test_wrong_usage_has_a_code_of_its_own(words, capsys):
    assert main(words) == 2
    assert "Usage: python -m serving" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [[name] for name in COMMANDS] + [["keys", name] for name in ("add", "remove", "list")],
    ids=" ".join,
)
def test_every_command_has_a_short_summary_and_an_example(capsys, words):
    assert main([*words, "--help"]) == 0
    told = capsys.readouterr().out
    summary = told.split("\n\n")[1].strip()
    assert summary.endswith(".")
    assert len(summary) < 60
    assert "Example" in told
