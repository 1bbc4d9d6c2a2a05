"""List the results: experiments and runs of `dvc repro`.

Each has its name, a figure with its interval, its version and stages, who made it and when, and the
settings in which it differs from params.yaml. The newest comes first; with --sort the best.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import click
import msgspec

from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import format_metric
from pipeline.files import json_text
from pipeline.options import path_option
from pipeline.params import flatten
from pipeline.params_file import load
from pipeline.registry.results import ResultRun, results
from pipeline.reports.figure_words import BETTER, HIGHER, TEST, in_words
from pipeline.tracking.experiment import shortened
from pipeline.tracking.store import open_tracking

EXAMPLES = """\b
Examples:
  python -m pipeline runs
  python -m pipeline runs --sort brier
  python -m pipeline runs --json
"""
FIGURE = "roc_auc"
WIDTH, NAME_WIDTH, FIGURE_WIDTH, VALUE_WIDTH = 80, 25, 28, 40  # characters
INDENT = "    "


class Line(msgspec.Struct, frozen=True):
    """A result as it is listed; `differs` has its own value of each setting and params.yaml's."""

    result: ResultRun
    differs: dict[str, tuple[str, str | None]]

    def data(self) -> dict[str, object]:
        found: dict[str, object] = msgspec.to_builtins(self.result)
        return {**found, "differs": self.differs}


def differing_settings(
    recorded: Mapping[str, str], current: Mapping[str, str]
) -> dict[str, tuple[str, str | None]]:
    """Return the settings of a run that are not as now, with both values.

    What a run recorded beside its settings is left out, as are settings that came after it.
    """
    sections = {key.partition(".")[0] for key in current}
    now = {key: shortened(value) for key, value in current.items()}
    return {
        key: (value, now.get(key))
        for key, value in recorded.items()
        if key.partition(".")[0] in sections and value != now.get(key)
    }


def metric_of(figure: str, found: Sequence[ResultRun]) -> str:
    """Return the metric that a figure means; raises PipelineError where no result has it."""
    known = sorted({metric for result in found for metric in result.metrics})
    for metric in (f"{TEST}{figure}", figure):
        if metric in known or not known:
            return metric
    names = ", ".join(metric.removeprefix(TEST) for metric in known)
    raise PipelineError(f"no result has the figure {figure!r}: --sort takes one of {names}")


def sort_by(found: Sequence[ResultRun], metric: str) -> list[ResultRun]:
    """Return the results with the best first, and those without the figure last."""
    sign = -1 if BETTER.get(metric.removeprefix(TEST)) == HIGHER else 1
    having = [result for result in found if metric in result.metrics]
    rest = [result for result in found if metric not in result.metrics]
    return sorted(having, key=lambda result: sign * result.metrics[metric]) + rest


def format_lines(lines: Sequence[Line], metric: str) -> str:
    """Write the list for people, at most 80 columns wide."""
    if not lines:
        return "there is no result yet: run `dvc repro`"
    has_interval = any(f"{metric}_low" in line.result.metrics for line in lines)
    title = f"{in_words(metric)}{' (interval)' if has_interval else ''}"
    return "\n".join(
        [_row("name", "version", title, "when (UTC)"), *(_entry(x, metric) for x in lines)]
    )


def _entry(line: Line, metric: str) -> str:
    result = line.result
    when = f"{result.time:%Y-%m-%d %H:%M}"
    figure = _with_interval(result.metrics, metric)
    row = _row(result.name, result.version or "-", figure, when)
    stages = f"in {' and '.join(result.stages)}" if result.stages else ""
    settings = ", ".join(
        f"{key}={_cut(value, VALUE_WIDTH)}" for key, (value, _) in line.differs.items()
    )
    also = f"also {', '.join(result.also)}" if result.also else ""
    about = "; ".join(filter(None, (also, result.actor, stages, settings or "as params.yaml")))
    return f"{row}\n{fill(about, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)}"


def _row(name: str, version: str, figure: str, when: str) -> str:
    name, figure = _cut(name, NAME_WIDTH), _cut(figure, FIGURE_WIDTH)
    return f"{name:<{NAME_WIDTH}} {version:<7} {figure:<{FIGURE_WIDTH}} {when}"


def _with_interval(metrics: Mapping[str, float], metric: str) -> str:
    low, high = (metrics.get(f"{metric}{end}") for end in ("_low", "_high"))
    ends = "" if low is None else f" ({format_metric(low)} to {format_metric(high)})"
    return f"{format_metric(metrics.get(metric))}{ends}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


@click.command(help=__doc__, epilog=EXAMPLES)
@click.option("--sort", metavar="FIGURE", help="Show and sort by this figure, such as brier.")
@click.option("--json", "as_json", is_flag=True, help="Print the same, with all figures, as JSON.")
@path_option("--params", default="params.yaml")
def command(sort: str | None, as_json: bool, params: Path) -> None:
    settings = load(params)
    with open_tracking(settings.name, create=False) as tracking:
        found = results(tracking, settings.name)
    metric = metric_of(sort or FIGURE, found)
    current = flatten(settings)
    lines = [
        Line(result, differing_settings(result.params, current))
        for result in (sort_by(found, metric) if sort else found)
    ]
    print(
        json_text([line.data() for line in lines])
        if as_json
        else f"{format_lines(lines, metric)}\n",
        end="",
    )
