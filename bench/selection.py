"""How the pipeline chooses its model, beside logistic regression and boosted trees.

    python -m bench.selection

Each way is fitted on the same training rows of every table, four stratified splits, and scored on
the rest; then nested cross-validation on the default table. Finished fits are kept in .bench: an
interrupted run goes on, a change of the code starts anew.
"""

import io
import json
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from bench.keel import PARAMS, tables
from bench.project import ROOT
from bench.wheels import FOLDER
from pipeline.data.table import Table
from pipeline.evaluation import metrics
from pipeline.params_file import load
from pipeline.search.checkpoint import Checkpoint
from pipeline.search.strategy import Callbacks
from pipeline.training import estimator
from pipeline.training.baseline import fit_baseline
from pipeline.training.folds import repeated_folds
from pipeline.training.refit import refit
from pipeline.training.tuning import Search, run_search

SEEDS, TEST_SHARE, TEST_POSITIVES = range(4), 0.3, 10
NESTED, FOLDS, REPEATS = "diabetes", 5, 6
SETTINGS = {"grid_size": 8, "C": (0.01, 1000), "gamma": (0.0001, 10), "folds": FOLDS}
# The rules by which the pipeline chooses: what each changes in grid_search of params.yaml.
RULES: dict[str, dict[str, Any]] = {"one_se": {}, "tutorial": {"rule": "tutorial"}}
FIGURES: dict[str, Callable[[Any, Any], float]] = {
    "ROC AUC": metrics.roc_auc,
    "Brier": metrics.brier,
    "log loss": metrics.log_loss,
    "bias": lambda y, probability: abs(metrics.bias(y, probability)[0]),
}
COMPARED = {"ROC AUC": 1, "Brier": -1}  # more is better, or less


class Fit(NamedTuple):
    table: str
    split: int
    way: str


def svm(rule: str, table: Table, seed: int) -> Any:
    """Search and refit as the stage grid_search does."""
    changes = SETTINGS | RULES[rule]
    settings = msgspec.structs.replace(load(PARAMS).grid_search, **changes)
    search = Search.of(table, settings, seed)
    # What the search prints would break the progress bar.
    with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
        outcome = run_search(search, Checkpoint(Path(folder), search.key), Callbacks())
    return refit(search, table, outcome).estimator


def logistic_regression(table: Table, seed: int) -> Any:
    return fit_baseline(table, repeated_folds(table.y, FOLDS, 1, seed))


def boosted_trees(table: Table, seed: int) -> Any:
    """Fit scikit-learn's defaults, with missing values and categories left to the trees."""
    categories = estimator.split_features(table.contract)[estimator.CATEGORIES]
    trees = HistGradientBoostingClassifier(categorical_features=categories, random_state=seed)
    mark = estimator.build_transformer(table.contract).steps[0]
    return Pipeline([mark, ("classify", trees)]).fit(table.X, table.y)


WAYS: dict[str, Callable[[Table, int], Any]] = {
    **{rule: partial(svm, rule) for rule in RULES},
    "logistic regression": logistic_regression,
    "boosted trees": boosted_trees,
}


def random_splits(table: Table) -> list[Any]:
    """Split once for each seed; where positives are rare, more rows than usual are for the test."""
    share = max(TEST_SHARE, TEST_POSITIVES / np.bincount(table.y).min())
    rows = np.arange(len(table.y))
    split = partial(train_test_split, rows, test_size=share, stratify=table.y)
    return [split(random_state=seed) for seed in SEEDS]


def nested_splits(table: Table) -> list[Any]:
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=0)
    return list(folds.split(table.X, table.y))


def outcome(fit: Fit, training: Table, test: Table) -> dict[str, Any]:
    """Fit on the training rows; return the figures of the test rows, and the seconds it took."""
    start = perf_counter()
    model = WAYS[fit.way](training, fit.split)
    seconds = perf_counter() - start
    probability = model.predict_proba(test.X)[:, 1]
    figures = {name: figure(test.y, probability) for name, figure in FIGURES.items()}
    return {**fit._asdict(), **figures, "s": seconds}


def measure(found: Mapping[str, Table], split: Callable[[Table], list[Any]]) -> pd.DataFrame:
    """Return the outcome of each way on each split of the tables; two fits run at once."""
    path = FOLDER / f"selection-{_digest()}-{split.__name__}.jsonl"
    known = _read(path)
    pending = [
        delayed(outcome)(fit, *(table.take(rows) for rows in parts))
        for name, table in found.items()
        for number, parts in enumerate(split(table))
        for way in WAYS
        if (fit := Fit(name, number, way)) not in known
    ]
    with path.open("a", buffering=1) as file:
        finished = Parallel(n_jobs=2, return_as="generator_unordered")(pending)
        for line in tqdm(finished, desc=split.__name__, total=len(pending)):
            # The first newline ends a line that an interruption cut short.
            file.write(f"\n{json.dumps(line)}\n")
    return pd.DataFrame(_read(path).values())


def _digest() -> str:
    folders = ("pipeline", "serving/model")
    code = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    code += [ROOT / "bench" / name for name in ("keel.py", "keel.txt", "selection.py", "wheels.py")]
    code += [PARAMS, ROOT / "requirements.lock"]
    return sha256(b"".join(path.read_bytes() for path in code)).hexdigest()[:16]


def _read(path: Path) -> dict[Fit, dict[str, Any]]:
    known = {}
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):  # cut short, or the empty line after that
            line = json.loads(text)
            known[Fit(line["table"], line["split"], line["way"])] = line
    return known


def by_table(found: Mapping[str, Table], means: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each table: what it is, and the figures of each way."""
    sizes = {name: f"{len(table.y)} × {table.X.shape[1]}" for name, table in found.items()}
    shares = {name: f"{table.y.mean():.0%}" for name, table in found.items()}
    columns = {"rows × features": pd.Series(sizes), "positives": pd.Series(shares)}
    columns |= {f"{way}, {figure}": means[figure][way] for figure in COMPARED for way in WAYS}
    return pd.DataFrame(columns).rename_axis("table").loc[list(found)]


def by_way(outcomes: pd.DataFrame) -> pd.DataFrame:
    return outcomes.groupby("way")[[*FIGURES, "s"]].mean().loc[list(WAYS)]


def less(peer: str, means: pd.DataFrame) -> pd.DataFrame:
    """Return each way's differences from one of them, over tables: the mean and the worst."""
    rows = []
    for figure, sign in COMPARED.items():
        differences = means[figure].sub(means[figure][peer], axis=0)
        for way in [way for way in WAYS if way != peer]:
            difference = differences[way]
            worst = str((sign * difference).idxmin())
            better = f"{(sign * difference > 0).sum()} of {len(difference)}"
            mean, error = difference.mean(), difference.sem()
            rows.append([figure, way, mean, error, better, worst, difference[worst]])
    header = [f"less {peer}", "way", "mean", "standard error", "better on", "worst table", "there"]
    return pd.DataFrame(rows, columns=header).set_index(header[0])


def show(frame: pd.DataFrame, digits: int = 4) -> None:
    print(f"{frame.to_markdown(floatfmt=f'.{digits}f')}\n", flush=True)


def main() -> None:
    found: dict[str, Table] = {}
    for source, more in tables():
        print(f"from {source}: {', '.join(more)}\n", flush=True)
        found |= more
    outcomes = measure(found, random_splits)
    means = outcomes.pivot_table(list(FIGURES), "table", "way")
    show(by_table(found, means), 3)
    show(by_way(outcomes))
    for peer in ("logistic regression", "tutorial"):
        show(less(peer, means))
    print(f"{NESTED}, {REPEATS} × {FOLDS} outer folds:\n")
    show(by_way(measure({NESTED: found[NESTED]}, nested_splits)))


if __name__ == "__main__":
    main()
