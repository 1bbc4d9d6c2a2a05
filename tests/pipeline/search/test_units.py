from pipeline.search.units import Candidate, to_units
from tests.pipeline.search.conftest import unit

CANDIDATES = [Candidate(C, gamma) for gamma in (0.001, 0.1, 10.0) for C in (2.0, 1.0)]


def test_a_unit_is_a_fold_and_a_gamma_with_all_its_c():
    units = to_units(CANDIDATES, 2, 0.1)
    assert len(units) == 6
    assert unit(1, 10.0, 1.0, 2.0) in units
    assert {tuple(p.C for p in one.penalties) for one in units} == {(1.0, 2.0)}


def test_c_rises_within_each_class_weight():
    both = [Candidate(C, 0.1, weight) for C in (2.0, 1.0) for weight in ("balanced", "none")]
    ((_, _, penalties, _),) = to_units(both, 1, 0.1)
    assert penalties == ((1.0, "none"), (2.0, "none"), (1.0, "balanced"), (2.0, "balanced"))


def test_the_hardest_gamma_comes_first_and_a_gamma_s_folds_together():
    order = [(one.gamma, one.fold) for one in to_units(CANDIDATES, 2, 5.0)]
    assert order == [(10.0, 0), (10.0, 1), (0.1, 0), (0.1, 1), (0.001, 0), (0.001, 1)]


def test_candidates_need_not_be_a_grid():
    some = [Candidate(1.0, 0.1), Candidate(1.0, 0.2), Candidate(3.0, 0.2)]
    assert set(to_units(some, 1, 0.1)) == {unit(0, 0.1, 1.0), unit(0, 0.2, 1.0, 3.0)}
