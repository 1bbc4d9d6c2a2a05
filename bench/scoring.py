"""Rows a second and core of `python -m serving score`, beside MLflow's own model in a loop.

    python -m bench.scoring [ROUNDS]

The same version scores the same million rows, drawn from the default table, on one pinned core:
`score` from Parquet and from CSV, and the way a user would write it, `mlflow.pyfunc.load_model` and
`predict` on pandas chunks of Parquet. Whole processes, from start to the written file; the median
of ROUNDS (3), taken in turn.
"""

import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from bench.project import TABLE, copy_project, run

ROWS = 1_000_000
PINNED = ("taskset", "-c", "0")
SCORE = (*PINNED, "python", "-m", "serving", "score")
PEER = """
import mlflow, pandas, pyarrow.parquet as parquet, pyarrow, sys
mlflow.set_tracking_uri("sqlite:///mlflow.db")
model = mlflow.pyfunc.load_model(f"models:/{sys.argv[1]}@production")
names = model.metadata.get_input_schema().input_names()
writer = None
for batch in parquet.ParquetFile("rows.parquet").iter_batches(65536):
    rows = batch.to_pandas()
    answers = model.predict(rows[names].astype("float64"))
    scored = pyarrow.Table.from_pandas(rows.assign(**answers), preserve_index=False)
    writer = writer or parquet.ParquetWriter("peer.parquet", scored.schema)
    writer.write_table(scored)
writer.close()
"""


def main(rounds: int = 3) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "project")
        copy_project(folder)
        run(folder, "dvc", "repro", "--quiet")
        run(folder, "python", "-m", "compileall", "-q", "serving")
        _write_rows(folder)
        ours = ("--jobs", "1", "--offline")
        ways = {
            "score, Parquet": (*SCORE, "rows.parquet", "--out", "ours.parquet", *ours),
            "score, CSV": (*SCORE, "rows.csv", "--out", "ours.csv", *ours),
            "mlflow.pyfunc, Parquet": (*PINNED, "python", "-c", PEER, "pima-diabetes"),
        }
        run(folder, "python", "-m", "serving.following.sync")
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds):
            for name, command in ways.items():
                start = time.perf_counter()
                run(folder, *command)
                seconds[name].append(time.perf_counter() - start)
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    peer = medians["mlflow.pyfunc, Parquet"]
    print(f"| {ROWS:,} rows on one core | s | rows/s | to mlflow |\n|---|---|---|---|")
    for name, took in medians.items():
        print(f"| {name} | {took:.1f} | {ROWS / took:,.0f} | {peer / took:.1f} |")


def _write_rows(folder: Path) -> None:
    table = pd.read_csv(folder / TABLE).drop(columns="Outcome")
    drawn = np.random.default_rng(0).integers(0, len(table), ROWS)
    rows = table.iloc[drawn].reset_index(drop=True)
    rows.to_parquet(folder / "rows.parquet")
    rows.to_csv(folder / "rows.csv", index=False)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
