from itertools import pairwise

import msgspec
import pytest

from pipeline.training import choice
from pipeline.training.choice import LONGEST_S, explain, resolve, seconds
from serving.model.contract import Contract, Feature

COLUMNS = 20
FROM_BEST = ["the exact grid", "exact halving"] + [
    f"Nyström with {count} components, {strategy}"
    for count in choice.COMPONENTS
    for strategy in ("grid", "halving")
]


@pytest.fixture
def asked(pima_params):
    """Change the default settings, which leave the way of a search to auto."""

    def change(**changes):
        return msgspec.structs.replace(pima_params.grid_search, **changes)

    return change


def way(settings, rows, columns=COLUMNS, n_classes=2):
    chosen = resolve(settings, rows, columns, n_classes)
    return choice.name_way(chosen.strategy, choice.components_of(chosen))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (10, "the exact grid"),
        (600, "the exact grid"),
        (5_000, "the exact grid"),
        (10_000, "exact halving"),
        (20_000, "Nyström with 800 components, halving"),
        (48_000, "Nyström with 800 components, halving"),
        (1_000_000, "Nyström with 400 components, halving"),
        (5_000_000, "Nyström with 100 components, halving"),
        (10**9, "Nyström with 100 components, halving"),
    ],
)
def test_the_rows_choose_the_way(asked, rows, expected):
    assert way(asked(), rows) == expected


@pytest.mark.parametrize(
    "changes", [{}, {"folds": 3}, {"grid_size": 30}, {"repeats": 1}, {"rule": "tutorial"}]
)
def test_more_rows_never_choose_a_better_way(asked, changes):
    sizes = [*range(200, 30_000, 97), *range(30_000, 1_000_000, 20_011)]
    places = [FROM_BEST.index(way(asked(**changes), rows)) for rows in sizes]
    assert all(before <= after for before, after in pairwise(places))
    assert len({*places}) > 2


def test_more_candidates_and_columns_choose_a_quicker_way(asked):
    assert way(asked(grid_size=3), 8_000) == "the exact grid"
    assert way(asked(grid_size=12), 5_000) == "exact halving"
    assert way(asked(), 5_000, columns=20_000) == ("Nyström with 100 components, grid")


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("rows", [500, 5_000, 13_000, 60_000, 1_000_000])
def test_what_is_chosen_is_quick_enough(asked, rows, n_classes):
    chosen = resolve(asked(), rows, COLUMNS, n_classes)
    # Of sizes just before one with fewer repeats a third more is accepted.
    assert seconds(chosen, rows, COLUMNS, n_classes) < 1.34 * LONGEST_S


def test_more_classes_choose_a_quicker_way(asked):
    places = [FROM_BEST.index(way(asked(), 4_000, n_classes=count)) for count in (2, 5, 50)]
    assert places == sorted({*places})


def test_each_class_has_an_svm_but_the_kernel_is_shared(asked):
    settings = asked(strategy="grid", approximation="none")
    two, three = (seconds(settings, 2_000, COLUMNS, count) for count in (2, 3))
    assert 2.7 < three / two < 3


@pytest.mark.parametrize("rows", [600, 60_000, 10**7])
def test_what_is_set_wins_over_auto(asked, rows):
    assert resolve(asked(strategy="grid", approximation="none"), rows, COLUMNS) == asked(
        strategy="grid", approximation="none"
    )
    assert resolve(asked(strategy="halving"), rows, COLUMNS).strategy == "halving"
    assert resolve(asked(approximation="none"), rows, COLUMNS).approximation == "none"
    approximated = resolve(asked(approximation="nystroem"), rows, COLUMNS)
    assert approximated.approximation == "nystroem"
    assert approximated.components in choice.COMPONENTS
    given = resolve(asked(approximation="nystroem", components=321), rows, COLUMNS)
    assert given.components == 321


def test_what_was_resolved_stays(asked):
    chosen = resolve(asked(), 48_000, COLUMNS)
    assert resolve(chosen, 600, COLUMNS) == chosen


def test_a_small_table_gets_no_more_components_than_a_fold_has_rows(asked):
    assert resolve(asked(approximation="nystroem"), 300, COLUMNS).components == 200


def test_the_machine_does_not_matter(asked, monkeypatch):
    before = resolve(asked(), 48_000, COLUMNS)
    monkeypatch.setattr("joblib.cpu_count", lambda: 64)
    assert resolve(asked(memory_limit=0.001), 48_000, COLUMNS) == msgspec.structs.replace(
        before, memory_limit=0.001
    )


def test_the_choice_is_explained(asked):
    large = explain(asked(), 48_000, COLUMNS)
    assert large.startswith(
        "48,000 rows: Nyström with 800 components, halving, since the exact grid would take some "
    )
    assert large.endswith(
        " hours on 2 cores; set grid_search.strategy and grid_search.approximation to force "
        "another way"
    )
    assert explain(asked(), 600, COLUMNS) == ""  # as one would expect
    assert explain(asked(strategy="grid", approximation="none"), 48_000, COLUMNS) == ""


def test_each_category_is_a_column():
    features = (Feature(name="a"), Feature(name="b", type="category", categories=("x", "y", "z")))
    assert choice.encoded_columns(Contract(target="y", classes=(0, 1), features=features)) == 4
