"""A service that runs: a small model in a store, and gunicorn in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
import requests

from serving import store
from serving.contract import Contract, Feature
from serving.scorer import Prediction
from serving.store import Version
from tests.conftest import ROOT
from tests.serving.small_model import NAME, ROWS, THRESHOLD, expected_probability, graph

SMOKER = "Smoker/ever"
# Names, texts and classes as they should not be, but may.
CONTRACT = Contract(
    target="Disease",
    classes=("no", "<i>yes</i>"),
    threshold=THRESHOLD,
    features=(
        Feature(
            name="Glucose",
            unit="mg/dL",
            description="Plasma <b>glucose</b>",
            nullable=True,
            missing_values=(0,),
            minimum=20,
            maximum=1000,
            training_range=(44, 199),
        ),
        Feature(name="Age", type="integer", minimum=18, maximum=120, training_range=(21, 81)),
        Feature(name=SMOKER, type="boolean"),
    ),
)


def keep(contract: Contract, folder: Path) -> Path:
    """Put the small model with this contract of three features into a store, and give that."""
    made = folder / "made"
    made.mkdir()
    text = contract.to_json()
    model = graph(sha256(text).hexdigest()).SerializeToString()
    rows = [dict(zip(contract.names, row.values(), strict=True)) for row in ROWS]
    probabilities = [expected_probability(row) for row in ROWS]
    predictions = [Prediction(int(p >= THRESHOLD), p) for p in probabilities]
    (made / "model.onnx").write_bytes(model)
    (made / "contract.json").write_bytes(text)
    golden = {"rows": rows, "predictions": predictions}
    (made / "golden.json").write_bytes(msgspec.json.encode(golden))
    version = Version(NAME, "1", "production", sha256(model).hexdigest())
    store.adopt(folder / "store", made, version)
    store.switch(folder / "store", version)
    return folder / "store"


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[str]:
    """Run the service in a folder, where its log goes too, until the block ends; gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    steering = ("SERVING_", "MLFLOW_", "PROMETHEUS_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(steering)}
    ours = {
        "PYTHONPATH": str(ROOT),
        "SERVING_MODEL": NAME,
        "SERVING_PORT": str(port),
        "SERVING_WORKERS": "1",
    }
    config = str(ROOT / "serving/gunicorn.conf.py")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", config, "serving.wsgi:app"],
            cwd=folder,
            env=clean | ours | variables,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_live(url, process, folder / "log")
        yield url
    finally:
        # At once, whatever connections a browser still has.
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait_until_live(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{url}/healthz", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    pytest.fail(f"the service did not start:\n{log.read_text()}")
