"""Check the project and its registry.

It says what is wrong and what to do. Looked at are the packages; the paths in the tracking store;
the ledger and the stages; and of every version its files and digest, its receipt, the run that made
it, its commit and its table; and in production, whether one feature carries most of the importance.
A fault needs a correction; a note is good to know. --fix corrects what is safe: a moved project's
paths, a deleted ledger, an interrupted move, a stage that was changed outside, which goes into the
ledger.

Ends with 1 if a fault is left.
"""

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import click

from pipeline.files import json_text
from pipeline.health.checks import examine
from pipeline.health.finding import Finding
from pipeline.options import path_option
from pipeline.params_file import load
from pipeline.tracking.store import open_tracking

EXAMPLES = """\b
Examples:
  python -m pipeline doctor
  python -m pipeline doctor --fix
  python -m pipeline doctor --json
"""
ROUNDS = 5  # one cure can bring to light what it hid


def apply_fixes(findings: Iterable[Finding], name: str) -> bool:
    """Apply every fix; True if there was one."""
    fixes = [(finding.area, finding.fix) for finding in findings if finding.fix is not None]
    for area, fix in fixes:
        # A store that names another folder cannot be opened before it is corrected.
        store = nullcontext() if area == "paths" else open_tracking(name, create=False)
        with store:
            outcome = fix()
        print(f"fixed: {outcome}", file=sys.stderr)
    return bool(fixes)


def format_findings(findings: list[Finding]) -> str:
    if not findings:
        return "all is well"
    return "\n".join(
        f"{'✗' if finding.severity == 'fault' else '·'} {finding.area}: {finding.sentence}"
        f"{_cure(finding)}"
        for finding in findings
    )


def _cure(finding: Finding) -> str:
    if finding.fix:
        return " (--fix corrects it)"
    return f" (`{finding.command}` corrects it)" if finding.command else ""


def as_data(findings: list[Finding]) -> list[dict[str, object]]:
    return [
        {
            "area": finding.area,
            "severity": finding.severity,
            "sentence": finding.sentence,
            "can_be_fixed": finding.fix is not None,
        }
        for finding in findings
    ]


@click.command(help=__doc__, epilog=EXAMPLES)
@click.option("--fix", is_flag=True, help="Correct what can be corrected safely.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@path_option("--params", default="params.yaml")
def command(fix: bool, as_json: bool, params: Path) -> int:
    settings = load(params)
    findings = list(examine(settings))
    for _ in range(ROUNDS if fix else 0):
        if not apply_fixes(findings, settings.name):
            break
        findings = list(examine(settings))
    print(json_text(as_data(findings)) if as_json else f"{format_findings(findings)}\n", end="")
    return int(any(finding.severity == "fault" for finding in findings))
