"""`python -m serving score` on one core, beside `mlflow.pyfunc` on frames of pandas.

    python -m bench.scoring [ROWS [ROUNDS]]

ROWS (3,000,000) drawn from the default table, as Parquet and as CSV, scored to the same format.
The two take turns, each ROUNDS (3) times as a process of its own, pinned to one core, from its
start to its end, with the registry asked; the ratio of the medians is what to quote.
"""

import os
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from bench.project import TABLE, copy_project, run, seconds

TARGET = "Outcome"
FORMATS = (".parquet", ".csv")
AT_ONCE = 100_000  # rows in a frame: no slower than 1,000 or 10,000
CLOSE = 1e-9


def main(rows: int, rounds: int) -> None:
    with TemporaryDirectory() as temporary:
        folder = copy_project(Path(temporary, "project"), ["bench/__init__.py", "bench/peers"])
        run(folder, "dvc", "repro", "--quiet")
        _write_tables(folder, rows)
        ways = {"score": _ours, "pyfunc": _pyfunc}
        measured: dict[tuple[str, str], list[float]] = {}
        for number in range(rounds):
            for suffix in FORMATS:
                for name, way in ways.items():
                    took = seconds(folder, *_on_one_core(), *way(folder, suffix))
                    measured.setdefault((name, suffix), []).append(took)
                    print(f"round {number + 1}: {name} {suffix} {took:.1f} s", file=sys.stderr)
        _check_same(folder)
    medians = {key: statistics.median(times) for key, times in measured.items()}
    print(f"| {rows:,} rows on one core | score, rows/s | pyfunc, rows/s | ratio |")
    print("|---|---|---|---|")
    for suffix in FORMATS:
        ours, theirs = (rows / medians[name, suffix] for name in ways)
        print(f"| {suffix} to {suffix} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.1f} |")


def _write_tables(folder: Path, rows: int) -> None:
    table = arrow_csv.read_csv(folder / TABLE).drop_columns([TARGET])
    drawn = np.random.default_rng(0).integers(0, table.num_rows, rows)
    # A group at a time, as writers leave them.
    groups = (table.take(pa.array(part)) for part in np.array_split(drawn, 1 + rows // 2**20))
    with (
        parquet.ParquetWriter(folder / "rows.parquet", table.schema) as as_parquet,
        arrow_csv.CSVWriter(folder / "rows.csv", table.schema) as as_csv,
    ):
        for group in groups:
            as_parquet.write_table(group)
            as_csv.write_table(group)


def _on_one_core() -> tuple[str, ...]:
    core = max(os.sched_getaffinity(0))
    return ("env", "OMP_NUM_THREADS=1", "taskset", "-c", str(core))


def _ours(folder: Path, suffix: str) -> list[str]:  # noqa: ARG001
    command = ["python", "-m", "serving", "score", f"rows{suffix}", "--out", f"ours{suffix}"]
    return [*command, "--jobs", "1"]


def _pyfunc(folder: Path, suffix: str) -> list[str]:
    name = msgspec.yaml.decode((folder / "params.yaml").read_bytes())["name"]
    files = [f"rows{suffix}", f"pyfunc{suffix}", str(AT_ONCE)]
    command = ["python", "-m", "bench.peers.pyfunc", f"models:/{name}@production", *files]
    return ["env", "MLFLOW_TRACKING_URI=sqlite:///mlflow.db", *command]


def _check_same(folder: Path) -> None:
    """End the bench where the two do not give the same answers."""
    ours, theirs = (
        parquet.read_table(folder / f"{way}.parquet")["probability"].to_numpy()
        for way in ("ours", "pyfunc")
    )
    if not np.allclose(ours, theirs, rtol=0, atol=CLOSE):
        sys.exit("the two ways do not give the same probabilities")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(given[0] if given else 3_000_000, given[1] if len(given) > 1 else 3)
