"""The systemd units: they fit the service's settings, and what they start does as they say.

systemd itself does not run here. It verifies the units where it is installed, and what it would do
(start, wait for READY=1, reload, stop) is done with the unit's own lines, without any privilege.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from serving.config import Settings, read_settings
from tests.conftest import ROOT, free_port
from tests.running import Service, eventually

UNITS = ("serving.service", "mlflow.service")
DEFAULTS = Settings(model="-")
WORST = 16  # tenths of systemd's ten points of exposure; below 20 it says OK


def values(unit: str, key: str) -> list[str]:
    text = (ROOT / "deploy" / unit).read_text()
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


def value(unit: str, key: str) -> str:
    (found,) = values(unit, key)
    return found


def environment(unit: str) -> dict[str, str]:
    """Give what `Environment=` sets, with the folder of state as systemd has it."""
    words = " ".join(values(unit, "Environment")).replace("%S", "/var/lib").split()
    return dict(word.split("=", 1) for word in words)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_to_complain_of(unit, tmp_path):
    text = (ROOT / "deploy" / unit).read_text()
    assert "/opt/serving/.venv/bin/python" in text
    text = text.replace("/opt/serving/.venv/bin/python", sys.executable)
    (tmp_path / unit).write_text(text.replace("/opt/serving", str(ROOT)))
    verify = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", f"--threshold={WORST}"]
    done = subprocess.run([*security, str(tmp_path / unit)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_socket_for_the_service(tmp_path):
    for unit in ("serving.socket", "serving.service"):
        text = (ROOT / "deploy" / unit).read_text()
        text = text.replace("/opt/serving/.venv/bin/python", sys.executable)
        (tmp_path / unit).write_text(text.replace("/opt/serving", str(ROOT)))
    verify = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "serving.socket")]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert value("serving.socket", "ListenStream") == DEFAULTS.address


def test_the_settings_that_the_unit_makes_are_settings_of_the_service():
    made = environment("serving.service")
    settings = read_settings({**made, "SERVING_MODEL": "m"})
    assert settings.store == Path("/var/lib") / value("serving.service", "StateDirectory")
    assert settings.trusted_proxies == ("127.0.0.1",)
    assert settings.host == DEFAULTS.host


def test_what_is_under_way_has_its_time_before_systemd_kills():
    assert int(value("serving.service", "TimeoutStopSec")) > DEFAULTS.grace
    assert value("serving.service", "KillMode") == "mixed"


@pytest.fixture
def notified():
    """Give the address of a socket like systemd's, and what was said to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        address = f"@serving-{os.getpid()}"
        server.bind(address.replace("@", "\0"))
        server.settimeout(30)
        yield address, lambda: server.recv(1000).decode()


def test_it_starts_reloads_and_drains_without_any_privilege(notified, model_store, tmp_path):
    address, said = notified
    unit, port = "serving.service", free_port()
    command = value(unit, "ExecStart").replace("/opt/serving/.venv/bin/python", sys.executable)
    if os.getuid() == 0:
        command = f"setpriv --bounding-set=-all --inh-caps=-all {command}"
    here = {"SERVING_STORE": str(model_store), "SERVING_PORT": str(port), "SERVING_MODEL": "heart"}
    # Only a reload makes it look at the registry again within this test.
    here |= {"SERVING_SYNC_INTERVAL": "600", "NOTIFY_SOCKET": address, "PYTHONPATH": str(ROOT)}
    variables = environment(unit) | here
    del variables["SERVING_API_KEYS_FILE"]
    assert value(unit, "Type") == "notify"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command.split(),
            cwd=tmp_path,
            env=variables | {"PATH": os.environ["PATH"]},
            stdout=log,
            stderr=log,
        )
    try:
        running = Service(f"http://127.0.0.1:{port}", port, process, tmp_path / "log")
        assert "READY=1" in said()
        eventually(lambda: running.get("/readyz").status_code == 200)
        first = eventually(lambda: _synced(running))
        time.sleep(1.1)  # it is told in whole seconds
        reload = value(unit, "ExecReload").replace("$MAINPID", str(process.pid))
        subprocess.run(reload.split(), check=True)
        eventually(lambda: _synced(running) != first)
        assert running.predict().status_code == 200
        process.send_signal(getattr(signal, value(unit, "KillSignal")))
        assert process.wait(int(value(unit, "TimeoutStopSec"))) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()


def activated(listener: socket.socket, folder: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Start the service with a socket, as systemd does: descriptor 3 of the process named."""
    number = listener.fileno()
    start = f"exec 3<&{number}; LISTEN_FDS=1 LISTEN_PID=$$ exec {sys.executable} -m serving"
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            ["bash", "-c", start],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
            pass_fds=[number],
            stdout=log,
            stderr=log,
        )


def test_clients_wait_during_a_restart_if_systemd_holds_the_socket(model_store, tmp_path):
    outcomes: list[object] = []
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        here = {"SERVING_STORE": str(model_store), "SERVING_PORT": str(port)}
        here |= {"SERVING_MODEL": "heart", "SERVING_SYNC_INTERVAL": "600"}

        def ask() -> None:
            while not stopped.is_set():
                try:
                    # Without a session: each request on a connection of its own.
                    answer = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=20)
                    outcomes.append(answer.status_code)
                except requests.RequestException as error:
                    outcomes.append(repr(error))

        first = activated(listener, tmp_path, **here)
        threads = [threading.Thread(target=ask) for _ in range(4)]
        try:
            eventually(lambda: requests.get(f"http://127.0.0.1:{port}/readyz", timeout=20).ok)
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            first.terminate()
            assert first.wait(20) == 0
            before = len(outcomes)
            second = activated(listener, tmp_path, **here)
            try:
                eventually(lambda: len(outcomes) > before + 20)
            finally:
                stopped.set()
                for thread in threads:
                    thread.join(20)
                second.terminate()
                second.wait(20)
        finally:
            stopped.set()
            first.kill()
    assert set(outcomes) == {200}


def test_a_socket_on_another_address_is_refused(model_store, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = activated(listener, tmp_path, SERVING_MODEL="heart", SERVING_PORT="1")
        assert process.wait(20) == 1
    said = (tmp_path / "log").read_text()
    assert f"listens on 127.0.0.1:{port}, but SERVING_HOST and SERVING_PORT say" in said


def _synced(running: Service) -> str | None:
    sync = running.version()["sync"]
    return sync and sync["checked_at"]


def test_mlflow_s_unit_sets_what_mlflow_knows():
    from mlflow.cli import server

    known = {option.envvar for option in server.params} | {"MLFLOW_DISABLE_TELEMETRY"}
    assert set(environment("mlflow.service")) <= known
    assert "MLFLOW_BACKEND_STORE_URI" in known
