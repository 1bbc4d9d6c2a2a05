"""A comparison of runs as text, JSON and tables."""

import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from pipeline.data.table import read_split
from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.comparison import (
    Scored,
    Verdict,
    compare,
    differing,
    side_by_side,
    subgroup_areas,
)
from pipeline.evaluation.importance import importance_table
from pipeline.evaluation.metrics import format_metric
from pipeline.evaluation.subgroups import subgroup_table
from pipeline.lineage.dvc import find_test_rows
from pipeline.params import Params
from pipeline.registry import receipts, versions
from pipeline.registry.references import Version, find_version
from pipeline.reports import importance_comparison
from pipeline.reports.figure_words import BETTER, TEST, in_words
from pipeline.tracking.experiment import Tracking
from pipeline.tracking.importance_metrics import PREFIX
from pipeline.tracking.store import open_tracking
from serving.model.version_files import ModelError
from serving.receipts.receipt import Gate

DIGEST_LENGTH = 32  # of an md5, the shortest of them

PARTS = ("_low", "_high", "_p", "_standard_error")  # of a figure, which JSON has
PAIRED = ("test_roc_auc", "test_brier", "test_log_loss")

Pair = tuple[Version, Version]
Verdicts = tuple[Sequence[Gate], Sequence[Gate]]  # of the gates of both, empty without a receipt
Rows = dict[str, tuple[str, ...]]


class Comparison:
    """Two versions with their answers and gates, and what is said of them."""

    def __init__(
        self, versions: Pair, scored: tuple[Scored, Scored], gates: Verdicts, bootstrap: Bootstrap
    ):
        self.a, self.b = versions
        self.scored, self.gates, self.confidence = scored, gates, bootstrap.confidence
        self.titles = (f"A ({self.a})", f"B ({self.b})")
        self.verdict: Verdict = compare(*scored, self.titles, bootstrap)
        self.params = differing(self.a.params, self.b.params)
        self.metrics = side_by_side(self.a.metrics, self.b.metrics)
        self.same_rows = scored[0].digest == scored[1].digest
        importance = [each.importance for each in scored]
        self.shares = importance_comparison.pair_shares(*importance)
        by_title = dict(zip(self.titles, importance, strict=True))
        self.warnings = [*map(_as_sentence, importance_comparison.warnings(by_title))]

    def data(self) -> dict[str, Any]:
        found = self.verdict.difference
        return {
            "model": self.a.name,
            "a": _about(self.a),
            "b": _about(self.b),
            "params": _by_side(self.params),
            "metrics": _by_side(self.metrics),
            "paired_difference": found
            and {"rows": self.verdict.rows, "confidence": self.confidence, **found._asdict()},
            "leads": {name: lead._asdict() for name, lead in self.verdict.leads.items()},
            "importance": importance_comparison.as_data(self.shares),
            "warnings": self.warnings,
            "subgroups": _by_side(subgroup_areas(*self.scored)),
            "gates": _by_side(_gates_side_by_side(*self.gates)),
            "sentence": self.verdict.sentence,
        }

    @property
    def sentence(self) -> str:
        return _as_sentence(self.verdict.sentence)

    def tables(self) -> dict[str, Rows]:
        """Return what is shown, by its title: what a reader decides on first, digests last."""
        named, origin = self._about()
        params = {key: tuple(value or "-" for value in pair) for key, pair in self.params.items()}
        return {
            "Versions": _headed(named),
            "Settings that differ": _headed(params),
            "Figures": {"": ("A", "B", self._leads_title, "better"), **self._figures()},
            "What they go by": _headed(importance_comparison.as_rows(self.shares), "A − B", ""),
            "ROC AUC of subgroups": _headed(
                {
                    group: (*map(format_metric, pair), _minus(*pair) if self.same_rows else "")
                    for group, pair in subgroup_areas(*self.scored).items()
                },
                "A − B" if self.same_rows else "",
            ),
            "Gates": _headed(
                {
                    gate: tuple(map(_gate_text, pair))
                    for gate, pair in _gates_side_by_side(*self.gates).items()
                }
            ),
            "Where they come from": _headed(origin),
        }

    def text(self) -> str:
        tables = {title: _columns(rows) or "  none" for title, rows in self.tables().items()}
        written = [f"{title}\n{table}" for title, table in tables.items()]
        return "\n\n".join([*written, *self.warnings, self.sentence])

    def page(self, bins: int) -> str:
        # Here, since drawing takes a second, and most ask for the text alone.
        from pipeline.reports.comparison_plots import overlaid
        from pipeline.reports.render import render

        return render(
            "compare.html",
            name=self.a.name,
            titles=self.titles,
            sentence=self.sentence,
            warnings=self.warnings,
            same_rows=self.same_rows,
            tables=self.tables(),
            figures=overlaid(dict(zip(self.titles, self.scored, strict=True)), bins),
        )

    @property
    def _leads_title(self) -> str:
        return "A − B" if self.same_rows else f"A − B, on {self.verdict.rows} rows of both"

    def _figures(self) -> Rows:
        """Write the metrics, that of the test first that have an interval of their difference."""
        first = [*self.verdict.leads, *PAIRED]
        names = dict.fromkeys([name for name in first if name in self.metrics] + [*self.metrics])
        figures = {
            _metric_name(name): (
                *map(format_metric, self.metrics[name]),
                self._lead(name),
                BETTER.get(name.removeprefix(TEST), "") if name.startswith(TEST) else "",
            )
            for name in names
            if not name.endswith(PARTS) and not name.startswith(PREFIX)
        }
        interval = tuple(_interval(version.metrics) for version in (self.a, self.b))
        return {f"ROC AUC, {self.confidence:.0%} interval": interval, **figures}

    def _lead(self, name: str) -> str:
        """Write A minus B: on rows that are not the same only where it is a paired difference."""
        if lead := self.verdict.leads.get(name):
            return f"{lead.difference:+.4f} ({lead.low:+.4f} to {lead.high:+.4f})"
        return _minus(*self.metrics[name]) if self.same_rows or not name.startswith(TEST) else ""

    def _about(self) -> tuple[Rows, Rows]:
        """Return what names the versions, and the digests behind them."""
        a, b = _about(self.a), _about(self.b)
        rows: Rows = {key: (_short(a[key]), _short(b[key])) for key in a}
        named: Rows = {key: rows.pop(key) for key in ("version", "stages", "run", "test_rows")}
        return named, rows


def compared(params: Params, a: str, b: str) -> Comparison:
    with open_tracking(params.name, create=False) as tracking:
        versions = [find_version(tracking, params.name, reference) for reference in (a, b)]
        print("scoring both on their test rows …", file=sys.stderr)
        first, second = (_scored(tracking, version, params) for version in versions)
        gates = _gates(tracking, versions[0]), _gates(tracking, versions[1])
    bootstrap = Bootstrap.of(params.evaluate, params.seed)
    return Comparison((versions[0], versions[1]), (first, second), gates, bootstrap)


def _gates(tracking: Tracking, version: Version) -> Sequence[Gate]:
    """Return what the version's gates said when it was last judged."""
    try:
        return receipts.receipt_of(tracking, version.name, version.number, None)[0].gates
    except ModelError:
        return ()


def _scored(tracking: Tracking, version: Version, params: Params) -> Scored:
    if "test" not in version.datasets:
        raise PipelineError(f"run {version.run_id} of {version} does not say what it was tested on")
    digest = version.datasets["test"].digest
    rows = find_test_rows(digest)
    try:
        with versions.downloaded(tracking, version.name, version.number) as scorer:
            table = read_split(rows, scorer.contract)
            probability = scorer.score(table.X)[1]
            names = scorer.contract.names
            bootstrap = Bootstrap.of(params.evaluate, params.seed)
            cuts = {k: cut for k, cut in params.evaluate.subgroups.items() if k in names}
            groups = subgroup_table(table.X, table.y, probability, scorer.contract, cuts, bootstrap)
            importance = importance_table(scorer, table.X, bootstrap.confidence, bootstrap.seed)
    except ModelError as error:
        raise PipelineError(f"{version} cannot be scored: {error}") from error
    outcome = (table.contract.target, *table.contract.classes)
    return Scored(table.cells, table.y, probability, outcome, digest, groups, importance)


def _about(version: Version) -> dict[str, Any]:
    test = version.datasets["test"]
    return {
        "version": version.number,
        "stages": ", ".join(version.stages) or "none",
        "run": ", ".join(version.names[version.run_id]),
        "run_id": version.run_id,
        "digest": version.digest,
        "commit": version.tags.get("git.commit", "unknown"),
        "test_rows": test.rows,
        "test_md5": test.digest,
    }


def _as_sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _interval(metrics: Mapping[str, float]) -> str:
    low, high = (format_metric(metrics.get(f"test_roc_auc_{end}")) for end in ("low", "high"))
    return f"{low} to {high}"


def _short(value: object) -> str:
    """Shorten a digest or a run's id, which `compare` takes shortened as well."""
    text = str(value)
    return text if len(text) < DIGEST_LENGTH else text[:12]


def _gates_side_by_side(
    a: Sequence[Gate], b: Sequence[Gate]
) -> dict[str, tuple[Gate | None, Gate | None]]:
    """Return each gate's verdicts on both, None where one was not held to it."""
    of_a, of_b = ({gate.gate: gate for gate in verdicts} for verdicts in (a, b))
    return {name: (of_a.get(name), of_b.get(name)) for name in {**of_a, **of_b}}


def _metric_name(name: str) -> str:
    """Name a metric in words where it is of the test; others by their names in MLflow."""
    return in_words(name) if name.startswith(TEST) else name


def _minus(a: float | None, b: float | None) -> str:
    if a is None or b is None:
        return ""
    whole = float(a).is_integer() and float(b).is_integer()
    return f"{a - b:+.0f}" if whole else f"{a - b:+.4f}"


def _gate_text(gate: Gate | None) -> str:
    if gate is None:
        return "-"
    figure = "" if gate.figure is None else f" {format_metric(gate.figure)}"
    bound = "" if gate.bound is None else f" (bound {gate.bound:.4g})"
    return f"{'✓' if gate.passed else '✗'}{figure}{bound}"


def _by_side(pairs: Mapping[str, tuple[Any, Any]]) -> dict[str, dict[str, Any]]:
    return {key: dict(zip("ab", pair, strict=True)) for key, pair in pairs.items()}


def _headed(rows: Rows, *more: str) -> Rows:
    return {"": ("A", "B", *more), **rows} if rows else {}


def _columns(rows: Rows) -> str:
    """Write a table, each column as wide as its widest cell."""
    lines = [(key, *cells) for key, cells in rows.items()]
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    return "\n".join("  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
