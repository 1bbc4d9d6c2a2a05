"""The model that a command answers with."""

import sys

import click

from serving.config import Settings
from serving.console import run_command
from serving.errors import NoModelError
from serving.model.version_files import ModelError
from serving.predictor import ServedModel, load_served


def sync() -> str:
    """Sync in a process of its own, so that none of mlflow stays; return its line on a failure."""
    command = [sys.executable, "-m", "serving.following.sync"]
    done = run_command(command)
    return done.stderr.strip() if done.returncode else ""


def load_current(settings: Settings, offline: bool) -> ServedModel:
    """Load the version in force, after a sync unless `offline`."""
    trouble = "" if offline else sync()
    try:
        served = load_served(settings)
    except (NoModelError, ModelError, OSError) as error:
        raise click.ClickException(trouble or str(error)) from error
    if trouble:
        click.echo(f"{trouble} {served.version} goes on answering, from the store.", err=True)
    return served
