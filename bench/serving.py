"""Requests a second and latencies of one worker, beside an echo, MLflow's server and a tutorial's.

    python -m bench.serving [SECONDS] [ROUNDS]

SECONDS (5) is how long each server is under load at a time, ROUNDS (5) how often. Servers run on
one core, each with one worker, and wrk on another; they take turns in each round, so that what
disturbs the machine disturbs all of them: the ratios of the medians are what to quote.

    echo      Flask's `jsonify(request.get_json())` under gunicorn: the limit
    predict   this service: keys, validation, metrics and structured logs are on
    mlflow    `mlflow models serve`, the same version
    tutorial  Flask, pandas and a pickled scikit-learn pipeline under gunicorn
"""

import os
import signal
import statistics
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.lineup import BATCH, SERVERS, body, launches, prepare
from bench.memory import Memory, worker_memory
from bench.servers import Launch, Server, running
from bench.wrk import Load, load, require_wrk

WARM_UP_S = 1
STARTS = 5


class Case(NamedTuple):
    rows: int
    connections: int
    servers: tuple[str, ...]


BATCHES = Case(BATCH, 1, ("predict", "mlflow"))
SINGLE = (Case(1, 1, SERVERS), Case(1, 16, SERVERS))
CASES = (*SINGLE, BATCHES)

Loads = dict[tuple[Case, str], Load]


def main(seconds: int = 5, rounds: int = 5) -> None:
    require_wrk()
    cores = two_cores()
    # So that the servers are stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "project")
        print("preparing a project with a version in production", file=sys.stderr)
        prepare(folder)
        servers = launches(folder)
        loads, memory = _measure(folder, servers, cores, [WARM_UP_S, *[seconds] * rounds])
        start = statistics.median(_start_s(folder, servers["predict"]) for _ in range(STARTS))
    for case in SINGLE:
        _report_single(case, loads)
    _report_batches(loads)
    _report_worker(memory, start)


def two_cores() -> list[int]:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("two cores are needed: one for the servers, one for wrk")
    return cores


def _measure(
    folder: Path, servers: Mapping[str, Launch], cores: list[int], seconds: list[int]
) -> tuple[Loads, Memory]:
    """Return the medians of all rounds but the first, which warms up."""
    on, load_from = cores
    rounds = []
    with running(folder, servers["predict"], on) as ours:
        with ExitStack() as peers:
            started = {"predict": ours}
            for name in servers.keys() - started.keys():
                started[name] = peers.enter_context(running(folder, servers[name], on))
            for number, length in enumerate(seconds):
                rounds.append(_round(folder, started, load_from, length))
                _say(f"round {number} of {len(seconds) - 1}", rounds[-1])
        # Only now: with the peers beside it, a part of the libraries would count as theirs.
        memory = worker_memory(ours.process.pid)
    return {key: median_load(one[key] for one in rounds[1:]) for key in rounds[0]}, memory


def _round(folder: Path, servers: Mapping[str, Server], core: int, seconds: int) -> Loads:
    found = {}
    for case in CASES:
        for name in case.servers:
            server, question = servers[name], body(folder, name, case.rows)
            server.ask(question.read_bytes())
            found[case, name] = load(server, question, core, case.connections, seconds)
    return found


def _say(what: str, loads: Loads) -> None:
    rates = ", ".join(f"{name} {found.rate:.0f}" for (_, name), found in loads.items())
    print(f"{what}, requests/s: {rates}", file=sys.stderr)


def median_load(loads: Iterable[Load]) -> Load:
    return Load(*(statistics.median(column) for column in zip(*loads, strict=True)))


def _start_s(folder: Path, launch: Launch) -> float:
    """Time a start until it is ready, on all cores; the version is in the store already."""
    start = time.perf_counter()
    with running(folder, launch):
        return time.perf_counter() - start


def _report_single(case: Case, loads: Loads) -> None:
    of = {name: loads[case, name] for name in case.servers}
    print(f"| one row a request, {case.connections} at once ", end="")
    print("| requests/s | p50, ms | p99, ms | to echo | to mlflow |\n|---|---|---|---|---|---|")
    for name, found in of.items():
        to_echo, to_mlflow = (found.rate / of[peer].rate for peer in ("echo", "mlflow"))
        print(f"| {name} | {found.rate:.0f} | {found.p50:.2f} | {found.p99:.2f} ", end="")
        print(f"| {to_echo:.2f} | {to_mlflow:.1f} |")
    print()


def _report_batches(loads: Loads) -> None:
    print(f"| {BATCH} rows a request, one at a time ", end="")
    print("| rows/s | p50, ms | p99, ms | to mlflow |\n|---|---|---|---|---|")
    for name in BATCHES.servers:
        found, mlflow = loads[BATCHES, name], loads[BATCHES, "mlflow"]
        print(f"| {name} | {BATCH * found.rate:.0f} | {found.p50:.2f} | {found.p99:.2f} ", end="")
        print(f"| {found.rate / mlflow.rate:.1f} |")
    print()


def _report_worker(memory: Memory, start: float) -> None:
    print("| the service | |\n|---|---|")
    print(f"| a worker's resident memory after the load (RSS) | {memory.rss:.0f} MB |")
    print(f"| the same, what is shared counted in parts (PSS) | {memory.pss:.0f} MB |")
    print(f"| from its start until it is ready, median of {STARTS} | {start:.2f} s |")


if __name__ == "__main__":
    if any(not word.isdigit() or int(word) < 1 for word in sys.argv[1:]) or len(sys.argv) > 3:
        sys.exit(__doc__)
    main(*map(int, sys.argv[1:]))
