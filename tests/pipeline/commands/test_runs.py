"""`python -m pipeline runs`: its rules on plain functions, then once on a real store."""

from datetime import UTC, datetime

import pytest

from pipeline.commands.runs import (
    Line,
    differing_settings,
    format_lines,
    metric_of,
    sort_by,
)
from pipeline.errors import PipelineError
from pipeline.registry.results import ResultRun


def result(name="wide", **metrics):
    made = datetime(2026, 11, 24, 12, 56, tzinfo=UTC)
    figures = {f"test_{key}": value for key, value in metrics.items()}
    return ResultRun("abcd", name, (), "ann@mars", made, "2", ("staging",), {}, figures)


def test_only_settings_that_differ_are_listed():
    recorded = {"seed": "42", "grid_search.grid_size": "20", "data.time": "day", "C": "2.0"}
    current = {
        "seed": "42",
        "grid_search.grid_size": "10",
        "grid_search.rule": "one_se",
        "data.file": "f",
    }
    assert differing_settings(recorded, current) == {
        "grid_search.grid_size": ("20", "10"),
        "data.time": ("day", None),
    }


def test_long_setting_is_compared_as_it_was_recorded():
    columns = "x" * 7000
    assert differing_settings({"data.features": columns[:6000]}, {"data.features": columns}) == {}


@pytest.mark.parametrize(("figure", "names"), [("roc_auc", "cab"), ("brier", "abc")])
def test_best_is_first_and_missing_figure_last(figure, names):
    found = [result("a", brier=0.1, roc_auc=0.7), result("b", brier=0.2), result("c", roc_auc=0.9)]
    assert "".join(one.name for one in sort_by(found, f"test_{figure}")) == names


def test_figure_is_of_the_test_rows_or_a_metric_in_full():
    found = [result(brier=0.1)]
    assert metric_of("brier", found) == metric_of("test_brier", found) == "test_brier"
    with pytest.raises(PipelineError, match="has the figure 'brir': --sort takes one of brier"):
        metric_of("brir", found)


def test_list_fits_80_columns():
    wide = result("n" * 60, roc_auc=-0.85, roc_auc_low=-0.12345, roc_auc_high=-0.98765)
    settings = {f"data.features.{key * 20}": ("v" * 90, None) for key in "abcdef"}
    lines = format_lines([Line(wide, settings), Line(result(), {})], "test_roc_auc").splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "    ann@mars; in staging; as params.yaml"


def test_no_result_says_what_to_run():
    assert format_lines([], "test_roc_auc") == "there is no result yet: run `dvc repro`"


def test_runs_are_listed_with_version_stage_and_settings(project, done, as_json):
    project.stage("production", "1")
    params = project.folder / "params.yaml"
    params.write_text(params.read_text().replace("max_brier: 0.20", "max_brier: 0.3"))
    newest, _, oldest = as_json("runs")
    assert (newest["name"], newest["version"], newest["stages"]) == ("resplit", "3", [])
    assert (oldest["name"], oldest["version"], oldest["stages"]) == (
        "repro one",
        "1",
        ["production"],
    )
    assert oldest["differs"]["register.gates.max_brier"] == ["0.2", "0.3"]
    assert oldest["metrics"]["test_roc_auc_low"] < oldest["metrics"]["test_roc_auc"]
    said = done("runs", "--sort", "brier").splitlines()
    assert said[0].split() == ["name", "version", "Brier", "score", "when", "(UTC)"]
    assert any(line.startswith("repro one ") for line in said)
