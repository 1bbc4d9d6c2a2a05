"""Tables of the kinds that people have, and what `init` finds in their columns."""

import pytest

from pipeline.profiling.column import Column, Left
from pipeline.profiling.findings import profile_file
from tests.conftest import ROOT

TABLES = ROOT / "tests/data/tables"


def found_in(name: str, target: str = "bought") -> dict[str, Column | Left]:
    profile = profile_file(TABLES / f"{name}.csv", target, None).profile
    return {**profile.features, **profile.ignored}


@pytest.mark.parametrize("table", ["zero_policy", "zero_discount"])
def test_zeros_that_are_amounts_are_kept(table: str) -> None:
    column = found_in(table)["x"]
    assert (column.type, column.missing_values) == ("integer", ())
    assert "kept as an amount" in column.note


def test_sentinels_of_all_kinds_are_missing() -> None:
    columns = found_in("sentinel_other")
    marks = {name: columns[name].missing_values for name in "abcdef"}
    assert marks == {
        **{"a": (-999.9,), "b": (8888.0,), "c": (-200.0,)},
        **{"d": (1e6,), "e": (-1.0,), "f": (9999999.0,)},
    }
