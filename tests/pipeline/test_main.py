import re
import shutil

import pytest

from pipeline.__main__ import COMMANDS, ENVIRONMENT, main
from tests.conftest import ROOT

PREPROCESS = [
    *("preprocess", "--training", "out/training.csv"),
    *("--test", "out/test.csv", "--contract", "out/contract.json"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of its own, with the repository's settings, whose stores are not made yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'tracking.db'}")
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for the process that tracks a search
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)  # so that what main sets does not outlive the test
    params = (ROOT / "params.yaml").read_text().replace("data/diabetes.csv", "table.csv")
    (tmp_path / "params.yaml").write_text(params)
    return tmp_path


@pytest.fixture
def recorded(folder, empty_store):
    """Give the runs of the folder's store, and let it have its tables."""
    import mlflow

    before = mlflow.get_tracking_uri()
    shutil.copyfile(empty_store, folder / "tracking.db")

    def runs():
        client = mlflow.MlflowClient(f"sqlite:///{folder / 'tracking.db'}")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return client.search_runs(experiments)

    yield runs
    mlflow.set_tracking_uri(before)


def test_bad_table_gives_a_sentence_and_a_failed_run(folder, recorded, pima_csv, capsys):
    lines = pima_csv.read_text().splitlines()
    (folder / "table.csv").write_text("\n".join([*lines[:30], "6,high,72,35,0,33.6,0.6,50,1"]))
    assert main(PREPROCESS) == 1
    said = capsys.readouterr().err
    reason = "table.csv, row 30, column Glucose: 'high' is not a number"
    assert said == f"preprocess failed: {reason}\n"
    assert not (folder / "out").exists()

    (run,) = recorded()
    assert run.info.status == "FAILED"
    assert run.data.tags["failed.reason"] == reason
    assert run.data.tags["failed.stage"] == "preprocess"
    assert run.data.params["preprocess.test_size"] == "0.2"


def test_unexpected_failure_is_a_sentence_and_a_recorded_traceback(folder, recorded, capsys):
    (folder / "contract.json").write_text("{}")
    (folder / "training.csv").write_text("a,y\n1,0\n")
    paths = ["--model", "m", "--cv-results", "cv", "--learning-curve", "lc", "--winner", "w"]
    paths += ["--baseline", "b"]
    arguments = ["--training", "training.csv", "--contract", "contract.json", *paths]
    assert main(["grid_search", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("grid_search failed: ValidationError: Object missing required field")
    assert "Traceback" not in said
    (run,) = recorded()
    assert run.data.tags["failed.reason"].startswith("ValidationError: Object missing")
    assert run.info.status == "FAILED"
    (kept,) = folder.glob("mlruns/**/traceback.txt")
    assert "Traceback" in kept.read_text()


def test_settings_that_do_not_load_are_recorded(folder, recorded, capsys):
    (folder / "params.yaml").write_text("seed: 1\nseed: 2\n")
    (folder / "table.csv").touch()
    assert main(PREPROCESS) == 1
    assert "params.yaml is not valid YAML" in capsys.readouterr().err
    (run,) = recorded()
    assert "params.yaml is not valid YAML" in run.data.tags["failed.reason"]


def test_failure_that_cannot_be_recorded_is_still_told(folder, monkeypatch, capsys):
    (folder / "broken.db").write_bytes(b"no database" * 1000)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///broken.db")
    (folder / "table.csv").touch()
    assert main(PREPROCESS) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "preprocess failed: table.csv is empty: it needs a header and rows"
    assert second.startswith("the failed run could not be recorded: ")


def test_stage_that_works_gives_0_and_touches_no_store(folder, pima_csv, capsys):
    shutil.copyfile(pima_csv, folder / "table.csv")
    assert main(PREPROCESS) == 0
    assert capsys.readouterr().err == ""
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "contract.json",
        "test.csv",
        "training.csv",
    ]
    assert not (folder / "tracking.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["preproces"], "No such command 'preproces'"),
        (["preprocess"], "Missing option '--training'"),
        (["preprocess", "--sed", "1"], "No such option"),
        ([], "Usage: python -m pipeline"),
        (["train"], "Missing argument 'N'"),
        (["train", "0"], "0 is not in the range 1<=x<=1000"),
        (["train", "1001"], "1001 is not in the range 1<=x<=1000"),
        (["train", "ten"], "'ten' is not a valid integer range"),
        (["train", "10", "10"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_gives_2_and_is_no_failed_run(folder, capsys, arguments, said):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "tracking.db").exists()


def test_help_lists_every_command_in_its_group(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in COMMANDS)
    assert said.index("Run:") < said.index("  train ") < said.index("Registry:")
    assert said.index("  doctor ") < said.index("Stages,") < said.index("  register ")
    assert "..." not in said.partition("Run:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_short_summary_and_an_example(capsys, name):
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Usage: python -m pipeline {name} [OPTIONS]" in said
    check_summary_and_example(said)


def check_summary_and_example(said):
    summary = said.split("\n\n")[1].strip()
    assert summary.endswith(".")
    assert summary.count(". ") == 0
    assert len(summary) < 60
    assert re.search(r"Examples?:", said)
