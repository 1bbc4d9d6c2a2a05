"""`config`: the settings in force."""

import os

import click

from serving.config import read_settings, registry_variables


@click.command(epilog="Example: SERVING_PORT=9000 python -m serving config")
def config() -> None:
    """Print the settings in force.

    They are written as environment variables; secrets are masked.
    """
    for name, value in {**read_settings().to_variables(), **registry_variables(os.environ)}.items():
        click.echo(f"{name}={value}")
