import pytest

from pipeline.training.cost import Part, Workload, fit_s, hardness

HALVING = [Part(5, 200, 800), Part(5, 67, 2_400), Part(5, 23, 7_200), Part(10, 23, 8_000)]
GAMMAS = dict.fromkeys((0.0001, 0.001, 0.01, 0.1), 50)


def replayed(workload, parts, seconds_of):
    """Return the time left that the work done foretells, by the time left, from a tenth on."""
    results = [seconds_of(part) for part in parts for _ in range(part.candidates)]
    gammas = [gamma for gamma, count in GAMMAS.items() for _ in range(count)] + [0.01] * 500
    ratios, work, spent = [], 0.0, 0.0
    for number, seconds in enumerate(results[:-1]):
        work += workload.result_s(number, gammas[number])
        spent += seconds
        if work >= workload.total / 10:
            left = spent * (workload.total - work) / work
            ratios.append(left / (sum(results) - spent))
    return ratios


@pytest.mark.parametrize("components", [None, 400])
def test_the_results_add_up_to_the_whole(components):
    workload = Workload(HALVING, GAMMAS, 0.02, components)
    gammas = [gamma for gamma, count in GAMMAS.items() for _ in range(count)] + [0.01] * 113
    done = sum(workload.result_s(number, gamma) for number, gamma in enumerate(gammas))
    assert done == pytest.approx(workload.total)


def test_the_time_left_follows_the_rows_of_each_iteration():
    workload = Workload(HALVING, GAMMAS, 0.02, 100)
    ratios = replayed(workload, HALVING, lambda part: part.folds * part.rows)
    assert 1 / 1.5 < min(ratios) < max(ratios) < 1.5
    alike = Workload([part._replace(rows=800) for part in HALVING], GAMMAS, 0.02, 100)
    assert min(replayed(alike, HALVING, lambda part: part.folds * part.rows)) < 1 / 3


def test_the_hardest_gamma_takes_the_most_of_the_first_part():
    workload = Workload(HALVING, GAMMAS, 0.01, None)
    first = {gamma: workload.result_s(0, gamma) for gamma in GAMMAS}
    assert max(first, key=lambda gamma: first[gamma]) == 0.01
    assert hardness(0.01, 0.01) == 6
    assert hardness(1e-30, 0.01) == pytest.approx(1, rel=0.01)
    later = {workload.result_s(200, gamma) for gamma in GAMMAS}
    assert len(later) == 1


@pytest.mark.parametrize(
    ("rows", "components", "measured"),
    [
        (800, None, 0.011),
        (1_600, None, 0.046),
        (4_000, None, 0.31),
        (6_667, None, 0.85),
        (13_333, None, 3.7),
        (4_000, 100, 0.0087),
        (4_000, 400, 0.082),
        (16_000, 100, 0.038),
        (16_000, 200, 0.11),
        (16_000, 400, 0.36),
    ],
)
def test_a_fit_takes_what_was_measured(rows, components, measured):
    assert fit_s(rows, components) == pytest.approx(measured, rel=0.25)
