"""Tables, settings and results of the pipeline; what is expensive is made once for all tests."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import Pipeline

from pipeline.params import Params
from pipeline.params_file import load
from pipeline.search.calibration import Sigmoid
from pipeline.search.problem import Nystroem
from pipeline.search.units import Candidate
from pipeline.stages import evaluate, grid_search, preprocess
from pipeline.training.estimator import build_estimator
from serving.model.contract import Contract, Feature, FloatMatrix
from tests.conftest import ROOT, MakeOnce
from tests.pipeline.three_versions import (  # noqa: F401 (fixtures)
    as_json,
    client,
    done,
    files_of,
    one_version,
    project,
    project_once,
    promoted,
    run,
    stages,
    synced,
    three_versions,
)

MakeParams = Callable[..., Params]


@dataclass
class Untracked:
    """A report that nobody logs, and that remembers what it was told."""

    begun: list[Any] = field(default_factory=list)
    candidates: list[Any] = field(default_factory=list)
    finished: list[Any] = field(default_factory=list)

    def begin(self, *what: Any) -> None:
        self.begun.append(what)

    def candidate(self, *what: Any) -> None:
        self.candidates.append(what)

    def finish(self, *what: Any) -> None:
        self.finished.append(what)


@dataclass(frozen=True)
class Result:
    """What the stages wrote, and from what."""

    folder: Path
    params: Params

    training = property(lambda self: self.folder / "training.csv")
    test = property(lambda self: self.folder / "test.csv")
    contract = property(lambda self: self.folder / "contract.json")
    model = property(lambda self: self.folder / "model")
    cv_results = property(lambda self: self.folder / "cv_results.csv")
    learning_curve = property(lambda self: self.folder / "learning_curve.csv")
    winner = property(lambda self: self.folder / "winner.json")
    baseline = property(lambda self: self.folder / "baseline")
    metrics = property(lambda self: self.folder / "metrics.json")
    plots = property(lambda self: self.folder / "plots")

    def write(self, data: Path) -> "Result":
        self.preprocess(data)
        self.grid_search()
        self.evaluate()
        return self

    def preprocess(self, data: Path) -> None:
        preprocess.run(self.params, data, self.training, self.test, self.contract)

    def grid_search(self) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("DVC_ROOT", str(self.folder))
            self._grid_search()

    def _grid_search(self) -> None:
        written = grid_search.Written(
            self.model, self.cv_results, self.learning_curve, self.winner, self.baseline
        )
        grid_search.run(self.params, self.training, self.contract, written, Untracked())

    def evaluate(self) -> None:
        evaluate.run(self.params, self.test, self.model, self.baseline, self.metrics, self.plots)


CANDIDATE, SIGMOIDS = Candidate(C=2.0, gamma=0.3), (Sigmoid(2.0, -1.0),)
FOUR_SIGMOIDS = tuple(Sigmoid(2.0 + place, -1.0 - place / 3) for place in range(4))

RunChain = Callable[[Params, Path], Result]
RunOnce = Callable[[str, Params], Result]


@dataclass(frozen=True)
class SmallModel:
    """A fitted estimator with its contract, and the rows that it was fitted on."""

    estimator: Pipeline
    contract: Contract
    X: FloatMatrix
    y: Any

    def fit(self, *, approximation: Nystroem | None = None, **changes: Any) -> Pipeline:
        candidate = CANDIDATE._replace(**changes)
        sigmoids = SIGMOIDS if len(self.contract.classes) == 2 else FOUR_SIGMOIDS
        unfitted = build_estimator(self.contract, candidate, sigmoids, approximation)
        return unfitted.fit(self.X, self.y)


@pytest.fixture(scope="session")
def pima_csv() -> Path:
    return ROOT / "data" / "diabetes.csv"


@pytest.fixture(scope="session")
def pima_params() -> Params:
    return load(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def make_params(pima_params: Params) -> MakeParams:
    """Make settings for another table, with a small search; a section's keys can be given."""

    def make(
        features: Mapping[str, Mapping[str, Any] | None],
        target: str = "y",
        positive_class: Any = 1,
        **sections: Any,
    ) -> Params:
        document = msgspec.to_builtins(pima_params)
        document["data"] = {
            "file": "table.csv",
            "target": target,
            "positive_class": positive_class,
            "features": dict(features),
            "ignore": sections.pop("ignore", []),
            **sections.pop("data", {}),
        }
        document["grid_search"].update(grid_size=2, folds=3)
        document["evaluate"].update(resamples=200, subgroups={})
        for name, value in sections.items():
            document[name] = {**document[name], **value} if isinstance(value, dict) else value
        return msgspec.convert(document, Params)

    return make


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(scope="session")
def run_chain(tmp_path_factory: pytest.TempPathFactory) -> RunChain:
    """Run the stages up to evaluate into a folder of their own."""
    return lambda params, data: Result(tmp_path_factory.mktemp("result"), params).write(data)


@pytest.fixture(scope="session")
def run_once(made_once: MakeOnce, pima_csv: Path) -> RunOnce:
    """Run the stages up to evaluate on the Pima table, once for all workers of the tests."""

    def results(name: str, params: Params) -> Result:
        def write(folder: Path) -> None:
            folder.mkdir()
            Result(folder, params).write(pima_csv)

        return Result(made_once(name, write), params)

    return results


@pytest.fixture(scope="session")
def pima(pima_params: Params, run_once: RunOnce) -> Result:
    """Give the results on the Pima table, of a 3 by 3 grid."""
    smaller = msgspec.structs.replace(pima_params.grid_search, grid_size=3)
    return run_once("pima", msgspec.structs.replace(pima_params, grid_search=smaller))


@pytest.fixture(scope="session")
def pima_smooth(pima: Result, run_once: RunOnce) -> Result:
    """Give the results on the same rows, of another model."""
    search = msgspec.structs.replace(pima.params.grid_search, grid_size=1, C=(300, 300))
    return run_once("pima_smooth", msgspec.structs.replace(pima.params, grid_search=search))


@pytest.fixture(scope="session")
def pima_resplit(pima: Result, run_once: RunOnce) -> Result:
    """Give the results on the same table, split otherwise."""
    return run_once("pima_resplit", msgspec.structs.replace(pima.params, seed=7))


@pytest.fixture
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Path:
    """Give a folder as a project's own, with an empty tracking store."""
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture(scope="session")
def breast_cancer_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write scikit-learn's table as `to_csv` does, with its unnamed index."""
    path = tmp_path_factory.mktemp("breast_cancer") / "table.csv"
    load_breast_cancer(as_frame=True).frame.to_csv(path)
    return path


@pytest.fixture(scope="session")
def small_model() -> SmallModel:
    """A model of four features: two values that mean missing, one, none but blanks, and neither."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4)) * [1, 20, 0.01, 1] + [5, 100, 0, 0]
    X[:, 3] = X[:, 3] > 0
    y = (X[:, 0] + X[:, 1] / 20 + X[:, 3] + rng.normal(size=150) > 10.5).astype(np.int64)
    for column, value in ((0, -1.0), (0, -999.0), (1, 0.0), (2, np.nan), (0, np.nan)):
        X[rng.choice(150, 9, replace=False), column] = value
    contract = Contract(
        target="y",
        classes=("no", "yes"),
        threshold=0.4,
        features=(
            Feature(
                name="a", nullable=True, missing_values=(-1.0, -999.0), training_range=(2.0, 8.0)
            ),
            Feature(name="b", nullable=True, missing_values=(0.0,), training_range=(40.0, 160.0)),
            Feature(name="c", nullable=True, minimum=-0.05, training_range=(-0.03, 0.03)),
            Feature(name="d", type="boolean", training_range=(0.0, 1.0)),
        ),
    )
    estimator = build_estimator(contract, CANDIDATE, SIGMOIDS).fit(X, y)
    return SmallModel(estimator, contract, X, y)


@pytest.fixture(scope="session")
def mixed_model() -> SmallModel:
    """A model of two categories, of which one takes any text, and two numbers between them."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(150, 4)) * [1, 20, 1, 1] + [0, 100, 0, 0]
    X[:, 0] = rng.choice(4, 150, p=[0.2, 0.5, 0.3, 0.0])  # of the last category there is no row
    X[:, 2] = rng.integers(0, 2, 150)
    y = (X[:, 1] / 20 + 2 * (X[:, 0] == 2) - X[:, 2] + rng.normal(size=150) > 5).astype(np.int64)
    for column, value in ((0, np.nan), (1, -1.0), (3, np.nan)):
        X[rng.choice(150, 9, replace=False), column] = value
    contract = Contract(
        target="y",
        classes=("no", "yes"),
        threshold=0.4,
        features=(
            Feature(
                name="colour",
                type="category",
                categories=("red", "green", "blue", "black"),
                missing_values=("?",),
                unseen="missing",
                nullable=True,
            ),
            Feature(name="b", nullable=True, missing_values=(-1.0,), training_range=(40.0, 160.0)),
            Feature(name="size", type="category", categories=("small", "large")),
            Feature(name="d", nullable=True, training_range=(-3.0, 3.0)),
        ),
    )
    estimator = build_estimator(contract, CANDIDATE, SIGMOIDS).fit(X, y)
    return SmallModel(estimator, contract, X, y)


@pytest.fixture(scope="session")
def four_classes_model(mixed_model: SmallModel) -> SmallModel:
    """A model of the same rows for four classes, some at random; the last has a few rows."""
    rng, X = np.random.default_rng(5), np.nan_to_num(mixed_model.X, nan=0.0)
    y = np.where(X[:, 0] == 2, 2, (X[:, 1] > 100).astype(np.int64))
    y[np.argsort(X[:, 3])[-12:]] = 3
    y = np.where(rng.random(150) < 0.2, rng.integers(0, 4, 150), y)
    classes = ("Adelie", "Chinstrap", "Gentoo", 3)
    contract = msgspec.structs.replace(mixed_model.contract, classes=classes, threshold=None)
    estimator = build_estimator(contract, CANDIDATE, FOUR_SIGMOIDS).fit(mixed_model.X, y)
    return SmallModel(estimator, contract, mixed_model.X, y)
