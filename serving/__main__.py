"""The service's command line: `python -m serving`."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from serving.answer import Answer, Served, answer, load_served
from serving.arguments import ArgumentsError, to_row
from serving.config import ConfigError, Settings, read_settings
from serving.contract import InvalidRowsError
from serving.errors import NoModelError, ServingError, invalid_rows
from serving.scorer import ModelError

EXAMPLES = """\b
Examples:
  python -m serving                        follow the registry once, then serve
  SERVING_PORT=9000 python -m serving      on another port
  python -m serving predict 6 148 72 35 0 33.6 0.627 50
  python -m serving config                 the settings in force
"""


@click.group(invoke_without_command=True, epilog=EXAMPLES)
@click.pass_context
def cli(context: click.Context) -> None:
    """Answer with the model that the registry's stage names; `serve` is the default."""
    if context.invoked_subcommand is None:
        context.invoke(serve)


@cli.command()
def serve() -> None:
    """Fetch the registry's version, then answer over HTTP until stopped."""
    settings = read_settings()
    _check_address(settings)
    trouble = _sync()
    try:
        served = load_served(settings)
    except (NoModelError, ModelError) as error:
        click.echo(f"Not ready, at http://{settings.address}: {trouble or error}", err=True)
    else:
        _warn(trouble, served)
        click.echo(f"Serving {served.version} at http://{settings.address}", err=True)
    config = Path(__file__).with_name("gunicorn.conf.py")
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), "serving.wsgi:app"]
    os.execv(command[0], command)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option("--offline", is_flag=True, help="Answer from the store; do not ask the registry.")
@click.argument("values", nargs=-1, required=True, type=click.UNPROCESSED)
def predict(values: tuple[str, ...], offline: bool) -> None:
    """Answer for one row at the terminal, as POST /predict does.

    VALUES stand in the model's order, or as Name=value. `null` or `-` is missing.
    """
    settings = read_settings()
    trouble = "" if offline else _sync()
    try:
        served = load_served(settings)
    except (NoModelError, ModelError) as error:
        raise click.ClickException(trouble or str(error)) from error
    _warn(trouble, served)
    body = msgspec.json.encode(_answer(served, values))
    click.echo(msgspec.json.format(body, indent=2).decode())


@cli.command()
def config() -> None:
    """Print the settings in force, as environment variables."""
    for name, value in read_settings().to_variables().items():
        click.echo(f"{name}={value}")


def _answer(served: Served, words: Sequence[str]) -> Answer:
    try:
        return answer(served, [to_row(served.scorer.contract, words)])
    except InvalidRowsError as error:
        raise invalid_rows(error.violations, batch=False) from error


def _sync() -> str:
    """Sync in a process of its own, so that none of mlflow stays; give its line on a failure."""
    command = [sys.executable, "-m", "serving.sync"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def _warn(trouble: str, served: Served) -> None:
    if trouble:
        click.echo(f"{trouble} {served.version} goes on answering, from the store.", err=True)


def _check_address(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        # As gunicorn does: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise click.ClickException(
                    f"{settings.address} is in use already: stop what listens there, "
                    f"or choose another port with SERVING_PORT."
                ) from error
            raise click.ClickException(
                f"Cannot listen on {settings.address} (SERVING_HOST, SERVING_PORT): "
                f"{error.strerror}."
            ) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 for done, 1 for a mistake in what was given, 2 for its usage."""
    try:
        code = cli.main(argv, prog_name="python -m serving", standalone_mode=False)
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (ConfigError, ArgumentsError, ServingError) as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
