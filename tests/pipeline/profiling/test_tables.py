"""Tables of the kinds that people have, and what `init` finds in their columns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.commands.init import settings_for
from pipeline.data.source_split import split_source
from pipeline.errors import PipelineError
from pipeline.params import Params
from pipeline.params_file import parse
from pipeline.profiling.choices import Choices
from pipeline.profiling.columns.column import Column, Left
from pipeline.profiling.findings import profile_file
from serving.formats.csv_table import read_table, to_rows
from serving.model.rows import to_matrix
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


@pytest.mark.parametrize(
    ("file", "target", "column", "cells"),
    [("na_q.csv", "y", "alpha", 14), ("continent.csv", "bought", "city", 0)],
)
def test_words_for_missing_are_counted_as_the_column_is_read(
    file: str, target: str, column: str, cells: int
) -> None:
    """`?` among numbers is missing, and NA beside AF and EU is a category."""
    assert profile_file(TABLES / file, target, None).profile.missing[column] == cells


def test_sentinels_of_all_kinds_are_missing() -> None:
    columns = found_in("sentinel_other")
    marks = {name: columns[name].missing_values for name in "abcdef"}
    assert marks == {
        **{"a": (-999.9,), "b": (8888.0,), "c": (-200.0,)},
        **{"d": (1e6,), "e": (-1.0,), "f": (9999999.0,)},
    }


def left_out(name: str, target: str = "bought") -> dict[str, str]:
    found = found_in(name, target)
    return {name: left.type for name, left in found.items() if isinstance(left, Left)}


def test_identifiers_of_all_names_are_left_out() -> None:
    assert left_out("ids") == dict.fromkeys(
        (
            *("EmployeeNumber", "customer", "phone", "zip", "iban", "order_no", "uuid"),
            *("userid", "ACCOUNT_ID", "id_patient", "IdKunde"),
        ),
        "identifier",
    )


def test_dates_in_all_forms_are_left_out_as_such() -> None:
    assert left_out("dates") == dict.fromkeys(
        ("signup", "german_date", "long", "us", "yyyymmdd", "epoch", "month", "hhmm", "ym"), "date"
    )


def test_code_is_a_category_though_it_alone_predicts_the_target() -> None:
    profile = profile_file(TABLES / "zipcode.csv", "bought", None).profile
    column = profile.features["zip"]
    assert (column.type, len(column.categories)) == ("category", 8)
    assert "whole numbers that name things" in column.note
    assert "column zip: alone predicts bought (ROC AUC 1.000): kept all" in profile.notes[0]


def test_more_than_fifty_categories_are_kept() -> None:
    assert len(found_in("cats51")["shop"].categories) == 51


@pytest.mark.parametrize(
    ("table", "target", "group", "time"),
    [
        ("patients", "sick", "patient_id", None),
        ("timeorder", "up", None, "date"),
        ("months", "bought", None, "month"),
        ("dates", "bought", None, "signup"),
    ],
)
def test_group_and_time_are_offered(table: str, target: str, group: str, time: str) -> None:
    split = profile_file(TABLES / f"{table}.csv", target, None).profile.split
    assert (split.group, split.time) == (group, time)


def test_unnamed_column_of_measures_is_no_index() -> None:
    with pytest.raises(PipelineError, match="column 1: has no name, and is no index, since"):
        profile_file(TABLES / "unnamed_real.csv", "y", None)


@pytest.mark.parametrize(
    ("table", "classes"),
    [("t_zeros", {"007", "07"}), ("t_ages", {"18_25", "26_40"})],
)
def test_classes_stay_as_they_are_written(table: str, classes: set[str]) -> None:
    assert {*profile_file(TABLES / f"{table}.csv", "y", None).classes} == classes


def test_numbers_written_otherwise_are_read_or_told() -> None:
    found = found_in("formatted")
    numbers = ("rate", "price", "eur", "dec", "term", "kg", "fewpct", "expo")
    assert {found[name].type for name in numbers} == {"integer", "number"}
    units = [found[name].unit for name in numbers]
    assert units == ["%", "$", "€", "", "months", "kg", "%", ""]
    assert found["agegroup"].type == "category"
    assert "can be read in two ways, '770,574' as 770.574 or as 770574" in found["pop"].reason
    assert "such as '>96'" in found["over"].reason
    assert found["bp"].reason.startswith("is text")


@pytest.mark.parametrize(
    ("table", "note"),
    [
        ("percent_few", "'60%' is read as 60"),
        ("money_few", "'$6,000' is read as 6000"),
        ("unit_few", "'60 mg' is read as 60"),
    ],
)
def test_few_numbers_with_a_unit_are_numbers(table: str, note: str) -> None:
    column = found_in(table, "y")["alpha"]
    assert (column.type, column.note) == ("integer", note)


def test_bounds_among_numbers_leave_a_column_out() -> None:
    assert "23 of 240 cells say that a number lies" in found_in("lt_few", "y")["beta"].reason


def settings_of(name: str, target: str, tmp_path: Path) -> Params:
    """Return the settings that `init` writes for a table."""
    found = profile_file(TABLES / f"{name}.csv", target, None)
    params = tmp_path / "params.yaml"
    params.write_bytes((ROOT / "params.yaml").read_bytes())
    return parse(settings_for(found, params, None).text, params)


@pytest.mark.parametrize(
    ("table", "target"),
    [
        *[("formatted", "bought"), ("cats51", "bought"), ("ids", "bought"), ("dates", "bought")],
        *[("zipcode", "bought"), ("sentinel_other", "bought"), ("patients", "sick")],
        *[("timeorder", "up"), ("zero_policy", "bought"), ("t_ages", "y"), ("t_zeros", "y")],
        *[("money_few", "y"), ("lt_few", "y"), ("months", "bought")],
    ],
)
def test_preprocess_and_requests_read_a_table_as_init_found_it(
    table: str, target: str, tmp_path: Path
) -> None:
    path = TABLES / f"{table}.csv"
    split = split_source(path, settings_of(table, target, tmp_path))
    for part in (split.training, split.test):
        assert len(part.y) > 0
        asked = to_rows(part.contract, read_table(part.contract, csv_of(part.cells), 10_000))
        np.testing.assert_array_equal(to_matrix(part.contract, asked), part.X)


def test_dates_are_features_by_their_parts_where_a_user_says_so(tmp_path: Path) -> None:
    chosen = ("signup", "german_date", "long", "us", "yyyymmdd", "month", "ym")
    path = TABLES / "dates.csv"
    found = profile_file(path, "bought", None, choices=Choices(date=chosen))
    params = tmp_path / "params.yaml"
    params.write_bytes((ROOT / "params.yaml").read_bytes())
    training = split_source(path, parse(settings_for(found, params, None).text, params)).training
    days = {name: training.X[:, training.contract.names.index(name)] for name in chosen}
    for name in ("german_date", "long", "us", "yyyymmdd"):
        np.testing.assert_array_equal(days[name], days["signup"])
    np.testing.assert_array_equal(days["ym"], days["month"])
    assert found.profile.features["month"].parts == ("year", "month", "days")
    asked = read_table(training.contract, csv_of(training.cells), 1000)
    rows = to_rows(training.contract, asked)
    np.testing.assert_array_equal(to_matrix(training.contract, rows), training.X)


def csv_of(cells: pd.DataFrame) -> bytes:
    return cells.to_csv(index=False).encode()
