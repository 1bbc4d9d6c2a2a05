"""The options that commands share: paths, and why something is done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def path_option(name: str, *, default: str | None = None) -> Decorator:
    """Add an option that takes a path, required where it has no default."""
    # Not `default=None`: click takes that for a default, and then nothing is required.
    given: dict[str, Any] = {"required": True} if default is None else {"default": default}
    return click.option(name, type=click.Path(path_type=Path), show_default=True, **given)


def stage_example(stage: str) -> str:
    """Return the example in a stage's help: DVC runs it, with the paths of dvc.yaml."""
    return f"\b\nExamples:\n  dvc repro {stage}\n  dvc repro --single-item --force {stage}\n"


def reason_option() -> Decorator:
    """Add the option that says why; a line break in it would read as an entry of its own."""
    return click.option("--reason", default="", callback=_one_line, help="Why, for the ledger.")


def _one_line(_ctx: click.Context, _option: click.Parameter, text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
