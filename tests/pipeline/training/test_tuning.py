import msgspec
import numpy as np
import pytest

from pipeline.data.table import read_split
from pipeline.search.checkpoint import Checkpoint
from pipeline.search.strategy import Callbacks
from pipeline.search.units import Candidate
from pipeline.training import learning_curve, tuning
from pipeline.training.choice import parts_on
from pipeline.training.plan import figures
from pipeline.training.tuning import Search, memory_limit, run_search
from serving.model.contract import Contract


@pytest.fixture
def pima_search(pima):
    """Define the search of the Pima table, with settings changed."""
    table = read_split(pima.training, Contract.read(pima.contract))

    def define(*, seed=42, X=None, **changes):
        changed = msgspec.structs.replace(pima.params.grid_search, **changes)
        of = table if X is None else tuning.Table(table.cells, X, table.y, table.contract)
        return Search.of(of, changed, seed)

    return define


def test_the_key_names_all_that_the_scores_depend_on(pima_search):
    first = pima_search()
    other_value = first.problem.X.copy()
    other_value[5, 2] += 1
    others = [
        pima_search(seed=43),
        pima_search(grid_size=4),
        pima_search(gamma=(0.001, 10.0)),
        pima_search(rank_by="median"),
        pima_search(score="average_precision"),
        pima_search(rule="tutorial"),
        pima_search(class_weight="none"),
        pima_search(repeats=2),
        pima_search(strategy="halving"),
        pima_search(approximation="nystroem"),
        pima_search(X=other_value),
    ]
    assert pima_search().key == first.key
    assert len({first.key, *(other.key for other in others)}) == 1 + len(others)


def test_the_key_does_not_name_where_the_search_runs(pima_search):
    there = pima_search(backend="dask", scheduler="tcp://somewhere:1", memory_limit=3.0)
    assert there.key == pima_search().key


def test_the_key_follows_the_code(pima_search, monkeypatch, tmp_path):
    before = pima_search().key
    changed = tmp_path / "solve.py"
    changed.write_text("# another way")
    monkeypatch.setattr(tuning, "_code", lambda: [changed])
    assert pima_search().key != before


def test_halving_scores_more_often_than_there_are_candidates(pima_search):
    assert pima_search(grid_size=10).evaluations == [200]
    halving = pima_search(grid_size=10, strategy="halving", halving_min_rows=None)
    assert halving.evaluations == [200, 67, 23, 8]
    assert (halving.finalists, pima_search(grid_size=10).finalists) == (8, 40)
    tutorial = pima_search(grid_size=10, rule="tutorial")
    assert (tutorial.fits, tutorial.finalists, tutorial.repeats) == (100 * 5 + 5, 1, 1)
    assert pima_search(grid_size=10).fits == 200 * 5 + 40 * 25


def test_a_search_of_four_classes_fits_an_svm_for_each(four_classes_model, pima):
    model = four_classes_model
    table = tuning.Table(None, model.X, model.y, model.contract)
    settings = msgspec.structs.replace(pima.params.grid_search, grid_size=10)
    search = Search.of(table, settings, 42)
    assert search.fits == 4 * (200 * 5 + 40 * 25)
    assert [part.svms for part in search.parts] == [4, 4]
    assert parts_on(search.settings, len(model.y), 4) == search.parts
    assert figures(search, len(model.y), 0.01).fits == search.fits


@pytest.mark.parametrize(
    ("content", "expected"), [("max\n", 4_000), ("8000\n", 2_000), ("99999999\n", 4_000)]
)
def test_a_quarter_of_the_machine_s_memory_or_the_container_s_is_used(
    pima, monkeypatch, tmp_path, content, expected
):
    class Memory:
        total = 16_000

    monkeypatch.setattr(tuning.psutil, "virtual_memory", Memory)
    monkeypatch.setattr(tuning, "CGROUP_LIMIT", tmp_path / "memory.max")
    assert memory_limit(pima.params.grid_search) == 4_000
    (tmp_path / "memory.max").write_text(content)
    assert memory_limit(pima.params.grid_search) == expected


def test_a_limit_that_is_given_is_in_gigabytes(pima):
    given = msgspec.structs.replace(pima.params.grid_search, memory_limit=1.5)
    assert memory_limit(given) == 1_500_000_000


def test_a_learning_curve_starts_with_both_classes_however_rare_one_is(pima, make_params):
    table = read_split(pima.training, Contract.read(pima.contract))
    rare = np.concatenate([np.flatnonzero(table.y == 0), np.flatnonzero(table.y == 1)[:7]])
    settings = msgspec.structs.replace(pima.params.grid_search, folds=3)
    winner = Candidate(1.0, 0.1)
    few = table.take(rare)
    curve = learning_curve.winners_learning_curve(Search.of(few, settings, 1), few, winner)
    assert len(curve) == 5
    assert curve.notna().all(axis=None)
    assert curve["cv_roc_auc_mean"].between(0.3, 1).all()


def test_the_key_names_how_many_categories_there_are(mixed_model, pima):
    table = tuning.Table(None, mixed_model.X, mixed_model.y, mixed_model.contract)
    first, *others = mixed_model.contract.features
    renamed = msgspec.structs.replace(first, categories=("a", "b", "c", "d"))
    more = msgspec.structs.replace(first, categories=(*first.categories, "e"))
    keys = {}
    for name, feature in (("first", first), ("renamed", renamed), ("more", more)):
        contract = msgspec.structs.replace(table.contract, features=(feature, *others))
        of = tuning.Table(None, table.X, table.y, contract)
        keys[name] = Search.of(of, pima.params.grid_search, 42).key
    assert keys["first"] == keys["renamed"] != keys["more"]


def outcome_of(search, tmp_path):
    return run_search(search, Checkpoint(tmp_path, search.key), Callbacks())


def test_a_grid_that_ends_too_early_is_widened(pima_search, tmp_path, capsys):
    narrow = {"grid_size": 2, "C": (10.0, 100.0), "gamma": (0.5, 5.0), "class_weight": "none"}
    wider, as_given = (
        outcome_of(pima_search(**narrow, widen=widen), tmp_path).table for widen in (True, False)
    )
    assert sorted(set(as_given["param_gamma"])) == [0.5, 5]
    assert sorted(set(wider["param_gamma"])) == [0.05, 0.5, 5]
    assert len(wider) == wider["param_C"].nunique() * wider["param_gamma"].nunique()
    assert wider["mean_test_score"].max() > as_given["mean_test_score"].max() + 0.05
    told = "the best has the lowest gamma, 0.05; 0.005 may be better, but would double the time"
    assert capsys.readouterr().err.count(told) == 1
