"""What explaining answers takes, beside `shap`; how it grows; how many background rows it needs.

    python -m bench.explain [ROUNDS]

Times are processor time on one core, medians of ROUNDS (5) rounds in which all that is compared
takes turns: the ratios are what to quote. shap's exact explainer gets the log-odds of the exported
graph, by onnxruntime, and the same background rows; without shap (`make install-shap`) it is left
out.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from bench import background
from bench.explained import UNSEEN, Model, as_table, fit
from bench.keel import diabetes
from bench.search import Way, in_turn
from bench.tables import SEED, made_up
from pipeline.export.explanation import choose_background
from serving.model.contract import FloatMatrix
from serving.model.explanation import INPUT, LOG_ODDS
from serving.model.session import open_session
from serving.model.shapley import Factors, quadrature, shapley_values

ROWS, BACKGROUND = 600, 100
BESIDE_SHAP = 5  # rows
AT_ONCE = (1, 10)


class Sizes(NamedTuple):
    vectors: int = 300
    background: int = BACKGROUND
    features: int = 8


GROWTH = (
    *(Sizes(vectors=vectors) for vectors in (100, 300, 1_000, 3_000, 10_000)),
    *(Sizes(background=rows) for rows in (25, 50, 200, 400)),
    *(Sizes(features=features) for features in (13, 30, 60, 100, 200)),
)


def main(rounds: int = 5) -> None:
    eight = fit(diabetes(), ROWS)
    thirty = fit(as_table(made_up(ROWS + UNSEEN, 30)), ROWS)
    with one_core():
        beside_shap(eight, rounds)
        requests((eight, thirty), rounds)
        growth(rounds)
    background.main()


@contextmanager
def one_core() -> Iterator[None]:
    """Work on one core and with one thread, as a worker does; the search before it may have all."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        with threadpool_limits(1):
            yield
    finally:
        os.sched_setaffinity(0, cores)


def background_of(model: Model) -> FloatMatrix:
    return choose_background(model.training, BACKGROUND, SEED)


def measured(ways: Mapping[str, Way], rounds: int) -> dict[str, float]:
    return in_turn(ways, rounds, time.process_time)


def beside_shap(model: Model, rounds: int) -> None:
    rows, chosen = model.unseen[:BESIDE_SHAP], background_of(model)
    theirs, ours = shap_values(model.export(chosen), chosen), model.explainer(chosen)
    if theirs is None:
        print("shap is not installed and left out here: type `make install-shap`.\n")
        return
    difference = np.abs(theirs(rows) - ours.explain(rows).contributions[:, :, 0]).max()
    ways: dict[str, Way] = {"shap": partial(theirs, rows), "ours": partial(ours.explain, rows)}
    seconds = measured(ways, rounds)
    shap, own = (1000 * seconds[name] / len(rows) for name in ways)
    print(f"| {_described(model)}, {BACKGROUND} background rows ", end="")
    print("| shap, ms a row | ours, ms a row | ratio | largest difference |\n|---|---|---|---|---|")
    print(f"| {len(rows)} rows at once | {shap:.1f} | {own:.2f} | {shap / own:.0f} ", end="")
    print(f"| {difference:.1e} |\n", flush=True)


def shap_values(content: bytes, chosen: FloatMatrix) -> Callable[[FloatMatrix], FloatMatrix] | None:
    """Return shap's exact explainer of a graph's log-odds; None where shap is not installed."""
    try:
        import shap
    except ImportError:
        return None
    session = open_session(content)

    def log_odds(X: FloatMatrix) -> FloatMatrix:
        found: FloatMatrix = session.run([LOG_ODDS], {INPUT: np.ascontiguousarray(X)})[0]
        return found[:, 0]

    masker = shap.maskers.Independent(chosen, max_samples=len(chosen))
    exact = shap.explainers.Exact(log_odds, masker)
    return lambda rows: np.asarray(exact(rows, silent=True).values)


def requests(models: tuple[Model, ...], rounds: int) -> None:
    """Print what a row takes of requests of one row and of ten."""
    ways: dict[str, Way] = {}
    for model in models:
        explainer = model.explainer(background_of(model))
        for count in AT_ONCE:
            ways[f"{_described(model)}, {count}"] = partial(explainer.explain, model.unseen[:count])
    seconds = measured(ways, rounds)
    print(f"| {ROWS} training rows, {BACKGROUND} background rows ", end="")
    print(f"{''.join(f'| {count} at once, ms a row ' for count in AT_ONCE)}|\n|---|---|---|")
    for model in models:
        what = _described(model)
        taken = (f"{1000 * seconds[f'{what}, {count}'] / count:.1f}" for count in AT_ONCE)
        print(f"| {what} | {' | '.join(taken)} |")
    print(flush=True)


def growth(rounds: int) -> None:
    """Print what one row takes of made-up sums of kernels."""
    seconds = measured({str(sizes): explained(sizes) for sizes in GROWTH}, rounds)
    print("| support vectors | background rows | features | points ", end="")
    print("| ms a row | ns a product |\n|---|---|---|---|---|---|")
    for sizes in GROWTH:
        points, took = len(quadrature(sizes.features)), seconds[str(sizes)]
        products = np.prod(sizes) * points
        print(f"| {sizes.vectors:,} | {sizes.background} | {sizes.features} | {points} ", end="")
        print(f"| {1000 * took:.1f} | {1e9 * took / products:.1f} |")
    print(flush=True)


def explained(sizes: Sizes) -> Way:
    """Return what explains one row by such a sum of kernels."""
    rng, d = np.random.default_rng(SEED), sizes.features
    vectors, weights = rng.normal(size=(sizes.vectors, d)), rng.normal(size=(sizes.vectors, 1))
    factors = Factors(vectors, weights, 1 / (2 * d), tuple((column,) for column in range(d)))
    row, behind = rng.normal(size=(1, d)), rng.normal(size=(sizes.background, d))
    return partial(shapley_values, factors, row, behind)


def _described(model: Model) -> str:
    vectors = len(model.estimator.named_steps["classify"].svm_.support_vectors_)
    return f"{model.training.shape[1]} features, {vectors} support vectors"


if __name__ == "__main__":
    if any(not word.isdigit() or int(word) < 1 for word in sys.argv[1:]) or len(sys.argv) > 2:
        sys.exit(__doc__)
    main(*map(int, sys.argv[1:]))
