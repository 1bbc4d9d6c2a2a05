"""A comparison of runs as text, JSON and tables."""

import sys
from typing import Any

from pipeline.data.table import read_split
from pipeline.errors import PipelineError
from pipeline.evaluation.comparison import Scored, Verdict, compare, differing, side_by_side
from pipeline.evaluation.metrics import format_metric
from pipeline.lineage.dvc import find_test_rows
from pipeline.params import Params
from pipeline.registry import versions
from pipeline.registry.references import Version, find_version
from pipeline.tracking.experiment import Tracking
from pipeline.tracking.store import open_tracking
from serving.model.scorer import ModelError

DIGEST_LENGTH = 32  # of an md5, the shortest of them

INTERVAL = ("test_roc_auc", "test_roc_auc_low", "test_roc_auc_high")


class Comparison:
    """Two versions with their answers, and what is said of them."""

    def __init__(self, a: Version, b: Version, scored: tuple[Scored, Scored], confidence: float):
        self.a, self.b, self.scored, self.confidence = a, b, scored, confidence
        self.titles = (f"A ({a})", f"B ({b})")
        self.verdict: Verdict = compare(*scored, self.titles, confidence)
        self.params = differing(a.params, b.params)
        self.metrics = side_by_side(a.metrics, b.metrics)

    def data(self) -> dict[str, Any]:
        found = self.verdict.difference
        return {
            "model": self.a.name,
            "a": _about(self.a),
            "b": _about(self.b),
            "params": {
                key: dict(zip("ab", pair, strict=True)) for key, pair in self.params.items()
            },
            "metrics": {
                key: dict(zip("ab", pair, strict=True)) for key, pair in self.metrics.items()
            },
            "paired_difference": found
            and {"rows": self.verdict.rows, "confidence": self.confidence, **found._asdict()},
            "sentence": self.verdict.sentence,
        }

    def text(self) -> str:
        about = {key: (_short(a), _short(b)) for key, (a, b) in self.about().items()}
        params = {key: tuple(value or "-" for value in pair) for key, pair in self.params.items()}
        return "\n\n".join(
            [
                _columns({"": ("A", "B"), **about}),
                "Settings that differ\n" + (_columns(params) or "  none"),
                "Figures\n" + _columns(self.figures()),
                f"{self.verdict.sentence[0].upper()}{self.verdict.sentence[1:]}.",
            ]
        )

    def about(self) -> dict[str, tuple[Any, Any]]:
        a, b = _about(self.a), _about(self.b)
        return {key: (a[key], b[key]) for key in a}

    def figures(self) -> dict[str, tuple[str, ...]]:
        """Write the metrics, the ROC AUC of the test with its interval first."""
        of_both = [_with_interval(version.metrics) for version in (self.a, self.b)]
        rest = {key: pair for key, pair in self.metrics.items() if key not in INTERVAL}
        return {
            f"{INTERVAL[0]} (interval)": tuple(of_both),
            **{key: tuple(map(format_metric, pair)) for key, pair in rest.items()},
        }

    def page(self, bins: int) -> str:
        # Here, since drawing takes a second, and most ask for the text alone.
        from pipeline.reports.comparison_plots import overlaid
        from pipeline.reports.render import render

        return render(
            "compare.html",
            name=self.a.name,
            titles=self.titles,
            sentence=self.verdict.sentence,
            same_rows=self.scored[0].digest == self.scored[1].digest,
            about=self.about(),
            params=self.params,
            metrics=self.figures(),
            figures=overlaid(dict(zip(self.titles, self.scored, strict=True)), bins),
        )


def compared(params: Params, a: str, b: str) -> Comparison:
    with open_tracking(params.name, create=False) as tracking:
        versions = [find_version(tracking, params.name, reference) for reference in (a, b)]
        print("scoring both on their test rows …", file=sys.stderr)
        first, second = (_scored(tracking, version) for version in versions)
    return Comparison(versions[0], versions[1], (first, second), params.evaluate.confidence)


def _scored(tracking: Tracking, version: Version) -> Scored:
    if "test" not in version.datasets:
        raise PipelineError(f"run {version.run_id} of {version} does not say what it was tested on")
    digest = version.datasets["test"].digest
    rows = find_test_rows(digest)
    try:
        with versions.downloaded(tracking, version.name, version.number) as scorer:
            table = read_split(rows, scorer.contract)
            probability = scorer.score(table.X)[1]
    except ModelError as error:
        raise PipelineError(f"{version} cannot be scored: {error}") from error
    outcome = (table.contract.target, *table.contract.classes)
    return Scored(table.cells, table.y, probability, outcome, digest)


def _about(version: Version) -> dict[str, Any]:
    test = version.datasets["test"]
    return {
        "version": version.number,
        "stages": ", ".join(version.stages) or "none",
        "run": version.run_name,
        "run_id": version.run_id,
        "digest": version.digest,
        "commit": version.tags.get("git.commit", "unknown"),
        "test_rows": test.rows,
        "test_md5": test.digest,
    }


def _with_interval(metrics: Any) -> str:
    area, low, high = (format_metric(metrics.get(key)) for key in INTERVAL)
    return f"{area} ({low} to {high})"


def _short(value: object) -> str:
    """Shorten a digest or a run's id, which `compare` takes shortened as well."""
    text = str(value)
    return text if len(text) < DIGEST_LENGTH else text[:12]


def _columns(rows: dict[str, tuple[str, ...]]) -> str:
    """Write a table of two columns, each as wide as its widest cell."""
    first = max((len(key) for key in rows), default=0)
    second = max((len(pair[0]) for pair in rows.values()), default=0)
    return "\n".join(f"  {key:<{first}}  {a:<{second}}  {b}" for key, (a, b) in rows.items())
