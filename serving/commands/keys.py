"""`keys`: who may call the service."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from filelock import FileLock, Timeout

from serving.web.keys import Role, new_key, read_keys, write_keys

PATIENCE = 10  # seconds


@click.group(epilog="Example: python -m serving keys add frontend --role predict")
def keys() -> None:
    """Manage who may call the service.

    SERVING_API_KEYS_FILE holds a line for each key, with its hash only. The service
    takes up a changed file within a second.
    """


@keys.command("add", epilog="Example: python -m serving keys add frontend --role predict")
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
    """Make a key and print it once: only its hash is kept."""
    path = _keys_file()
    secret, key = new_key(name, map(Role, roles))
    with _changing(path):
        known = read_keys(path) if path.exists() else []
        if any(other.name == name for other in known):
            raise click.ClickException(f"{path} has a key `{name}` already; remove it first.")
        write_keys(path, [*known, key])
    click.echo(f"{path}: `{name}` may {' and '.join(sorted(key.roles))}. The key:", err=True)
    click.echo(secret)


@keys.command("remove", epilog="Example: python -m serving keys remove frontend")
@click.argument("name")
def remove_key(name: str) -> None:
    """Take a key's rights away."""
    path = _keys_file()
    with _changing(path):
        known = read_keys(path)
        left = [key for key in known if key.name != name]
        if len(left) == len(known):
            raise click.ClickException(f"{path} has no key `{name}`.")
        write_keys(path, left)
    click.echo(f"{path}: `{name}` is removed.", err=True)


@keys.command("list", epilog="Example: python -m serving keys list")
def list_keys() -> None:
    """Print the names and roles of the keys."""
    for key in read_keys(_keys_file()):
        click.echo(f"{key.name}  {','.join(sorted(key.roles))}")


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Let one process at a time read the file and write it anew, else what others wrote is lost."""
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=PATIENCE):
            yield
    except Timeout as error:
        raise click.ClickException(
            f"Another process has been changing {path} for {PATIENCE} seconds: try again."
        ) from error
    except OSError as error:
        raise click.ClickException(
            f"the keys file {path} cannot be written: {error.strerror}"
        ) from error


def _keys_file() -> Path:
    given = os.environ.get("SERVING_API_KEYS_FILE")
    if not given:
        raise click.ClickException("Set SERVING_API_KEYS_FILE to the file that holds the keys.")
    return Path(given)
