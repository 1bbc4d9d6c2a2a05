"""`config`: the settings in force."""

import os

import click

from serving.config import read_settings, registry_variables


@click.command()
def config() -> None:
    """Print the settings in force, as environment variables; secrets are masked."""
    for name, value in {**read_settings().to_variables(), **registry_variables(os.environ)}.items():
        click.echo(f"{name}={value}")
