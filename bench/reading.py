"""Reading a table for the pipeline, every cell as text, beside `pandas.read_csv`.

    python -m bench.reading [ROWS [ROUNDS]]

ROWS (1,000,000) of 20 columns: 12 of decimals, 4 of whole numbers, 3 of words, and a target. The
two take turns, each ROUNDS (3) times in a process of its own. The memory is what a process has at
most more than before it reads, in units of the frame that pandas makes.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.memory import megabytes
from pipeline.data.table_file import read_file

STATUS = Path("/proc/self/status")
WAYS = ("pipeline", "pandas")
WORDS = ("red", "green", "blue", "dark grey")


class Measured(msgspec.Struct):
    """Seconds, and megabytes: of the process at most, and of the frame alone."""

    seconds: float
    peak: float
    frame: float


def main(rows: int, rounds: int) -> None:
    with TemporaryDirectory() as temporary:
        path = Path(temporary, "table.csv")
        _write_table(path, rows)
        measured: dict[str, list[Measured]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                command = [sys.executable, "-m", "bench.reading", way, str(path)]
                done = subprocess.run(command, capture_output=True, check=True)
                measured[way].append(msgspec.json.decode(done.stdout, type=Measured))
    frame = measured["pandas"][0].frame
    print(f"| {rows:,} rows × 20 | seconds | at most, MB | of pandas' frame |")
    print("|---|---|---|---|")
    for way in WAYS:
        seconds = statistics.median(each.seconds for each in measured[way])
        peak = statistics.median(each.peak for each in measured[way])
        print(f"| {way} | {seconds:.2f} | {peak:.0f} | {peak / frame:.1f} |")


def _write_table(path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    columns: dict[str, npt.NDArray[Any]] = {
        f"x{i}": random.normal(0, 100, rows).round(3) for i in range(12)
    }
    columns |= {f"n{i}": random.integers(0, 10_000, rows) for i in range(4)}
    columns |= {f"c{i}": random.choice(WORDS, rows) for i in range(3)}
    columns["y"] = random.integers(0, 2, rows)
    pd.DataFrame(columns).to_csv(path, index=False)


def _measure(way: str, path: Path) -> Measured:
    before, start = megabytes(STATUS, "VmHWM:"), time.perf_counter()
    frame = read_file(path).cells if way == "pipeline" else pd.read_csv(path)
    seconds = time.perf_counter() - start
    return Measured(
        seconds,
        megabytes(STATUS, "VmHWM:") - before,
        float(frame.memory_usage(deep=True).sum()) / 2**20,
    )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in WAYS:
        print(msgspec.json.encode(_measure(sys.argv[1], Path(sys.argv[2]))).decode())
    else:
        main(*(int(n) for n in (*sys.argv[1:], *("1000000", "3")[len(sys.argv) - 1 :])))
