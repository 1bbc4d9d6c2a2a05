"""The search on a real Dask cluster: a scheduler and two workers as processes of their own."""

import signal

import dask
import distributed.config  # noqa: F401 - its defaults, before a test sets one and takes it back
import numpy as np
import pytest

from pipeline.search import cluster as cluster_module
from pipeline.search.cluster import Cluster, ClusterError
from pipeline.search.grid import grid, grid_candidates
from pipeline.search.memory import Layout
from pipeline.search.problem import Nystroem
from pipeline.search.strategy import Callbacks, Halving, exhaustive, halving, scores_of
from tests.pipeline.search.conftest import run_with, unit
from tests.pipeline.search.dask_cluster import dask_cluster

pytestmark = pytest.mark.filterwarnings("default:::distributed", "default:::tornado")
CANDIDATES = grid_candidates(grid(0.1, 10, 2), grid(0.001, 1, 6))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def connected(running):
    with Cluster(running.address) as cluster:
        cluster._client.wait_for_workers(2, timeout=60)
        yield cluster


@pytest.mark.parametrize("name", ["pima_training", "three_classes"])
def test_the_scores_are_those_of_this_machine(request, name, connected):
    problem = request.getfixturevalue(name).problem()
    here, there = (
        scores_of(exhaustive(problem, CANDIDATES, run, Callbacks()))
        for run in (run_with(), connected.run)
    )
    np.testing.assert_array_equal(here, there)


def test_categories_are_encoded_there_as_here(mixed, connected):
    problem = mixed.problem()
    here, there = (
        scores_of(exhaustive(problem, CANDIDATES, run, Callbacks()))
        for run in (run_with(), connected.run)
    )
    np.testing.assert_array_equal(here, there)


def test_halving_and_the_approximation_run_there_as_well(small, connected):
    problem = small.problem(3, approximation=Nystroem(20, 0))
    options = (Halving(3, None, 0), "median")
    here, there = (
        halving(problem, CANDIDATES, run, Callbacks(), *options)
        for run in (run_with(), connected.run)
    )
    assert [result.extra for result in here] == [result.extra for result in there]
    np.testing.assert_allclose(scores_of(here), scores_of(there), rtol=0, atol=1e-12)


def test_a_worker_may_use_a_quarter_of_its_memory(small, connected, running):
    assert connected.plan(small.problem()).layout is Layout.REBUILT
    assert connected.plan(small.problem()).jobs == 1
    assert connected.plan(small.problem()).at_once == 2
    with Cluster(running.address, limit=1) as tight:
        assert tight.plan(small.problem()).layout is Layout.OWN


def test_an_error_in_a_unit_is_the_error_that_is_raised(small, connected):
    with pytest.raises(IndexError):
        list(connected.run(small.problem(3), [unit(7, 0.1, 1.0)]))


def test_a_worker_with_other_versions_is_refused(running, monkeypatch):
    monkeypatch.setattr(cluster_module, "installed", lambda _: "0.1")
    with (
        pytest.raises(ClusterError, match=r"has numpy \d.*, here it is 0\.1"),
        Cluster(running.address),
    ):
        pass


def test_a_worker_that_dies_loses_nothing(pima_training, tmp_path):
    problem = pima_training.problem()
    candidates = grid_candidates(grid(0.1, 1000, 4), grid(0.001, 1, 8))
    expected = scores_of(exhaustive(problem, candidates, run_with(), Callbacks()))
    with dask_cluster(tmp_path) as running, Cluster(running.address) as connected:
        connected._client.wait_for_workers(2, timeout=60)

        def run(problem, units):
            for number, done in enumerate(connected.run(problem, units)):
                if number == 5:
                    running.workers[0].send_signal(signal.SIGKILL)
                yield done

        scores = scores_of(exhaustive(problem, candidates, run, Callbacks()))
        assert running.workers[0].wait(10) == -signal.SIGKILL
        assert len(connected._client.scheduler_info()["workers"]) == 1
    np.testing.assert_array_equal(scores, expected)


def test_all_workers_may_die_where_others_come(small, tmp_path):
    problem = small.problem(3)
    expected = scores_of(exhaustive(problem, CANDIDATES, run_with(), Callbacks()))
    with dask_cluster(tmp_path, workers=1) as running, Cluster(running.address) as connected:

        def run(problem, units):
            for number, done in enumerate(connected.run(problem, units)):
                if number == 2:
                    running.workers[0].send_signal(signal.SIGKILL)
                    running.add_worker()
                yield done

        scores = scores_of(exhaustive(problem, CANDIDATES, run, Callbacks()))
    np.testing.assert_array_equal(scores, expected)


def test_a_scheduler_that_goes_away_is_one_clear_sentence(small, tmp_path, capfd):
    units = [unit(0, gamma, 1.0, 10.0) for gamma in np.geomspace(0.01, 10, 200)]
    impatient = dask.config.set({"distributed.comm.timeouts.connect": "1s"})
    with (
        impatient,
        dask_cluster(tmp_path, workers=1) as running,
        Cluster(running.address) as connected,
    ):
        done = connected.run(small.problem(3), units)
        next(done)
        running.scheduler.send_signal(signal.SIGKILL)
        with pytest.raises(ClusterError, match="went away: start it again; what is finished is"):
            list(done)
    assert capfd.readouterr().err == ""


def test_a_scheduler_that_is_away_is_one_clear_sentence(monkeypatch):
    monkeypatch.setattr(cluster_module, "CONNECT_S", 0.5)
    with pytest.raises(ClusterError) as refused, Cluster("tcp://127.0.0.1:1"):
        pass
    assert str(refused.value) == (
        "the Dask scheduler at tcp://127.0.0.1:1 does not answer: start it with `dask scheduler`, "
        "or set grid_search.backend to local in params.yaml"
    )


def test_a_scheduler_without_workers_is_one_clear_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "WORKERS_S", 0.5)
    with (
        dask_cluster(tmp_path, workers=0) as running,
        pytest.raises(ClusterError, match=r"has had no worker for 0\.5 s"),
        Cluster(running.address),
    ):
        pass
