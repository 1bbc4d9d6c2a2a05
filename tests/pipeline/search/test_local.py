import threading
import time

import numpy as np
from threadpoolctl import threadpool_info

from pipeline.search import local
from pipeline.search.grid import grid
from pipeline.search.memory import Layout, make_plan
from pipeline.search.problem import Problem
from tests.pipeline.search.conftest import PLENTY, run_with, unit

AXES = grid(0.1, 10, 3), grid(0.001, 0.1, 2)


def test_the_scores_do_not_depend_on_the_number_of_jobs_nor_on_the_memory(breast_cancer):
    alone = breast_cancer.scores(*AXES, jobs=1)
    for jobs, limit in ((2, PLENTY), (2, 4 * 10**6), (3, 1)):
        again = breast_cancer.scores(*AXES, jobs=jobs, limit=limit)
        np.testing.assert_array_equal(alone, again)


def test_those_limits_mean_three_layouts(breast_cancer):
    shape = breast_cancer.problem().shape
    layouts = [make_plan(shape, 2, limit).layout for limit in (PLENTY, 9 * 10**6, 1)]
    assert layouts == [Layout.SHARED, Layout.REBUILT, Layout.OWN]


def test_the_transformer_is_fitted_once_for_each_fold_on_its_training_rows(small):
    fitted_on = []

    class Spy:
        def __sklearn_clone__(self):
            return self

        def fit(self, X, _y):
            fitted_on.append(len(X))
            return self

        def transform(self, X):
            return X

    problem = small.problem(3)
    spied = Problem(problem.X, problem.y, Spy(), problem.folds)
    units = [unit(fold, gamma, 1.0, 2.0) for fold in range(3) for gamma in (0.1, 0.2)]
    assert len(list(run_with()(spied, units))) == 6
    assert sorted(fitted_on) == [80, 80, 80]


def test_only_the_folds_that_are_asked_for_are_prepared(small):
    problem = small.problem(3)
    (done,) = run_with()(problem, [unit(2, 0.1, 1.0)])
    assert done[0].fold == 2


def test_the_libraries_own_threads_are_held_to_one_meanwhile(small):
    seen = []
    for _ in run_with()(small.problem(3), [unit(fold, 0.1, 1.0) for fold in range(3)]):
        seen += [pool["num_threads"] for pool in threadpool_info()]
    assert set(seen) == {1}


def test_leaving_early_leaves_no_work_behind(small):
    units = [unit(0, gamma, 1.0, 10.0) for gamma in np.geomspace(0.01, 10, 60)]
    running = local.run(small.problem(3), make_plan(small.problem(3).shape, 2, PLENTY), units)
    next(running)
    others = threading.active_count()
    running.close()  # a warning would be an error
    time.sleep(0.2)
    assert threading.active_count() < others
