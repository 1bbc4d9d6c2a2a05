"""gunicorn's master keeps one process beside its workers: the one that follows the registry."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from serving.log import logger

COMMAND = [sys.executable, "-m", "serving.following.follower"]
SHORT_LIFE = 10.0  # seconds; a process that ends sooner is started again later and later
LONGEST_PAUSE = 30.0
SILENCE = 30.0  # seconds without a sign of life; the follower gives one twice a second


class Supervisor:
    """Starts the follower, starts it again when it ends, passes on SIGHUP, stops it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._heard = 0.0
        self._pause = 0.0
        self._beats, self._beat = os.pipe()
        os.set_blocking(self._beats, False)
        os.set_blocking(self._beat, False)

    def keep_alive(self) -> None:
        """Start the follower where it does not run; the master calls this every second."""
        now = time.monotonic()
        if self._process is not None:
            if self._process.poll() is None:
                self._listen(now)
                return
            short = now - self._started < SHORT_LIFE
            self._pause = min(max(1.0, 2 * self._pause), LONGEST_PAUSE) if short else 0.0
            logger.warning("the process that follows the registry has ended; it is started again")
            self._process = None
        if now - self._started >= self._pause:
            self._started = self._heard = now
            command = [*COMMAND, str(os.getpid()), str(self._beat)]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                preexec_fn=_ignore_hang_up,
                pass_fds=[self._beat],
            )

    def _listen(self, now: float) -> None:
        """End a follower that gives no sign of life."""
        with suppress(BlockingIOError):
            if os.read(self._beats, 65_536):
                self._heard = now
        if now - self._heard > SILENCE:
            logger.error("the process that follows the registry hangs; it is ended")
            self._send(signal.SIGKILL)

    def ask(self) -> None:
        """Ask for a sync at once."""
        self._send(signal.SIGHUP)

    def stop(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def _ignore_hang_up() -> None:
    """A SIGHUP before the follower has its own handler would end it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _outlive(what: str, manage: Callable[[], None]) -> None:
    """Manage processes; a machine that gives no other now may do so in a second.

    gunicorn would end the service for want of a process or of a file.
    """
    try:
        manage()
    except (OSError, RuntimeError) as error:
        logger.error("%s cannot be looked after: %s", what, error)


def attach(server: Any, supervisor: Supervisor) -> None:
    """Let gunicorn's arbiter look after the follower.

    It has no hook for children other than workers; but its loop calls `manage_workers` each second
    and finds its signal handlers by name. SIGHUP would reload settings, which come from the
    environment and cannot have changed.
    """
    manage_workers = server.manage_workers

    def manage_all() -> None:
        _outlive("the process that follows the registry", supervisor.keep_alive)
        _outlive("the workers", manage_workers)

    server.manage_workers = manage_all
    server.handle_hup = supervisor.ask
    server.handle_usr2 = lambda: logger.warning("SIGUSR2 does nothing: start a new service instead")
