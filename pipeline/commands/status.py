"""Show where everything stands, and what is out of step.

That is git, DVC, the last run, versions, stages and, if asked, a service. What is out of step comes
last, with what to type.
"""

import os
from contextlib import nullcontext
from pathlib import Path

import click
import msgspec

from pipeline.files import json_text
from pipeline.health.advice import Advice, advice
from pipeline.health.checks import registry
from pipeline.health.overview import (
    LastRun,
    Overview,
    StageLine,
    VersionLine,
    ask_service,
    overview,
)
from pipeline.options import path_option
from pipeline.params_file import load
from pipeline.tracking.store import exists, open_tracking

EXAMPLES = """\b
Examples:
  python -m pipeline status
  python -m pipeline status --service http://127.0.0.1:8000
  python -m pipeline status --json
"""
KEY_VARIABLE = "SERVING_API_KEY"


def format_overview(found: Overview, wanting: list[Advice]) -> str:
    """Write the view for people."""
    blocks = [
        [
            _line("model", found.model),
            _line("commit", _commit(found)),
            _line("pipeline", _pipeline(found)),
            _line("last run", _run(found.last_run)),
        ],
        [f"version {v.version:<4}{_version(v)}" for v in reversed(found.versions)],
        [_line(s.stage, _stage(s)) for s in found.stages],
        [_line("service", _service(found))] if found.service else [],
        [f"→ {each.what}\n  {each.type}" for each in wanting] or ["all is in step"],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _line(name: str, text: str) -> str:
    return f"{name:<12}{text}"


def _commit(found: Overview) -> str:
    return found.git.commit[:12] + (", and files that differ from it" if found.git.changed else "")


def _pipeline(found: Overview) -> str:
    if not found.changed:
        return "up to date"
    return "; ".join(f"{stage}: {why}" for stage, why in found.changed.items())


def _run(run: LastRun | None) -> str:
    if run is None:
        return "none"
    area = "" if run.roc_auc is None else f", ROC AUC {run.roc_auc:.4f}"
    return f"{run.name} ({run.run_id[:8]}), {run.started:%Y-%m-%d %H:%M}{area}"


def _version(version: VersionLine) -> str:
    area = version.roc_auc
    figures = f"ROC AUC {area[0]:.4f} ({area[1]:.4f} to {area[2]:.4f})" if area else "no figures"
    stages = f", in {' and '.join(version.stages)}" if version.stages else ""
    return f"{version.digest[:12]:<14}{figures}, gates {version.gates}{stages}"


def _stage(stage: StageLine) -> str:
    if stage.version is None:
        return "no version"
    since = f", since {stage.since:%Y-%m-%d %H:%M} by {stage.actor}" if stage.since else ""
    return f"version {stage.version}{since}"


def _service(found: Overview) -> str:
    service = found.service
    assert service is not None
    if service.problem:
        return f"{service.url}: {service.problem}"
    return f"{service.url} answers with " + (
        f"version {service.version} ({(service.digest or '')[:12]})"
        if service.version
        else "no version"
    )


@click.command(help=__doc__, epilog=EXAMPLES)
@click.option(
    "--service", metavar="URL", help=f"Ask this service as well; {KEY_VARIABLE} holds its key."
)
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
@path_option("--params", default="params.yaml")
def command(service: str | None, as_json: bool, params: Path) -> None:
    name = load(params).name
    asked = ask_service(service, os.environ.get(KEY_VARIABLE, "")) if service else None
    store = open_tracking(name, create=False) if exists(name) else nullcontext()
    with store as tracking:
        view = overview(tracking, name, asked)
        findings = list(registry(tracking, name)) if tracking else []
    wanting = list(advice(view, findings))
    if as_json:
        data = {**msgspec.to_builtins(view), "advice": msgspec.to_builtins(wanting)}
        print(json_text(data), end="")
    else:
        print(format_overview(view, wanting))
