"""A project whose results stand in a real store and registry, put there as `register` does it."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline.data.split import SplitRule
from pipeline.data.table_file import read_header
from pipeline.evaluation.importance import shares_of
from pipeline.lineage.git import Checkout
from pipeline.params import flatten
from pipeline.params_file import load
from pipeline.promotion.automatic import Placed, place
from pipeline.promotion.by_hand import challenger_of
from pipeline.promotion.challenger import Challenger
from pipeline.promotion.precedence import Contender
from pipeline.registry import stages, versions
from pipeline.registry.references import find_version
from pipeline.registry.split_tag import DATA_TAG, SPLIT_TAG, split_tag
from pipeline.reports.importance_plot import read_importance
from pipeline.reports.run_plots import draw_evaluation
from pipeline.search.units import Candidate
from pipeline.tracking.importance_metrics import importance_metrics
from pipeline.tracking.result_runs import DatasetRecord, RunRecord, ensure_run
from pipeline.tracking.store import open_tracking, project_move
from serving.model.scorer import Scorer
from serving.model.version_files import DIGEST_TAG
from tests.conftest import ROOT, STEERING, forget_addresses

if TYPE_CHECKING:
    from tests.pipeline.conftest import Result  # which has these projects among its fixtures

NAME = "pima-diabetes"
RUNS_FILE = "runs.json"


@dataclass(frozen=True)
class Registered:
    """A project's folder and store, and the ids of its runs by version."""

    folder: Path
    runs: dict[str, str]
    server: str = ""

    @property
    def uri(self) -> str:
        return self.server or f"sqlite:///{self.folder}/mlflow.db"

    @contextmanager
    def entered(self):
        """Make it the project that commands see."""
        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(self.folder)
            for name in STEERING:
                patched.delenv(name, raising=False)
            patched.setenv("MLFLOW_TRACKING_URI", self.uri)
            yield self

    def add(
        self, result: "Result", run_name: str, fingerprint: str = "", table: Path | None = None
    ) -> str:
        """Log a result and register its model; give the version.

        With `table` its tags say which file was split, and how.
        """
        scorer = Scorer.load(result.model)
        row = pd.DataFrame([scorer.contract.example()], dtype="float64")
        candidate = versions.TrainedModel(result.model, scorer, row)
        tags = {DATA_TAG: "d" * 32} if table is None else _split_tags(result, table)
        record = _record(result, run_name, scorer, fingerprint, tags)

        def write(folder: Path) -> None:
            draw_evaluation(folder / "plots", result.plots)

        with open_tracking(NAME) as tracking:
            run_id, _ = ensure_run(tracking, record, write)
            version, _ = versions.ensure_version(tracking, NAME, candidate, run_id, record.tags)
        self.runs[version] = run_id
        return version

    def copy(self, folder: Path) -> "Registered":
        """Give a copy of the whole project, with its store."""
        shutil.copytree(self.folder, folder)
        now = Registered(folder, dict(self.runs))
        with now.entered():
            move = project_move(NAME)
            assert move is not None
            move.correct()
        forget_addresses()
        return now

    def come_out(self, version: str, experiment: str = "", *, new: bool = False) -> Placed:
        """Let a version come out of the pipeline, for the first time where it is new."""
        params = load(self.folder / "params.yaml")
        with open_tracking(NAME) as tracking:
            found = find_version(tracking, NAME, version)
            challenger = challenger_of(tracking, params, found)
            contender = contender_of(challenger, experiment, new=new)
            return place(challenger, contender, params.register)

    def stage(self, stage: str, version: str) -> None:
        with open_tracking(NAME) as tracking:
            stages.set_stage(tracking, NAME, stage, version)


def contender_of(challenger: Challenger, experiment: str = "", *, new: bool = False) -> Contender:
    here = Checkout("main", changed=False, ci=False)
    return Contender(challenger.version, challenger.scorer.digest, experiment, new, here)


def keep_runs(made: Registered) -> None:
    """Keep in its folder which runs a project has, for the other workers of the tests."""
    (made.folder / RUNS_FILE).write_text(json.dumps(made.runs))


def open_project(folder: Path) -> Registered:
    return Registered(folder, json.loads((folder / RUNS_FILE).read_text()))


def new_project(folder: Path, empty_store: Path) -> Registered:
    (folder / "data").mkdir(parents=True)
    shutil.copyfile(empty_store, folder / "mlflow.db")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    return Registered(folder, {})


def digest(path: Path) -> str:
    return md5(path.read_bytes()).hexdigest()


def keep_in_cache(folder: Path, path: Path) -> Path:
    """Keep a file as DVC does."""
    kept = folder / ".dvc/cache/files/md5" / digest(path)[:2] / digest(path)[2:]
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, kept)
    return kept


def _split_tags(result: "Result", table: Path) -> dict[str, str]:
    rule = SplitRule.of(result.params, read_header(table, result.params.data.read))
    return {DATA_TAG: digest(table), SPLIT_TAG: split_tag(rule)}


def _record(
    result: "Result", run_name: str, scorer: Scorer, fingerprint: str, tags: dict[str, str]
) -> RunRecord:
    metrics = json.loads(result.metrics.read_text())
    winner = json.loads(result.winner.read_text())
    tables = ((result.training, "training"), (result.test, "test"))
    return RunRecord(
        fingerprint=fingerprint or scorer.digest,
        name=run_name,
        params={
            **flatten(result.params),
            **{key: str(winner[key]) for key in winner if key in Candidate._fields or "." in key},
        },
        metrics={
            "onnx_difference": winner["onnx_difference"],
            **{f"test_{key}": value for key, value in metrics.items()},
            **importance_metrics(shares_of(read_importance(result.plots))),
        },
        tags={DIGEST_TAG: scorer.digest, "git.commit": "c0ffee" * 6, **tags},
        datasets=[
            DatasetRecord(path, digest(path), context, len(pd.read_csv(path)), [])
            for path, context in tables
        ],
        candidates=pd.read_csv(result.cv_results),
        candidates_digest=digest(result.cv_results),
        score="roc_auc",
        n_folds=result.params.grid_search.folds,
        learning_curve=pd.read_csv(result.learning_curve),
    )
