"""A real Dask cluster for the tests: a scheduler and workers as processes, without our code."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import free_port

START_S = 60


@dataclass
class DaskCluster:
    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self) -> subprocess.Popen[bytes]:
        # Without a nanny, which would start a killed worker anew.
        worker = _start(
            self.folder,
            *("dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard"),
            *("--memory-limit", "1GB", "--local-directory", str(self.folder)),
        )
        self.workers.append(worker)
        return worker


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[DaskCluster]:
    """Run a scheduler and workers in `folder` until the block ends."""
    port = free_port()
    scheduler = _start(
        folder, "dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
    )
    cluster = DaskCluster(f"tcp://127.0.0.1:{port}", folder, scheduler)
    try:
        _wait_until_open(port)
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        for process in (*cluster.workers, scheduler):
            process.send_signal(signal.SIGKILL)
            process.wait()


def _start(folder: Path, command: str, *arguments: str) -> subprocess.Popen[bytes]:
    hidden = ("PYTHONPATH", "DASK_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    with (folder / f"{command}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{command}", *arguments],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )


def _wait_until_open(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")
