"""What a running service refuses, what it outlives, and how it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import requests

from serving.store import versions
from tests.conftest import free_port
from tests.running import ROW, Load, Service, eventually, load, service
from tests.serving.following.conftest import bloat, now_on, truncate
from tests.serving.small_model import expected_probability


@contextmanager
def _when_on(running: Service, version: str, digest: str, workers: int) -> Iterator[Load]:
    now_on(running, version, digest, workers)
    with load(running, clients=2) as clients:
        yield clients


def lie(folder: Path) -> None:
    golden = msgspec.json.decode((folder / "golden.json").read_bytes())
    golden["predictions"][1]["probability"] += 0.01
    (folder / "golden.json").write_bytes(msgspec.json.encode(golden))


def forget_contract(folder: Path) -> None:
    (folder / "contract.json").unlink()


def break_contract(folder: Path) -> None:
    (folder / "contract.json").write_text("{")


BAD = {
    "corrupt": ({"spoil": truncate}, "model.onnx has the sha256"),
    "another digest": ({"digest": "0" * 64}, "the registry says 000000"),
    "other golden predictions": ({"spoil": lie}, "golden row 2 is answered with"),
    "no contract": ({"spoil": forget_contract}, "contract.json cannot be read"),
    "a broken contract": ({"spoil": break_contract}, "contract.json does not parse"),
    "failed gates": ({"gates": "failed"}, "its gates did not pass"),
    "a way out of the store": ({"digest": "../../../etc"}, "is no sha256 digest"),
}


def test_bad_version_is_refused_once_and_the_good_one_answers(registry, promote, tmp_path):
    good, digest = promote(0.0)
    variables = {"MLFLOW_TRACKING_URI": registry.uri, "SERVING_WORKERS": "2"}
    with service(tmp_path, **variables) as running, _when_on(running, good, digest, 2) as clients:
        for number, (how, reason) in enumerate(BAD.values(), 1):
            bad, _ = promote(float(number), **how)
            refusal = eventually(
                lambda bad=bad: next(
                    (r for r in running.version()["refused"] if r["version"] == bad), None
                )
            )
            assert reason in refusal["reason"]
        told = running.version()
        time.sleep(1.5)  # three intervals
        again = running.version()
        assert told["refused"][0] == again["refused"][0], "tried again"
        assert again["model"]["version"] == good
        assert again["desired"]["version"] == bad
        assert not again["in_step"]
        assert running.figure("serving_sync_refused") == 1
        assert running.get("/readyz").status_code == 200
        assert not (tmp_path / "etc").exists()
        assert len(list((tmp_path / "model_store/versions").iterdir())) == 1
        last, last_digest = promote(99.0)
        now_on(running, last, last_digest, 2)
        assert running.figure("serving_sync_refused") == 0
    clients.check({good: 0.0, last: 99.0})
    said = [line["message"] for line in running.log_lines() if "is refused" in line["message"]]
    assert len(said) == len(BAD)


@contextmanager
def dripping() -> Iterator[str]:
    """A registry that answers a byte at a time, and never to the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                    threading.Thread(target=feed, args=(client,), daemon=True).start()

        def feed(client: socket.socket) -> None:
            with suppress(OSError):
                while True:
                    client.sendall(b" ")
                    time.sleep(0.2)

        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_registry_that_never_ends_its_answer_is_told_and_the_follower_starts_anew(
    stored, settings, tmp_path
):
    with dripping() as uri:
        variables = {"MLFLOW_TRACKING_URI": uri, "SERVING_STORE": str(settings.store)}
        variables |= {"SERVING_SYNC_TIMEOUT": "2.5", "SERVING_LOAD_TIMEOUT": "0.5"}
        with service(tmp_path, **variables) as running:
            first = eventually(running.follower)
            told = eventually(lambda: running.version()["sync"])
            assert told["outcome"] == "overdue"
            assert "did not end within 3 seconds" in told["detail"]
            assert not running.version()["in_step"]
            assert running.figure("serving_sync_ok") == 0
            eventually(lambda: running.follower() not in (None, first))
            assert running.predict().status_code == 200


def test_sigterm_during_a_load_is_obeyed_at_once(registry, promote, tmp_path):
    first, first_digest = promote(0.0)
    with service(tmp_path, MLFLOW_TRACKING_URI=registry.uri) as running:
        now_on(running, first, first_digest, 1)
        slow, _ = promote(1.0, spoil=lambda folder: bloat(folder, 80_000))
        pointer = tmp_path / "model_store/current.json"
        eventually(lambda: f'"version": "{slow}"' in pointer.read_text())
        time.sleep(0.4)  # the worker has seen it, and loads it
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(5) == 0
    assert f"heart version {slow} (production) answers" not in running.log.read_text()


def test_sighup_tries_a_refused_version_again(registry, promote, tmp_path):
    first, first_digest = promote(0.0)
    variables = {"MLFLOW_TRACKING_URI": registry.uri, "SERVING_SYNC_INTERVAL": "3600"}
    with service(tmp_path, **variables) as running:
        now_on(running, first, first_digest, 1)
        workers = running.workers()
        second, second_digest = promote(1.0, spoil=truncate)
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.version()["refused"])
        shutil.rmtree(tmp_path / "made 1.0")
        promote(1.0, alias=None)  # the artifact is mended
        running.process.send_signal(signal.SIGHUP)
        now_on(running, second, second_digest, 1)
        assert running.workers() == workers


def test_all_processes_end_with_a_killed_master(registry, promote, tmp_path):
    first, first_digest = promote(0.0)
    with service(tmp_path, MLFLOW_TRACKING_URI=registry.uri) as running:
        now_on(running, first, first_digest, 1)
        children = running.children()
        assert len(children) == 2
        running.process.kill()
        running.process.wait()
        eventually(lambda: not any(_lives(pid) for pid in children))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_service_outlives_its_registry_and_waits_for_one(registry, promote, tmp_path):
    """A registry behind HTTP that is away, comes, goes, and comes back with a new version."""
    first, first_digest = promote(0.0)
    with mlflow_server(registry, tmp_path, start=False) as server:
        variables = {"MLFLOW_TRACKING_URI": server.url}
        with service(tmp_path, **variables) as running:
            # Nothing on disk, no registry: it lives, is not ready, and recovers by itself.
            assert running.get("/livez").status_code == 200
            assert running.get("/readyz").status_code == 503
            assert running.predict().status_code == 503
            eventually(lambda: running.version()["sync"])
            assert running.version()["sync"]["outcome"] == "registry unreachable"
            server.start()
            now_on(running, first, first_digest, 1)
            server.stop()
            eventually(lambda: running.version()["sync"]["outcome"] == "registry unreachable")
            eventually(lambda: running.figure("serving_registry_age_seconds") > 1)
            assert running.figure("serving_sync_ok") == 0
            assert running.get("/readyz").status_code == 200
            assert running.predict().json()["model"]["version"] == first
        # A cold start while the registry is down answers from the disk.
        with service(tmp_path, **variables) as running:
            assert running.get("/readyz").status_code == 200
            answer = running.predict().json()["predictions"][0]["probability"]
            assert answer == pytest.approx(expected_probability(ROW), rel=1e-9)
            second, second_digest = promote(1.0)
            server.start()
            now_on(running, second, second_digest, 1)


class mlflow_server:  # noqa: N801 (used as a context manager's name)
    """`mlflow server` on a registry's database, which can be stopped and started again."""

    def __init__(self, registry, folder: Path, *, start: bool) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._registry, self._folder, self._process = registry, folder, None
        if start:
            self.start()

    def __enter__(self) -> "mlflow_server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        command = ["-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        where = ["--backend-store-uri", self._registry.uri]
        self._process = subprocess.Popen(
            [sys.executable, *command, *where],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        eventually(self._is_up, within=60)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _is_up(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False


def test_store_of_another_model_is_not_answered_from(stored, settings, tmp_path):
    assert versions.current(settings.store) == stored
    variables = {"SERVING_STORE": str(settings.store), "SERVING_STAGE": "staging"}
    with service(tmp_path, **variables) as running:
        assert running.get("/readyz").status_code == 503
