"""The options that the stages share: each path that `dvc.yaml` hands them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def path_option(name: str, *, default: str | None = None) -> Decorator:
    """Add an option that takes a path, required where it has no default."""
    return click.option(
        name,
        type=click.Path(path_type=Path),
        default=default,
        required=default is None,
        show_default=True,
    )
