from pipeline.search.units import Candidate, Unit, to_units

CANDIDATES = [Candidate(C, gamma) for gamma in (0.001, 0.1, 10.0) for C in (2.0, 1.0)]


def test_a_unit_is_a_fold_and_a_gamma_with_all_its_c():
    units = to_units(CANDIDATES, 2, 0.1)
    assert len(units) == 6
    assert Unit(1, 10.0, (1.0, 2.0)) in units
    assert {unit.C for unit in units} == {(1.0, 2.0)}


def test_the_hardest_gamma_comes_first_and_a_gamma_s_folds_together():
    order = [(unit.gamma, unit.fold) for unit in to_units(CANDIDATES, 2, 5.0)]
    assert order == [(10.0, 0), (10.0, 1), (0.1, 0), (0.1, 1), (0.001, 0), (0.001, 1)]


def test_candidates_need_not_be_a_grid():
    some = [Candidate(1.0, 0.1), Candidate(1.0, 0.2), Candidate(3.0, 0.2)]
    assert set(to_units(some, 1, 0.1)) == {Unit(0, 0.1, (1.0,)), Unit(0, 0.2, (1.0, 3.0))}
