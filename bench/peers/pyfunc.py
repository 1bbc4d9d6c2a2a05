"""Score a file as MLflow's guides do: `pyfunc.load_model(...).predict` on frames of pandas.

python -m bench.peers.pyfunc MODEL_URI FILE OUT ROWS, with ROWS at once.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pyarrow as pa
from pyarrow import parquet


def frames(source: Path, rows: int) -> Iterator[Any]:
    if source.suffix == ".csv":
        yield from pd.read_csv(source, chunksize=rows)
    else:
        for batch in parquet.ParquetFile(source).iter_batches(rows):
            yield batch.to_pandas()


def write(scored: Iterator[Any], out: Path) -> None:
    writer = None
    for number, frame in enumerate(scored):
        if out.suffix == ".csv":
            frame.to_csv(out, mode="a" if number else "w", header=not number, index=False)
            continue
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or parquet.ParquetWriter(out, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main(uri: str, source: Path, out: Path, rows: int) -> None:
    model: Any = mlflow.pyfunc.load_model(uri)  # type: ignore[attr-defined,unused-ignore]
    predicted = (
        frame.join(model.predict(frame.astype("float64")).set_axis(frame.index))
        for frame in frames(source, rows)
    )
    write(predicted, out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
