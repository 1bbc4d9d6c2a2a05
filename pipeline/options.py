"""The options that the stages share: each path that `dvc.yaml` hands them."""

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
