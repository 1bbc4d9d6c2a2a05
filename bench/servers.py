"""The servers that are measured: how each is started, waited for, asked once and stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

from bench.project import environment

READY_S = 60
STOP_S = 40  # longer than the service gives the requests under way
POLL_S = 0.005


class Launch(NamedTuple):
    """How a server is started; `{port}` in its command and its variables is replaced."""

    name: str
    command: tuple[str, ...]
    path: str
    ready: str
    variables: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """A server that runs; its log holds what it writes to stdout and stderr."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str
    headers: Mapping[str, str]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def ask(self, body: bytes) -> bytes:
        """POST once; anything but 200 fails the bench."""
        status, answer = _request(self.port, "POST", self.path, body, self.headers)
        if status != 200:
            sys.exit(f"{self.name} answers {status} to the bench's request: {answer.decode()}")
        return answer

    def log_end(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


@contextmanager
def running(folder: Path, launch: Launch, core: int | None = None) -> Iterator[Server]:
    """Start a server in `folder`, pinned to `core`, wait until it is ready, and stop it at last."""
    port = free_port()
    pinned = () if core is None else ("taskset", "-c", str(core))
    command = [word.format(port=port) for word in (*pinned, *launch.command)]
    variables = {name: value.format(port=port) for name, value in launch.variables.items()}
    log = folder / f"{launch.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment() | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(launch.name, process, port, launch.path, launch.headers, log)
    try:
        _wait_until_ready(server, launch.ready)
        yield server
    finally:
        _stop(process)


def _wait_until_ready(server: Server, path: str) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end and server.process.poll() is None:
        with suppress(OSError, HTTPException):
            if _request(server.port, "GET", path)[0] == 200:
                return
        time.sleep(POLL_S)
    what = "did not start" if server.process.poll() is not None else f"was not ready in {READY_S} s"
    sys.exit(f"{server.name} {what}; its log ends:\n{server.log_end()}")


def _request(
    port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=READY_S)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop all that the server started: it leads a session, and so a group, of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
