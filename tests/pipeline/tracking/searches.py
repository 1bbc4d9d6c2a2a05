"""A search of three candidates, as a stage reports it; imports no MLflow, as a stage does not."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.params import Selection
from pipeline.search.units import Candidate
from pipeline.tracking.reporter import SearchReport

CV_RESULTS = (
    b"param_C,param_gamma,split0_test_score,split1_test_score,mean_test_score,median_test_score,"
    b"std_test_score,rank_test_score\n"
    b"10.0,0.1,0.9,0.8,0.85,0.85,0.05,1\n"
    b"1.0,0.1,0.6,0.8,0.7,0.7,0.1,2\n"
    b"1.0,0.5,0.5,0.5,0.5,0.5,0.0,3\n"
)
CURVE = (
    b"rows,train_roc_auc_mean,train_roc_auc_std,cv_roc_auc_mean,cv_roc_auc_std\n"
    b"10,0.9,0.1,0.6,0.1\n20,0.85,0.1,0.7,0.1\n"
)
SCORED = {(10.0, 0.1): (0.9, 0.8), (1.0, 0.1): (0.6, 0.8), (1.0, 0.5): (0.5, 0.5)}
KEY = "k" * 64
SETTINGS = {"seed": "1", "grid_search.folds": "2"}
SELECTION = Selection(("none",), "roc_auc", "median")
# A stage that reports the search and does what the test says in between.
STAGE = """
import time
from pathlib import Path
from pipeline.tracking.reporter import report_search
from tests.pipeline.tracking.searches import KEY, SCORED, SELECTION, SETTINGS, tables, tell

def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.02)

with report_search() as report:
    report.begin("trial", KEY, SETTINGS, 3, SELECTION)
    tell(report, {first!r})
    wait_for("go")
    {then}
    tell(report, {rest!r})
    report.finish(*tables())
"""


def tables(cv_results: bytes = CV_RESULTS) -> tuple[Path, Path]:
    """Write the search's two tables where the stage writes them, and return their paths."""
    paths = Path("cv_results.csv"), Path("learning_curve.csv")
    for path, content in zip(paths, (cv_results, CURVE), strict=True):
        path.write_bytes(content)
    return paths


def tell(report: SearchReport, candidates: Iterable[tuple[float, float]]) -> None:
    for C, gamma in candidates:
        report.candidate(Candidate(C, gamma), SCORED[C, gamma], 0.25, 0.5, {})
