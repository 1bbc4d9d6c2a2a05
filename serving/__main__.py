"""The service's command line: `python -m serving`."""

import errno
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from serving.answer import Answer, Served, answer, load_served
from serving.arguments import ArgumentsError, to_row
from serving.config import (
    ConfigError,
    Settings,
    check_exposure,
    read_settings,
    registry_variables,
)
from serving.errors import NoModelError, ServingError, invalid_rows
from serving.keys import KeysError, Role, new_key, read_keys, write_keys
from serving.rules import InvalidRowsError
from serving.scorer import ModelError

EXAMPLES = """\b
Examples:
  python -m serving                        serve, and follow the registry meanwhile
  SERVING_PORT=9000 python -m serving      on another port
  python -m serving predict 6 148 72 35 0 33.6 0.627 50
  python -m serving score new.parquet --out scored.parquet
  python -m serving keys add frontend --role predict
  python -m serving config                 the settings in force
"""


SCORE_EXAMPLES = """\b
Examples:
  python -m serving score new.parquet --out scored.parquet
  python -m serving score new.csv --out scored.csv --rejects rejects.csv
  python -m serving score new.csv --out scored.parquet --jobs 2 --offline
  python -m serving score new.parquet --out scored.parquet \\
      --backend dask --scheduler tcp://10.0.0.5:8786
"""


@click.group(invoke_without_command=True, epilog=EXAMPLES)
@click.pass_context
def cli(context: click.Context) -> None:
    """Answer with the model that the registry's stage names; `serve` is the default."""
    if context.invoked_subcommand is None:
        context.invoke(serve)


@cli.command()
def serve() -> None:
    """Answer over HTTP until stopped, and follow the registry's stage meanwhile."""
    settings = read_settings()
    check_exposure(settings)
    _check_address(settings)
    try:
        state = f"{load_served(settings).version}, from the store"
    except (NoModelError, ModelError, OSError):
        state = f"waiting for a version of {settings.model} ({settings.stage})"
    click.echo(f"http://{settings.address}: {state}", err=True)
    config = Path(__file__).with_name("gunicorn.conf.py")
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), "serving.wsgi:app"]
    # glibc keeps a heap for each thread, and what is free in one is not used by another.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.execv(command[0], command)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option("--offline", is_flag=True, help="Answer from the store; do not ask the registry.")
@click.argument("values", nargs=-1, required=True, type=click.UNPROCESSED)
def predict(values: tuple[str, ...], offline: bool) -> None:
    """Answer for one row at the terminal, as POST /predict does.

    VALUES stand in the model's order, or as Name=value. `null` or `-` is missing.
    """
    served = _served(read_settings(), offline)
    body = msgspec.json.encode(_answer(served, values))
    click.echo(msgspec.json.format(body, indent=2).decode())


@cli.command(epilog=SCORE_EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the rows go with their answers: a .csv or a .parquet file.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="A CSV file for the rows that have no answer, each with its number and the reason.",
)
@click.option(
    "--backend",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="This machine's cores, or the workers of a Dask cluster.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Cores to use here; all by default.")
@click.option("--scheduler", help="The Dask scheduler's address: tcp://host:8786.")
@click.option("--offline", is_flag=True, help="Answer from the store; do not ask the registry.")
def score(
    file: Path,
    out: Path,
    rejects: Path | None,
    backend: str,
    jobs: int | None,
    scheduler: str | None,
    offline: bool,
) -> int:
    """Score a CSV or Parquet FILE of any size, a piece at a time.

    OUT has the columns of FILE and, behind them, label, probability and warnings. It comes into
    place once it is complete. Rows that break the contract or cannot be read are told on stderr,
    and have no part in it.

    Ends with 1 where there are such rows and --rejects does not say where to put them.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise click.BadParameter("its name must end in .csv or .parquet.", param_hint="--out")
    if (backend == "dask") != (scheduler is not None):
        raise click.UsageError("--backend dask and --scheduler go together.")
    if scheduler is not None and not re.fullmatch(r"(tcp|tls)://\S+:\d+", scheduler):
        raise click.BadParameter("an address is like tcp://host:8786.", param_hint="--scheduler")
    if scheduler is not None and jobs is not None:
        raise click.UsageError("--jobs is for --backend local: a cluster has its own workers.")
    # What scores a file is large to import, and of no use to the other commands.
    from serving.scoring import command
    from serving.scoring.run import Files
    from serving.scoring.tables import ScoringError

    settings = read_settings()
    served = _served(settings, offline)
    try:
        return command.score(settings, served, Files(file, out, rejects), scheduler or jobs)
    except ScoringError as error:
        raise click.ClickException(str(error)) from error


@cli.command()
def config() -> None:
    """Print the settings in force, as environment variables; secrets are masked."""
    for name, value in {**read_settings().to_variables(), **registry_variables(os.environ)}.items():
        click.echo(f"{name}={value}")


@cli.group()
def keys() -> None:
    """Say who may ask: SERVING_API_KEYS_FILE holds a line for each key, and only its hash.

    The service takes up a changed file within a second.
    """


@keys.command("add")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),  # click would take a member by its NAME
    multiple=True,
    default=[Role.PREDICT.value],
    show_default=True,
    help="What it is for; may be given several times.",
)
def add_key(name: str, roles: tuple[str, ...]) -> None:
    """Make a key and print it: this once, since only its hash is kept."""
    path = _keys_file()
    known = read_keys(path) if path.exists() else []
    if any(key.name == name for key in known):
        raise click.ClickException(f"{path} has a key `{name}` already; remove it first.")
    secret, key = new_key(name, map(Role, roles))
    write_keys(path, [*known, key])
    click.echo(f"{path}: `{name}` may {' and '.join(sorted(key.roles))}. The key:", err=True)
    click.echo(secret)


@keys.command("remove")
@click.argument("name")
def remove_key(name: str) -> None:
    """Take a key's rights away."""
    path = _keys_file()
    known = read_keys(path)
    left = [key for key in known if key.name != name]
    if len(left) == len(known):
        raise click.ClickException(f"{path} has no key `{name}`.")
    write_keys(path, left)
    click.echo(f"{path}: `{name}` is removed.", err=True)


@keys.command("list")
def list_keys() -> None:
    """Print the names and roles of the keys."""
    for key in read_keys(_keys_file()):
        click.echo(f"{key.name}  {','.join(sorted(key.roles))}")


def _keys_file() -> Path:
    given = os.environ.get("SERVING_API_KEYS_FILE")
    if not given:
        raise click.ClickException("Set SERVING_API_KEYS_FILE to the file that holds the keys.")
    return Path(given)


def _answer(served: Served, words: Sequence[str]) -> Answer:
    try:
        return answer(served, [to_row(served.scorer.contract, words)])
    except InvalidRowsError as error:
        raise invalid_rows(error.violations, batch=False) from error


def _sync() -> str:
    """Sync in a process of its own, so that none of mlflow stays; give its line on a failure."""
    command = [sys.executable, "-m", "serving.following.sync"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def _served(settings: Settings, offline: bool) -> Served:
    """Load the version in force, after a sync unless `offline`."""
    trouble = "" if offline else _sync()
    try:
        served = load_served(settings)
    except (NoModelError, ModelError, OSError) as error:
        raise click.ClickException(trouble or str(error)) from error
    if trouble:
        click.echo(f"{trouble} {served.version} goes on answering, from the store.", err=True)
    return served


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
    except (ConfigError, KeysError, ArgumentsError, ServingError) as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
