"""The load: wrk on a core of its own, and what it reports."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from bench.servers import Server

SCRIPT = Path(__file__).with_suffix(".lua")


class Load(NamedTuple):
    """What a server did under load: requests a second, latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed, and makes the load here: apt-get install wrk")


def load(server: Server, body: Path, core: int, connections: int, seconds: int) -> Load:
    """Post `body` over and over; where any answer is not a good one, the bench fails."""
    headers = [f"--header={name}: {value}" for name, value in server.headers.items()]
    command = ["taskset", "-c", str(core), "wrk", "--threads=1", f"--connections={connections}"]
    command += [
        f"--duration={seconds}",
        f"--script={SCRIPT}",
        *headers,
        server.url,
        "--",
        str(body),
    ]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        sys.exit(f"wrk failed on {server.name}:\n{done.stderr or done.stdout}")
    found = json.loads(done.stdout.splitlines()[-1])
    _require_good(server, connections, found)
    rate = found["requests"] / found["duration"] * 1e6
    return Load(rate, found["p50"] / 1000, found["p99"] / 1000)


def _require_good(server: Server, connections: int, found: dict[str, int]) -> None:
    where = f"{server.name} at {connections} connection(s)"
    if found["non_2xx"] or found["socket_errors"]:
        sys.exit(
            f"{where}: wrk reports {found['non_2xx']} non-2xx answers and {found['socket_errors']} "
            f"socket errors, so its figures mean nothing; its log ends:\n{server.log_end()}"
        )
    if not found["requests"]:
        sys.exit(f"{where} answered nothing at all; its log ends:\n{server.log_end()}")
