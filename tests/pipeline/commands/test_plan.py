import json
import shutil

import pytest

from pipeline.__main__ import main
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, pima_csv):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copyfile(pima_csv, tmp_path / "data/diabetes.csv")
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    return tmp_path


def planned(capsys, *arguments):
    assert main(["plan", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_plan_says_units_time_and_memory(capsys):
    plan = planned(capsys)
    assert (plan["rows"], plan["features"]) == (631, 8)
    assert (plan["candidates"], plan["fits"], plan["finalists"]) == (200, 2000, 40)
    assert (plan["folds"], plan["repeats"], plan["units"]) == (5, 5, 300)
    assert (plan["strategy"], plan["components"]) == ("grid", None)
    assert plan["layout"].startswith("distances once for each fold")
    assert 10**7 < plan["memory_bytes"] < 10**8 < plan["memory_limit_bytes"]
    assert 0.1 < plan["search_seconds"] < 100
    assert 0 < plan["refit_seconds"] < 20
    assert plan["timed_rows"] == 505


def test_a_plan_for_people_reads_as_a_table(capsys):
    assert main(["plan"]) == 0
    told = capsys.readouterr()
    lines = dict(line.split(None, 1) for line in told.out.splitlines())
    assert lines["table"] == "631 training rows, 8 features"
    assert lines["way"] == "the exact grid"
    assert lines["units"].startswith("300 (fold, gamma), ")
    assert lines["search"].startswith("about ")
    assert "timing" in told.err


def test_a_million_rows_are_planned_from_a_few_hundred(capsys):
    nystroem = ["-S", "grid_search.approximation=nystroem", "-S", "grid_search.components=300"]
    settings = [*nystroem, "-S", "grid_search.strategy=grid"]
    small = planned(capsys, *settings)
    large = planned(capsys, *settings, "--rows", "1000000")
    assert large["rows"] == 1_000_000
    assert large["search_seconds"] > 500 * small["search_seconds"]
    assert large["memory_bytes"] > 3 * 10**9
    assert large["layout"].startswith("an approximate kernel map")


def test_a_table_for_which_no_kernel_fits_is_planned_without_one(capsys):
    exact = ["-S", "grid_search.approximation=none", "-S", "grid_search.strategy=grid"]
    plan = planned(capsys, "--rows", "100000", "-S", "grid_search.memory_limit=1", *exact)
    assert plan["layout"].startswith("no kernel")
    assert plan["memory_bytes"] == 10**9


def test_halving_is_planned_by_its_iterations(capsys):
    halving = ["-S", "grid_search.strategy=halving", "-S", "grid_search.halving_min_rows=null"]
    plan = planned(capsys, *halving)
    assert plan["fits"] == 5 * (200 + 67 + 23 + 8) + 25 * 8
    assert plan["strategy"] == "halving"
    assert plan["search_seconds"] < planned(capsys)["search_seconds"]


def test_auto_is_planned_for_the_rows_that_are_asked_for(capsys):
    plan = planned(capsys, "--rows", "48000", "-S", "grid_search.grid_size=4")
    assert (plan["strategy"], plan["components"]) == ("halving", 1600)
    assert plan["repeats"] == 1


def test_settings_that_do_not_fit_are_a_sentence(capsys):
    assert main(["plan", "-S", "grid_search.grid_sise=3"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("plan failed: params.yaml, grid_search: ")
    assert "Traceback" not in said


def test_a_scheduler_that_is_away_is_a_sentence(capsys, monkeypatch):
    monkeypatch.setattr("pipeline.search.cluster.CONNECT_S", 0.2)
    dask = ["-S", "grid_search.backend=dask", "-S", "grid_search.scheduler=tcp://127.0.0.1:1"]
    assert main(["plan", *dask]) == 1
    assert "the Dask scheduler at tcp://127.0.0.1:1 does not answer" in capsys.readouterr().err
