"""The whole service: a registry, a real gunicorn, requests over the network."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.serving.small_model import expected_probability

ROOT = Path(__file__).parents[2]
ROW = {"Glucose": 148, "Age": 50, "Smoker": 1}


@contextmanager
def service(folder: Path, **variables: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `python -m serving` in a folder until the block ends; gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SERVING_", "MLFLOW_"))}
    ours = {
        "PYTHONPATH": str(ROOT),
        "SERVING_MODEL": "heart",
        "SERVING_PORT": str(port),
        "SERVING_MAX_BODY": "100000",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving"],
            cwd=folder,
            env=clean | ours | variables,
            stderr=log,
            stdout=log,
            text=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_live(url, process, folder / "log")
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def ask(method: str, url: str, **arguments: Any) -> requests.Response:
    """Send one request and let go of the connection, which would hold up a stop."""
    headers = {"Connection": "close"} | arguments.pop("headers", {})
    return requests.request(method, url, headers=headers, timeout=5, **arguments)


def wait_until_live(url: str, process: subprocess.Popen[str], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if ask("GET", f"{url}/healthz").status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    pytest.fail(f"the service did not start:\n{log.read_text()}")


def test_the_service_answers_with_the_registrys_version(registry, make_model, tmp_path):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    with service(tmp_path, MLFLOW_TRACKING_URI=registry.uri) as (url, process):
        ready = ask("GET", f"{url}/readyz")
        answer = ask("POST", f"{url}/predict", json=ROW)
        refused = ask("POST", f"{url}/predict", json={**ROW, "Age": 5})
        huge = ask("POST", f"{url}/predict", json={"rows": [ROW] * 5000})
        streamed = ask(
            "POST",
            f"{url}/predict",
            data=iter([json.dumps(ROW).encode()]),
            headers={"Content-Type": "application/json"},
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(4) == 0

    assert (ready.status_code, ready.json()["model"]["version"]) == (200, "1")
    (prediction,) = answer.json()["predictions"]
    assert prediction["probability"] == pytest.approx(expected_probability(ROW), rel=1e-12)
    assert streamed.json() == answer.json()
    assert refused.status_code == 422
    assert huge.status_code == 413
    assert huge.headers["Content-Type"] == "application/problem+json"
    log = (tmp_path / "log").read_text()
    assert log == f"Serving heart version 1 (production) at {url}\n"


def test_the_service_goes_on_with_the_store_while_the_registry_is_down(stored, settings, tmp_path):
    down = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    with service(tmp_path, SERVING_STORE=str(settings.store), **down) as (url, _):
        assert ask("POST", f"{url}/predict", json=ROW).status_code == 200
    log = (tmp_path / "log").read_text()
    assert log.startswith("The registry at http://127.0.0.1:9 cannot be read: ")
    assert "heart version 1 (production) goes on answering, from the store." in log


def test_the_service_starts_without_a_model_and_says_so(tmp_path):
    with service(tmp_path, HOME=str(tmp_path), XDG_RUNTIME_DIR="") as (url, _):
        assert ask("GET", f"{url}/healthz").json() == {"status": "ok"}
        assert ask("GET", f"{url}/readyz").status_code == 503
        response = ask("POST", f"{url}/predict", json=ROW)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "run `dvc repro`" in response.json()["detail"]
    assert (tmp_path / "log").read_text().startswith(f"Not ready, at {url}: The registry has")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]
