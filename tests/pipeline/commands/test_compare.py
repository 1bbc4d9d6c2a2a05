"""`python -m pipeline compare` on a real store, with real models."""

import json
import re

import pandas as pd
import pytest

from pipeline.__main__ import main
from pipeline.data.table import read_split
from pipeline.evaluation.importance import shares_of
from pipeline.reports.importance_plot import read_importance
from serving.model.scorer import Scorer
from tests.pipeline.pages import Page
from tests.pipeline.registered import keep_in_cache


@pytest.fixture(scope="module")
def project(tmp_path_factory, three_versions):
    """Versions 1 (production) and 2 (staging) of the same test rows, and 3 of others."""
    made = three_versions.copy(tmp_path_factory.mktemp("compare") / "project")
    with made.entered():
        made.stage("production", "1")
        made.stage("staging", "2")
        yield made


@pytest.fixture
def compare(project, capsys):
    def run(*arguments):
        code = main(["compare", *arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run


@pytest.fixture
def as_json(compare):
    def run(*arguments):
        code, out, _ = compare(*arguments, "--json")
        assert code == 0
        return json.loads(out)

    return run


def test_a_version_may_be_named_by_number_stage_run_its_beginning_or_experiment(project, as_json):
    run_id = project.runs["2"]
    for reference in ("2", "staging", run_id, run_id[:8], "tall-reef"):
        found = as_json(reference, "production")
        assert (found["a"]["version"], found["b"]["version"]) == ("2", "1")
        assert (found["a"]["run_id"], found["a"]["run"]) == (run_id, "tall-reef")
        assert (found["a"]["stages"], found["b"]["stages"]) == ("staging", "production")


def test_settings_that_differ_and_all_figures_are_given(as_json, pima, pima_smooth):
    found = as_json("2", "1")
    assert found["params"]["grid_search.grid_size"] == {"a": "1", "b": "3"}
    assert "seed" not in found["params"]
    for side, result in (("a", pima_smooth), ("b", pima)):
        assert (
            found["metrics"]["test_brier"][side] == json.loads(result.metrics.read_text())["brier"]
        )


def test_both_are_scored_on_the_same_rows(as_json, pima, pima_smooth):
    found = as_json("2", "1")["paired_difference"]
    areas = [json.loads(r.metrics.read_text())["roc_auc"] for r in (pima_smooth, pima)]
    assert found["difference"] == pytest.approx(areas[0] - areas[1], abs=1e-9)
    assert found["rows"] == len(pd.read_csv(pima.test))
    assert found["low"] < found["difference"] < found["high"]


def test_versions_of_different_test_rows_are_compared_on_those_in_both(as_json, pima, pima_resplit):
    found = as_json("3", "1")
    contract = Scorer.load(pima.model).contract
    ours, theirs = (read_split(r.test, contract).cells for r in (pima, pima_resplit))
    shared = len(ours.merge(theirs))
    assert 10 < shared < 60
    assert found["paired_difference"]["rows"] == shared
    assert "were tested on different rows" in found["sentence"]


def test_a_version_is_as_good_as_itself(as_json):
    found = as_json("1", "production")
    assert found["params"] == {}
    assert found["paired_difference"]["p"] == 1


def test_the_text_shows_settings_the_interval_and_a_sentence(compare, pima):
    code, out, err = compare("staging", "production")
    figures = json.loads(pima.metrics.read_text())
    assert code == 0
    assert re.search(r"grid_search\.grid_size +1 +3\n", out)
    shown = f"{figures['roc_auc_low']:.4f} to {figures['roc_auc_high']:.4f}"
    assert re.search(rf"ROC AUC, 95% interval .* {re.escape(shown)}\n", out)
    assert re.search(rf"  ROC AUC +0.\d+ +{figures['roc_auc']:.4f} +[+-]0", out)
    assert f"On the same {figures['rows']} test rows, the ROC AUC of " in out.splitlines()[-1]
    assert err == "scoring both on their test rows …\n"


def test_a_reader_finds_settings_and_figures_first_and_digests_last(compare):
    titles = [line for line in compare("2", "1")[1].splitlines() if line and line[0] != " "]
    assert titles[:-1] == [
        "Versions",
        "Settings that differ",
        "Figures",
        "What they go by",
        "ROC AUC of subgroups",
        "Gates",
        "Where they come from",
    ]


def test_each_figure_has_its_difference_and_says_which_way_is_better(compare, as_json):
    out, found = compare("2", "1")[1], as_json("2", "1")
    lead = found["leads"]["test_brier"]
    figures = found["metrics"]["test_brier"]
    assert lead["low"] < lead["difference"] < lead["high"]
    assert lead["difference"] == pytest.approx(figures["a"] - figures["b"], abs=1e-9)
    interval = f"{lead['difference']:+.4f} ({lead['low']:+.4f} to {lead['high']:+.4f})"
    assert re.search(rf"  Brier score .*{re.escape(interval)} +lower\n", out)
    assert re.search(r"  recall +0\.\d+ +0\.\d+ +[+-]0[.\d]* +higher\n", out)
    assert len(max(out.split("\n\n")[2].splitlines(), key=len)) <= 120


def test_figures_of_different_rows_have_no_difference_but_on_the_rows_of_both(compare, as_json):
    out = compare("3", "1")[1]
    rows = as_json("3", "1")["paired_difference"]["rows"]
    assert f"A − B, on {rows} rows of both" in out
    assert re.search(r"  recall +0\.\d+ +0\.\d+ +higher\n", out)


def test_subgroups_and_gates_stand_side_by_side(as_json, compare, pima):
    found = as_json("2", "1")
    groups = pd.read_csv(pima.plots / "subgroups.csv").set_index("group")["roc_auc"]
    assert {k: v["b"] for k, v in found["subgroups"].items()} == pytest.approx(groups.to_dict())
    assert "none" in compare("2", "1")[1].split("Gates\n")[1].splitlines()[0]


def test_what_both_go_by_stands_side_by_side(as_json, compare, pima, pima_smooth):
    found = as_json("2", "1")["importance"]
    for side, result in (("a", pima_smooth), ("b", pima)):
        shares = shares_of(read_importance(result.plots))
        assert {name: pair[side]["share"] for name, pair in found.items()} == pytest.approx(shares)
    out = compare("2", "1")[1]
    table = out.split("What they go by\n")[1].split("\n\n")[0]
    glucose = found["Glucose"]
    shown = [f"{glucose[side]['share']:.1%} (" for side in "ab"]
    assert re.search(rf"  Glucose +{re.escape(shown[0])}.*{re.escape(shown[1])}", table)
    assert "importance/" not in out.split("What they go by\n")[0]


def test_one_feature_that_carries_most_is_told(as_json, compare, monkeypatch, tmp_path):
    assert as_json("2", "1")["warnings"] == []
    monkeypatch.setattr("pipeline.evaluation.importance.SUSPICIOUS", 0.2)
    *_, of_a, of_b, verdict = compare("2", "1", "--html", str(tmp_path / "p.html"))[1].split("\n\n")
    assert of_a.startswith("In A (version 2) `Glucose` carries ")
    assert of_b.startswith("In B (version 1) `Glucose` carries ")
    assert "the ROC AUC of " in verdict
    assert as_json("2", "1")["warnings"] == [of_a, of_b]
    assert of_a in (tmp_path / "p.html").read_text()


def test_the_page_has_four_plots_and_needs_nothing_else(compare, tmp_path):
    code, out, err = compare("2", "1", "--html", str(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert code == 0
    assert page.tags.count("svg") == 4
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    assert all(reference.startswith("#") for reference in page.references)
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert len(page.ids) == len(set(page.ids))
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert out.splitlines()[-1][1:].rstrip(".") in text.replace("&#39;", "'")
    assert f"the page is {tmp_path / 'page.html'}" in err


def test_the_same_versions_give_the_same_page(compare, tmp_path):
    for name in ("one.html", "two.html"):
        compare("2", "1", "--html", str(tmp_path / name))
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_without_html_no_file_is_written(compare, project):
    before = {path: path.stat().st_mtime_ns for path in project.folder.rglob("*.*")}
    compare("2", "1")
    after = {path: path.stat().st_mtime_ns for path in project.folder.rglob("*.*")}
    unchanged = {path for path in before if ".dvc" not in path.parts}
    assert {p: after[p] for p in unchanged} == {p: before[p] for p in unchanged}


@pytest.mark.parametrize("reference", ["9", "canary", "a-b", "x/y", "abc", "'"])
def test_what_names_nothing_is_told_in_a_sentence(compare, reference):
    code, out, err = compare(reference, "1")
    assert (code, out) == (1, "")
    assert "is no version, stage, finished run or experiment of pima-diabetes" in err


def test_test_rows_that_are_gone_are_told_with_what_to_type(compare, project, pima_resplit):
    kept = keep_in_cache(project.folder, pima_resplit.test)
    away = kept.rename(project.folder / "away")
    code, out, err = compare("3", "1")
    away.rename(kept)
    assert (code, out) == (1, "")
    assert "are neither in data/test.csv nor in DVC's cache: `dvc fetch" in err


def test_without_a_store_none_is_made(compare, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    code, _, err = compare("1", "2")
    assert code == 1
    assert "has nothing of pima-diabetes: run `dvc repro` first" in err
    assert not (tmp_path / "none.db").exists()


def test_two_names_are_needed(compare):
    assert compare("1")[0] == 2


def test_the_help_has_examples(compare):
    assert "python -m pipeline compare staging production" in compare("--help")[1]
