"""One table, written in many ways, is one table: the same contract, rows and sides."""

import csv
import gzip
import io
import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pipeline.commands.init import settings_for
from pipeline.data.source_split import split_source
from pipeline.params_file import parse
from pipeline.profiling.findings import profile_file
from serving.model.reading import PLAIN
from tests.conftest import ROOT
from tests.workbooks import write_workbook

ROWS = 90
COLUMNS = ("length", "visits", "city", "fit", "y")


class Written(NamedTuple):
    """How a table is written."""

    kind: str = "csv"
    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    quoting: int = csv.QUOTE_MINIMAL
    newline: str = "\n"
    mark: str = ""
    title: bool = False
    order: tuple[str, ...] = COLUMNS


WAYS = st.builds(
    Written,
    kind=st.sampled_from(["csv", "csv", "gzip", "zip", "excel", "parquet"]),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "NA", "?", "n/a", "#DIV/0!", "-", "Unknown"]),
    title=st.booleans(),
    order=st.permutations(COLUMNS).map(tuple),
)


def table():
    """Return typed columns; None is missing."""
    rng = np.random.default_rng(5)
    length = [round(float(x), 3) for x in rng.normal(170, 10, ROWS)]
    visits = [int(x) for x in rng.integers(1, 40, ROWS)]
    return {
        "length": [None if row % 9 == 4 else x for row, x in enumerate(length)],
        "visits": [None if row % 11 == 7 else x for row, x in enumerate(visits)],
        "city": [("Köln", "Orléans, Loiret", "Graz")[i] for i in rng.integers(0, 3, ROWS)],
        "fit": [bool(x) for x in rng.integers(0, 2, ROWS)],
        "y": ["yes" if x else "no" for x in rng.integers(0, 2, ROWS)],
    }


def write(folder: Path, way: Written) -> Path:
    columns = {name: table()[name] for name in way.order}
    if way.kind == "parquet":
        parquet.write_table(pa.table(columns), folder / "table.parquet")
        return folder / "table.parquet"
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    titles = [["A title"], []] if way.title else []
    if way.kind == "excel":
        cells = [[way.mark if cell is None else cell for cell in row] for row in rows]
        return write_workbook(folder / "table.xlsx", {"one": [*titles, *cells]})
    out = io.StringIO(newline="")
    writer = csv.writer(
        out, delimiter=way.separator, quoting=way.quoting, lineterminator=way.newline
    )
    writer.writerows([*titles, *([to_text(cell, way) for cell in row] for row in rows)])
    content = out.getvalue().encode(way.encoding)
    if way.kind == "gzip":
        (folder / "table.csv.gz").write_bytes(gzip.compress(content))
        return folder / "table.csv.gz"
    if way.kind == "zip":
        with zipfile.ZipFile(folder / "table.zip", "w") as archive:
            archive.writestr("table.csv", content)
        return folder / "table.zip"
    (folder / "table.csv").write_bytes(content)
    return folder / "table.csv"


def to_text(cell: object, way: Written) -> str:
    if cell is None:
        return way.mark
    return str(cell).replace(".", way.decimal) if isinstance(cell, float) else str(cell)


def read(folder: Path, way: Written):
    """Look at a table as `init` does, then read and split it as `preprocess` does."""
    params = folder / "params.yaml"
    shutil.copyfile(ROOT / "params.yaml", params)
    path = write(folder, way)
    found = profile_file(path, "y", None)
    return split_source(path, parse(settings_for(found, params, None).text, params))


def facts(split):
    """Return what must be the same of each way: contract, X by name, y, and the sides."""
    contract = split.training.contract
    features = {feature.name: feature for feature in contract.features}
    plain = msgspec.structs.replace(contract, table_format=PLAIN, features=())
    sides = [
        (
            part.cells.index.tolist(),
            part.y.tolist(),
            dict(zip(contract.names, part.X.T.tolist(), strict=True)),
        )
        for part in (split.training, split.test)
    ]
    return plain, features, sides


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return facts(read(tmp_path_factory.mktemp("plain"), Written()))


@settings(max_examples=30, phases=[Phase.explicit, Phase.generate])
@given(way=WAYS)
def test_one_table_written_in_many_ways_is_the_same_table(way, expected, tmp_path_factory):
    np.testing.assert_equal(facts(read(tmp_path_factory.mktemp("way"), way)), expected)
