"""What `/predict` keeps of its throughput while `/explain` is asked beside it, once a second.

    python -m bench.beside [SECONDS] [ROUNDS]

One worker on one core; wrk asks `/predict` for one row on another, for SECONDS (2) without and
with one `/explain` of ten rows a second, in turn, ROUNDS (16) times. The ratios of the medians are
what to quote; turns are short, since a machine's own pace changes within seconds.
"""

import signal
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from bench.lineup import EXPLAINED, body, launches, prepare
from bench.servers import Server, running
from bench.serving import WARM_UP_S, median_load, two_cores
from bench.wrk import Load, load, require_wrk

CONNECTIONS = (1, 16)
EVERY_S = 1.0
ALONE, BESIDE = "without", "with"

Loads = dict[tuple[int, str], Load]


def main(seconds: int = 2, rounds: int = 16) -> None:
    require_wrk()
    on, load_from = two_cores()
    # So that the server is stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    explained: list[float] = []
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "project")
        print("preparing a project with a version in production", file=sys.stderr)
        prepare(folder)
        with running(folder, launches(folder)["predict"], on) as server:
            _round(folder, server, load_from, WARM_UP_S, [])
            measured = []
            for number in range(rounds):
                measured.append(_round(folder, server, load_from, seconds, explained))
                print(f"round {number + 1} of {rounds}", file=sys.stderr)
    _report({key: median_load(one[key] for one in measured) for key in measured[0]})
    print(
        f"\n`/explain` of {EXPLAINED} rows beside it: {1000 * statistics.median(explained):.0f} ms"
    )


def _round(folder: Path, server: Server, core: int, seconds: int, explained: list[float]) -> Loads:
    question, of_many = body(folder, "predict", 1), body(folder, "predict", EXPLAINED)
    found = {}
    for connections in CONNECTIONS:
        found[connections, ALONE] = load(server, question, core, connections, seconds)
        with explaining(server, of_many.read_bytes(), explained):
            found[connections, BESIDE] = load(server, question, core, connections, seconds)
    return found


@contextmanager
def explaining(server: Server, rows: bytes, took: list[float]) -> Iterator[None]:
    """Ask `/explain` at once and then every second; where it does not answer, the bench fails."""
    end, asked = Event(), replace(server, path="/explain")

    def ask() -> None:
        pause = 0.0
        while not end.wait(pause):
            start = time.perf_counter()
            asked.ask(rows)
            took.append(time.perf_counter() - start)
            pause = max(0.0, EVERY_S - took[-1])

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield
        finally:
            end.set()
        asking.result()


def _report(loads: Loads) -> None:
    print(
        "| `/predict` of one row | without, requests/s | with `/explain`, requests/s | ratio ",
        end="",
    )
    print("| p99 without, ms | p99 with, ms |\n|---|---|---|---|---|---|")
    for connections in CONNECTIONS:
        alone, beside = (loads[connections, way] for way in (ALONE, BESIDE))
        print(f"| {connections} at once | {alone.rate:.0f} | {beside.rate:.0f} ", end="")
        print(f"| {beside.rate / alone.rate:.3f} | {alone.p99:.2f} | {beside.p99:.2f} |")


if __name__ == "__main__":
    if any(not word.isdigit() or int(word) < 1 for word in sys.argv[1:]) or len(sys.argv) > 3:
        sys.exit(__doc__)
    main(*map(int, sys.argv[1:]))
