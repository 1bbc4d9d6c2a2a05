import pytest

from pipeline.search.memory import Layout, Shape, TooLargeError, make_plan

SHAPE = Shape(folds=5, training=800, test=200, features=4)
KERNEL = 8 * 800 * 1000
COLUMNS = 4 * 800 * 800


@pytest.mark.parametrize(
    ("limit", "layout"),
    [
        (5 * KERNEL + 2 * (KERNEL + COLUMNS), Layout.SHARED),
        (5 * KERNEL + 2 * (KERNEL + COLUMNS) - 1, Layout.REBUILT),
        (2 * (KERNEL + COLUMNS), Layout.REBUILT),
        (2 * (KERNEL + COLUMNS) - 1, Layout.OWN),
        (1, Layout.OWN),
    ],
)
def test_the_quickest_layout_that_fits_is_taken(limit, layout):
    plan = make_plan(SHAPE, 2, limit)
    assert plan.layout is layout
    assert plan.jobs == 2
    assert plan.bytes <= limit or layout is Layout.OWN


def test_without_sharing_no_distances_are_kept():
    assert make_plan(SHAPE, 2, 10**12, share=False).layout is Layout.REBUILT


def test_libsvm_s_cache_takes_what_is_left():
    large = SHAPE._replace(training=100_000, test=25_000)
    plan = make_plan(large, 2, 4 * 10**9)
    assert (plan.layout, plan.cache_bytes) == (Layout.OWN, 2 * 10**9)


def test_a_cache_is_never_larger_than_all_columns():
    assert make_plan(SHAPE, 1, COLUMNS + 1).cache_bytes == COLUMNS


def test_an_approximation_runs_as_many_units_at_once_as_fit():
    shape = Shape(5, 80_000, 20_000, 20, components=300)
    unit = 2 * 8 * 100_000 * 301  # and a decision value
    assert make_plan(shape, 4, 4 * unit).jobs == 4
    few = make_plan(shape, 4, 3 * unit - 1)
    assert (few.jobs, few.layout, few.bytes) == (2, Layout.MAPPED, 2 * unit)


def test_an_approximation_that_does_not_fit_at_all_says_what_to_change():
    shape = Shape(5, 80_000, 20_000, 20, components=300)
    with pytest.raises(TooLargeError, match=r"needs 0\.5 GB, the limit is 0\.1 GB: lower"):
        make_plan(shape, 4, 10**8)
