"""Follow the registry's stage until told to stop: the one process beside the workers.

    python -m serving.following.follower

SIGHUP asks for a sync at once. It ends with the process that started it.
"""

import logging.config
import os
import random
import signal
import sys
import threading
import time

from serving import log
from serving.config import Settings, read_settings
from serving.following.sync import Outcome, prepare_mlflow, registry_uri, sync
from serving.store.sync_status import Kind

JITTER = 0.1  # of the interval, so that many services do not ask in step


class Follower:
    """Syncs again and again, and says so when the outcome is another than before."""

    def __init__(self, settings: Settings, uri: str) -> None:
        self._settings = settings
        self._uri = uri
        self._asked = threading.Event()
        self._last: Outcome | None = None

    def ask(self, *_: object) -> None:
        """Ask for a sync at once, of a refused version too."""
        self._asked.set()

    def run(self) -> None:
        retry = False
        while True:
            self._step(retry=retry)
            spread = random.uniform(1 - JITTER, 1 + JITTER)
            retry = self._asked.wait(self._settings.sync_interval * spread)
            self._asked.clear()

    def _step(self, *, retry: bool) -> None:
        try:
            outcome = sync(self._settings, self._uri, retry=retry)
        except Exception:
            log.logger.exception("a sync failed in a way that nobody foresaw")
            return
        if self._last is None or outcome[:2] != self._last[:2]:
            level = logging.INFO if outcome.good else logging.WARNING
            quiet = outcome.kind is Kind.UNCHANGED and self._last is not None and self._last.good
            if not quiet:
                log.logger.log(level, "%s", outcome.detail)
        self._last = outcome


def end_with(parent: int) -> None:
    """End this process when its parent is gone, whatever it is doing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    # Nothing is lost by ending at once: what is half fetched stands beside the store.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: os._exit(0))
    # The parent may be gone already, where it says who it is; another has taken this process then.
    end_with(int(sys.argv[1]) if len(sys.argv) > 1 else os.getppid())
    logging.config.dictConfig(log.CONFIG)
    prepare_mlflow()
    follower = Follower(read_settings(), registry_uri())
    signal.signal(signal.SIGHUP, follower.ask)
    follower.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
