"""Check the table and split it.

Reads the user's table. Writes the training and the test split, cell by cell as they were, and the
data contract with the ranges seen in training.
"""

import sys
from pathlib import Path

import click
import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.data.problems import listed
from pipeline.data.rare_categories import group_rare
from pipeline.data.source_split import check_counts, split_source
from pipeline.data.table import Table
from pipeline.errors import PipelineError
from pipeline.files import write_whole
from pipeline.options import path_option, stage_example
from pipeline.params import Data, Params
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
    split = split_source(data, params)
    for note in split.notes:
        print(f"note: {note}", file=sys.stderr)
    check_counts(split, params)
    data_contract, grouped = group_rare(
        with_training_ranges(split.training), split.training.X, params.data.min_category_rows
    )
    for note in grouped:
        print(f"note: {note}", file=sys.stderr)
    write_whole(training, split.training.cells.to_csv(index=False).encode())
    write_whole(test, split.test.cells.to_csv(index=False).encode())
    write_whole(contract, data_contract.to_json())
    y = np.concatenate([split.training.y, split.test.y])
    print(
        f"{len(y)} rows, {_by_class(data_contract, y)}: {len(split.training.y)} for training, "
        f"{len(split.test.y)} for the test{_chosen_by(params.data)}"
    )


def _by_class(contract: Contract, y: npt.NDArray[np.int64]) -> str:
    """Return how many rows each class has, of two the positive one."""
    counts = np.bincount(y, minlength=len(contract.classes))
    of_classes = [f"{count} {value}" for count, value in zip(counts, contract.classes, strict=True)]
    if len(of_classes) == 2:
        return f"{counts[1]} of them {contract.target} {contract.classes[1]}"
    return f"{contract.target} {listed(of_classes)}"


def _chosen_by(data: Data) -> str:
    """Return what chose the test rows, where it is not each row by itself."""
    if data.has_test_file:
        return f": {data.test_file}"
    if data.time is not None:
        return f": {data.time} from {data.test_from} on"
    return f", the rows of one {data.group} on one side" if data.group is not None else ""


@click.command(help=__doc__, epilog=stage_example("preprocess"))
@path_option("--params", default="params.yaml")
@path_option("--training")
@path_option("--test")
@path_option("--contract")
def command(params: Path, training: Path, test: Path, contract: Path) -> None:
    settings = load(params)
    # Not an argument: the shell would read what a file's name may hold.
    run(settings, Path(settings.data.file), training, test, contract)
