"""Follow the registry's stage until told to stop: the one process beside the workers.

    python -m serving.following.follower

SIGHUP asks for a sync at once. It ends with the process that started it, and it ends itself where
a sync takes too long: whoever started it notices, and starts it again. So that nobody waits for one
that cannot even do that, it sends a byte twice a second.
"""

import logging.config
import os
import random
import signal
import sys
import threading
import time
from contextlib import suppress
from math import inf

from serving import log
from serving.config import Settings, read_settings, without_password
from serving.following.sync import Outcome, note_failure, prepare_mlflow, registry_uri, sync
from serving.store.sync_status import Kind

JITTER = 0.1  # of the interval, so that many services do not ask in step
BEAT = 0.5  # seconds


class Follower:
    """Syncs again and again, and says so when the outcome is another than before."""

    def __init__(self, settings: Settings, uri: str) -> None:
        self._settings = settings
        self._uri = uri
        self._asked = threading.Event()
        self._last: Outcome | None = None
        self._due = inf  # by when the sync under way has to end, on the monotonic clock

    @property
    def is_overdue(self) -> bool:
        return time.monotonic() > self._due

    def give_up(self) -> None:
        """Report that the sync under way takes too long."""
        detail = (
            f"A look at the registry at {without_password(self._uri)} did not end within "
            f"{self._settings.sync_limit:g} seconds (SERVING_SYNC_TIMEOUT and SERVING_LOAD_TIMEOUT)"
            "; the process that follows it is started again."
        )
        log.logger.error("%s", detail)
        note_failure(self._settings, Kind.OVERDUE, detail)

    def ask(self, *_: object) -> None:
        """Ask for a sync at once, of a refused version too."""
        self._asked.set()

    def run(self) -> None:
        retry = False
        while True:
            self._due = time.monotonic() + self._settings.sync_limit
            self._step(retry=retry)
            self._due = inf
            spread = random.uniform(1 - JITTER, 1 + JITTER)
            retry = self._asked.wait(self._settings.sync_interval * spread)
            self._asked.clear()

    def _step(self, *, retry: bool) -> None:
        try:
            outcome = sync(self._settings, self._uri, retry=retry)
        except Exception as error:
            log.logger.exception("a sync failed in a way that nobody foresaw")
            reason = (
                f"A sync failed unforeseen ({type(error).__name__}); the log has the traceback."
            )
            note_failure(self._settings, Kind.FAILED, reason)
            self._last = None
            return
        if self._last is None or outcome[:2] != self._last[:2]:
            level = logging.INFO if outcome.good else logging.WARNING
            quiet = outcome.kind is Kind.UNCHANGED and self._last is not None and self._last.good
            if not quiet:
                log.logger.log(level, "%s", outcome.detail)
        self._last = outcome


def end_with(parent: int, follower: Follower | None = None, beat: int | None = None) -> None:
    """End this process when its parent is gone, or its follower overdue, whatever it is doing.

    Until then `beat`, a file descriptor that never blocks, gets a byte at each look.
    """

    def watch() -> None:
        while os.getppid() == parent:
            if follower is not None and follower.is_overdue:
                follower.give_up()
                log.flush()
                os._exit(1)
            if beat is not None:
                with suppress(OSError):
                    os.write(beat, b".")
            time.sleep(BEAT)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    # Nothing is lost by ending at once: what is half fetched stands beside the store.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: os._exit(0))
    logging.config.dictConfig(log.CONFIG)
    prepare_mlflow()
    follower = Follower(read_settings(), registry_uri())
    # The parent may be gone already, where it says who it is; another has taken this process then.
    parent, beat = map(int, sys.argv[1:3]) if sys.argv[1:] else (os.getppid(), None)
    end_with(parent, follower, beat)
    signal.signal(signal.SIGHUP, follower.ask)
    follower.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
