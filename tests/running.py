"""The real service: `python -m serving` in processes of its own, and clients that keep asking."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.conftest import ROOT, free_port
from tests.serving.small_model import NAME, expected_probability

BREATH_S = 0.005  # between the requests of one client
ROW = {"Glucose": 148, "Age": 50, "Smoker": 1}


@dataclass
class Service:
    """A running service: its address, its master process and its log."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=10, **arguments)

    def predict(self, body: Any = ROW, **arguments: Any) -> requests.Response:
        return requests.post(f"{self.url}/predict", json=body, timeout=10, **arguments)

    def version(self) -> Any:
        return self.get("/version").json()

    def figure(self, name: str) -> float:
        """Give a metric's value, 0 where it is absent; `name` with its labels."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def workers_on(self, version: str, digest: str) -> float:
        return self.figure(f'serving_model_workers{{digest="{digest}",version="{version}"}}')

    def children(self) -> dict[int, str]:
        """Give the processes below the master, with their command lines."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
                command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid and fields[0] != "Z":
                found[int(stat.parent.name)] = command
        return found

    def follower(self) -> int | None:
        return next(
            (pid for pid, c in self.children().items() if "serving.following.follower" in c), None
        )

    def workers(self) -> list[int]:
        return [pid for pid, command in self.children().items() if "gunicorn" in command]

    def log_lines(self) -> list[Any]:
        """Give the log's JSON lines; the first line of all is for people."""
        return [json.loads(line) for line in self.log.read_text().splitlines()[1:]]


@contextmanager
def service(folder: Path, **variables: str) -> Iterator[Service]:
    """Run the service in a folder, where its log goes too, until the block ends."""
    port = int(variables.get("SERVING_PORT", 0)) or free_port()
    steering = ("SERVING_", "MLFLOW_", "PROMETHEUS_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(steering)}
    ours = {
        "PYTHONPATH": str(ROOT),
        "SERVING_MODEL": NAME,
        "SERVING_PORT": str(port),
        "SERVING_WORKERS": "1",
        "SERVING_SYNC_INTERVAL": "0.5",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving"],
            cwd=folder,
            env=clean | ours | variables,
            stdout=file,
            stderr=file,
        )
    running = Service(f"http://127.0.0.1:{port}", port, process, log)
    try:
        _wait_until_live(running)
        yield running
    finally:
        stop(process)


def hear_ctrl_c() -> None:
    """Let a new process be interrupted, also where these tests run in a shell's background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a service at once, whatever connections its clients still have."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def eventually(condition: Callable[[], Any], within: float = 15.0, every: float = 0.05) -> Any:
    """Wait until a condition holds, and give what it gave."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail("what was waited for did not happen")
        time.sleep(every)
    return found


class Told(NamedTuple):
    """One answer: when it was asked for (`time.monotonic`), and what it was."""

    asked: float
    version: str
    probability: float


@dataclass
class Load:
    """Clients that ask again and again on connections kept alive; what they were told."""

    answers: list[Told] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def versions(self, since: float = 0.0) -> set[str]:
        """Give the versions that answered what was asked from then on."""
        return {answer.version for answer in self.answers if answer.asked >= since}

    def check(self, biases: dict[str, float]) -> None:
        """Hold every answer to its version: the probability is that version's own."""
        assert self.failures == []
        expected = {version: expected_probability(ROW, bias) for version, bias in biases.items()}
        wrong = [
            answer
            for answer in self.answers
            if answer.probability != pytest.approx(expected[answer.version], rel=1e-9)
        ]
        assert wrong == []


@contextmanager
def load(running: Service, clients: int = 6) -> Iterator[Load]:
    """Ask again and again while the block runs, with a breath that leaves others the processor."""
    found, done = Load(), threading.Event()

    def ask() -> None:
        with requests.Session() as session:
            while not done.wait(BREATH_S):
                asked = time.monotonic()
                try:
                    response = session.post(f"{running.url}/predict", json=ROW, timeout=10)
                    body = response.json()
                    version = response.headers["X-Model-Version"]
                    assert body["model"]["version"] == version
                    probability = body["predictions"][0]["probability"]
                    found.answers.append(Told(asked, version, probability))
                except Exception as error:
                    found.failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _wait_until_live(running: Service) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if running.get("/livez").status_code == 200:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.05)
    pytest.fail(f"the service did not start:\n{running.log.read_text()}")
