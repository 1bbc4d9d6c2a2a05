"""Check the table and split it.

Reads the user's table. Writes the training and the test split, cell by cell as they were, and the
data contract with the ranges seen in training.
"""

import sys
from pathlib import Path

import click
import msgspec
import numpy as np

from pipeline.data.split import split
from pipeline.data.table import Table, read_source
from pipeline.errors import PipelineError
from pipeline.files import write_whole
from pipeline.options import path_option
from pipeline.params import Params
from pipeline.params_file import load
from serving.model.contract import Contract, Feature


def with_training_ranges(table: Table) -> Contract:
    """Return the table's contract, with the lowest and highest known value of each number."""
    features = tuple(
        msgspec.structs.replace(feature, training_range=_known_range(feature, table))
        for feature in table.contract.features
    )
    return msgspec.structs.replace(table.contract, features=features)


def _known_range(feature: Feature, table: Table) -> tuple[float, float] | None:
    x = table.X[:, table.contract.names.index(feature.name)]
    known = x[~np.isnan(x) & ~np.isin(x, feature.missing_numbers)]
    if not known.size:
        raise PipelineError(
            f"column {feature.name}: has no known value in the training split; "
            "take it out of data.features in params.yaml"
        )
    if feature.type == "category":
        return None
    return float(known.min()), float(known.max())


def run(params: Params, data: Path, training: Path, test: Path, contract: Path) -> None:
    table = read_source(data, params.data)
    for note in table.notes:
        print(f"note: {note}", file=sys.stderr)
    training_table, test_table = split(table, params.preprocess.test_size, params.seed)
    data_contract = with_training_ranges(training_table)
    write_whole(training, training_table.cells.to_csv(index=False).encode())
    write_whole(test, test_table.cells.to_csv(index=False).encode())
    write_whole(contract, data_contract.to_json())
    print(
        f"{len(table.y)} rows, {int(table.y.sum())} of them {params.data.target} "
        f"{data_contract.classes[1]}: {len(training_table.y)} for training, "
        f"{len(test_table.y)} for the test"
    )


@click.command(help=__doc__)
@path_option("--params", default="params.yaml")
@path_option("--training")
@path_option("--test")
@path_option("--contract")
def command(params: Path, training: Path, test: Path, contract: Path) -> None:
    settings = load(params)
    # Not an argument: the shell would read what a file's name may hold.
    run(settings, Path(settings.data.file), training, test, contract)
