"""`serve`: answer over HTTP under gunicorn."""

import errno
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

import click

from serving.config import Settings, check_exposure, read_settings
from serving.errors import NoModelError
from serving.model.version_files import ModelError
from serving.predictor import current_version

FIRST_PASSED_SOCKET = 3  # the descriptor of sd_listen_fds(3)


@click.command(epilog="Example: SERVING_PORT=9000 python -m serving serve")
def serve() -> None:
    """Answer over HTTP, and follow the registry's stage."""
    settings = read_settings()
    check_exposure(settings)
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        _check_passed_socket(settings)
    else:
        _check_address(settings)
    click.echo(f"http://{settings.address}: {_model(settings)}", err=True)
    config = Path(__file__).parents[1] / "server" / "gunicorn.conf.py"
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), "serving.web.wsgi:app"]
    # glibc keeps a heap for each thread, and what is free in one is not used by another.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.execv(command[0], command)


def _model(settings: Settings) -> str:
    """Return what the service will answer with; loading it is left to the workers."""
    with suppress(NoModelError, ModelError):
        return f"{current_version(settings)}, from the store"
    return f"waiting for a version of {settings.model} ({settings.stage})"


def _check_passed_socket(settings: Settings) -> None:
    """Check that systemd's socket, which gunicorn then takes, is where the settings say."""
    with socket.socket(fileno=os.dup(FIRST_PASSED_SOCKET)) as passed:
        host, port = passed.getsockname()[:2]
    wanted = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    if (host, port) not in [address[:2] for *_, address in wanted]:
        raise click.ClickException(
            f"The socket from systemd listens on {host}:{port}, but SERVING_HOST and SERVING_PORT "
            f"say {settings.address}: make them agree."
        )


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
