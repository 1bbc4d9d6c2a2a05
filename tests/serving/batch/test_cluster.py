"""On a Dask cluster: real processes, which have none of our code, and may die."""

import importlib.util
import signal
import subprocess
import sys

import numpy as np
import pytest

from serving.batch import cluster
from serving.batch.cluster import connect
from serving.batch.table import ScoringError
from tests.pipeline.search.dask_cluster import dask_cluster
from tests.running import eventually
from tests.serving.batch.files import HEADER, read_csv, write_large
from tests.serving.explained_model import write_svm
from tests.serving.small_model import CONTRACT, SPECIES

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask")) as found:
        yield found


@pytest.fixture
def score_there(score, running):
    return lambda *words: score(*words, "--backend", "dask", "--scheduler", running.address)


def test_the_answers_are_those_of_a_local_run_to_the_byte(score, score_there, tmp_path):
    body = HEADER + "148,50,1\n85,31,x\n300,100,1\n148,50\n" + "120,40,0\n" * 200_000
    (tmp_path / "in.csv").write_text(body)
    assert score("in.csv", "--out", "here.csv", "--rejects", "bad-here.csv") == 0
    assert score_there("in.csv", "--out", "there.csv", "--rejects", "bad-there.csv") == 0
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert (tmp_path / "bad-there.csv").read_bytes() == (tmp_path / "bad-here.csv").read_bytes()
    assert [row[0] for row in read_csv(tmp_path / "bad-there.csv")[1:]] == ["2", "4"]


class TestExplained:
    @pytest.fixture
    def make_model(self, contract):
        return lambda directory: write_svm(directory, contract)

    @pytest.mark.parametrize("contract", [CONTRACT, SPECIES], ids=["two classes", "three classes"])
    def test_the_explanations_are_those_of_a_local_run_to_the_byte(
        self, score, score_there, tmp_path
    ):
        body = HEADER + "148,50,1\n85,31,x\n,22,0\n" + "120,40,0\n" * 3000
        (tmp_path / "in.csv").write_text(body)
        assert score("in.csv", "--out", "here.csv", "--rejects", "bad.csv", "--explain") == 0
        assert score_there("in.csv", "--out", "there.csv", "--rejects", "bad.csv", "--explain") == 0
        assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()

    def test_a_table_of_bad_rows_alone_asks_no_worker(self, score_there, tmp_path):
        (tmp_path / "in.csv").write_text(HEADER + "148,5,1\n")
        assert score_there("in.csv", "--out", "out.csv", "--explain") == 1
        (header,) = read_csv(tmp_path / "out.csv")
        assert header[-4:] == [
            "base",
            *(f"contribution_{name}" for name in ("Glucose", "Age", "Smoker")),
        ]


def test_a_table_of_bad_rows_alone_asks_no_worker(score_there, tmp_path):
    (tmp_path / "in.csv").write_text(HEADER + "148,5,1\n")
    assert score_there("in.csv", "--out", "out.csv") == 1
    assert len(read_csv(tmp_path / "out.csv")) == 1


def test_the_workers_have_none_of_our_code(running):
    from distributed import Client

    with Client(running.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=30)
        found = client.run(importlib.util.find_spec, "serving")
    assert list(found.values()) == [None, None]


def test_a_worker_that_dies_loses_nothing(score, running, tmp_path):
    large = write_large(tmp_path / "large.parquet", 1_500_000)
    assert score(large, "--out", "here.parquet") == 0
    words = ["--backend", "dask", "--scheduler", running.address, "--out", "there.parquet"]
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "score", "--offline", str(large), *words],
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: any(tmp_path.glob(".there*.part")))
    worker = running.workers[0]
    # It takes work and does none, so that it has some when it dies.
    worker.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    worker.kill()
    worker.wait()
    _, told = process.communicate(timeout=30)
    running.add_worker()
    assert process.returncode == 0, told
    assert told.startswith("there.parquet: 1,500,000 rows scored by heart version 1")
    assert (tmp_path / "there.parquet").read_bytes() == (tmp_path / "here.parquet").read_bytes()


def test_a_scheduler_that_goes_away_is_one_sentence(score, tmp_path):
    large = write_large(tmp_path / "large.parquet", 1_500_000)
    with dask_cluster(tmp_path, workers=1) as own:
        words = ["--backend", "dask", "--scheduler", own.address, "--out", "out.parquet"]
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", "score", "--offline", str(large), *words],
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: any(path.stat().st_size for path in tmp_path.glob(".out*.part")))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told == (
        f"Error: The Dask scheduler at {own.address} went away: start it again, or score with "
        "--backend local.\n"
    )
    assert list(tmp_path.glob("*out.parquet*")) == []


def test_a_scheduler_that_is_not_there_is_one_sentence(score, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    (tmp_path / "in.csv").write_text(HEADER)
    words = ["--out", "out.csv", "--backend", "dask", "--scheduler", "tcp://127.0.0.1:1"]
    assert score("in.csv", *words) == 1
    assert capsys.readouterr().err == (
        "Error: The Dask scheduler at tcp://127.0.0.1:1 does not answer: start it with "
        "`dask scheduler`, or score with --backend local.\n"
    )


def test_a_cluster_without_workers_is_one_sentence(tmp_path, contract, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.5)
    with (
        dask_cluster(tmp_path, workers=0) as own,
        pytest.raises(ScoringError, match=r"has had no worker for 0\.5 s: start some with"),
        connect(own.address, contract, b""),
    ):
        raise AssertionError("the block is not entered")


def test_a_cluster_that_loses_all_its_workers_is_one_sentence(tmp_path, contract, monkeypatch):
    with dask_cluster(tmp_path, workers=1) as own, connect(own.address, contract, b"") as found:
        monkeypatch.setattr(cluster, "PATIENCE_S", 1)
        own.workers[0].kill()
        future = found._start(np.ones((1, 3)))
        with pytest.raises(ScoringError, match="has lost all its workers: start some with"):
            found._result(future)


@pytest.mark.parametrize(("version", "has"), [("1.2", "onnxruntime 1.2"), ("", "no onnxruntime")])
def test_a_worker_with_another_version_is_one_sentence(version, has):
    ours, theirs = {"onnxruntime": "1.1"}, {"tcp://there": {"onnxruntime": version}}
    with pytest.raises(ScoringError) as error:
        cluster._check_versions(ours, theirs)
    assert str(error.value) == (
        f"The worker tcp://there has {has}, here it is 1.1: install the same version there."
    )


def test_a_model_that_a_worker_cannot_open_is_one_sentence(running, contract):
    with connect(running.address, contract, b"no model") as found:
        future = found._start(np.ones((1, 3)))
        with pytest.raises(ScoringError, match=r"cannot answer: ModelError: model\.onnx is no"):
            found._result(future)


def test_without_dask_the_way_to_install_it_is_told(score, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "in.csv").write_text(HEADER)
    words = ["--out", "out.csv", "--backend", "dask", "--scheduler", "tcp://127.0.0.1:1"]
    assert score("in.csv", *words) == 1
    assert capsys.readouterr().err == (
        "Error: --backend dask needs Dask, which is not installed: type `make install-dask`, or "
        "`pip install distributed`.\n"
    )


def test_encryption_without_certificates_is_one_sentence(score, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(HEADER)
    words = ["--out", "out.csv", "--backend", "dask", "--scheduler", "tls://127.0.0.1:1"]
    assert score("in.csv", *words) == 1
    assert "tls://127.0.0.1:1 needs certificates" in capsys.readouterr().err


def test_the_local_backend_does_not_import_dask(stored, tmp_path):
    (tmp_path / "in.csv").write_text(HEADER + "148,50,1\n")
    script = (
        "import sys; from serving.__main__ import main;"
        "code = main(['score', '--offline', 'in.csv', '--out', 'out.csv']);"
        "print(code, {'dask', 'distributed'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "0 set()\n"
