"""A worker's housekeeping: swap in the store's current version, reread the keys, count."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from serving.errors import NoModelError
from serving.log import logger
from serving.model.version_files import ModelError
from serving.predictor import load_served
from serving.store.versions import CURRENT_FILE
from serving.web.keys import Key, KeysError, read_keys, write_keys
from serving.web.worker_state import State

INTERVAL = 0.25  # seconds between looks
RETRY = 5.0  # seconds until what failed is tried again
FIRST_LOOK = 10.0  # seconds that a start waits for the first look, for a model in most cases

Sign = tuple[int, int, int] | None


class Watched:
    """A file that is taken up again when it has changed, or when that failed a while ago.

    `take_up` gives the sentence to say where it failed, else nothing.
    """

    def __init__(self, path: Path, take_up: Callable[[], str]) -> None:
        self._path = path
        self._take_up = take_up
        self._seen: Sign = None
        self._try_again: float | None = None
        self._complaint = ""

    def refresh(self) -> None:
        sign = _sign(self._path)
        due = self._try_again is not None and time.monotonic() >= self._try_again
        if sign != self._seen or due:
            # Until it is done: what fails in a way that nobody foresaw is no reason to hurry.
            self._seen, self._try_again = sign, time.monotonic() + RETRY
            complaint, failure = self._complaint_of()
            if not complaint:
                self._try_again = None
            elif complaint != self._complaint:
                logger.error("%s", complaint, exc_info=failure)
            self._complaint = complaint

    def _complaint_of(self) -> tuple[str, Exception | None]:
        try:
            return self._take_up(), None
        except Exception as error:  # a worker must not end, nor fail to start, for a file
            name = type(error).__name__
            return f"{self._path} cannot be taken up: {name}: {error}", error


class Watcher:
    """Keeps a worker's state in step with the store and the keys file."""

    def __init__(self, state: State, kept_keys: Path | None = None) -> None:
        """`kept_keys` is where workers keep the last good keys, for those that start later."""
        self._state = state
        self._kept_keys = kept_keys
        self._has_looked = threading.Event()
        settings = state.settings
        self._files = [Watched(settings.store / CURRENT_FILE, self._take_up_version)]
        if settings.api_keys_file is not None:
            self._files.append(Watched(settings.api_keys_file, self._take_up_keys))

    def start(self) -> None:
        """Look from now on, in a thread; returns once the first look is over, or takes too long.

        gunicorn takes a worker for dead that takes more than half a minute to start.
        """
        threading.Thread(target=self._run, name="watch", daemon=True).start()
        self._has_looked.wait(FIRST_LOOK)

    def refresh(self) -> None:
        for file in self._files:
            file.refresh()
        self._state.metrics.flush()

    def _run(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception:
                logger.exception("a worker's housekeeping failed")
            self._has_looked.set()
            time.sleep(INTERVAL)

    def _take_up_version(self) -> str:
        """Load the version beside the one that answers, then swap one reference."""
        try:
            served = load_served(self._state.settings)
        except NoModelError:
            return ""
        except (ModelError, OSError) as error:
            return f"the store's current version cannot answer: {error}"
        self._state.served = served
        self._state.metrics.model(served.version.version, served.version.digest)
        logger.info("%s answers in worker %d", served.version, os.getpid())
        return ""

    def _take_up_keys(self) -> str:
        path = self._state.settings.api_keys_file
        if path is None:
            return ""
        try:
            self._state.keys = tuple(read_keys(path))
        except KeysError as error:
            # Those in force stay: an editor's slip must not let everyone in, or lock all out.
            self._state.metrics.keys(good=False)
            self._state.keys = self._state.keys or self._last_good_keys()
            return f"{error}; the keys stay as they were"
        if self._kept_keys is not None:
            with suppress(OSError):  # a full disk is no reason to stop
                write_keys(self._kept_keys, self._state.keys)
        self._state.metrics.keys(good=True)
        return ""

    def _last_good_keys(self) -> tuple[Key, ...]:
        """Return the keys that are in force in the other workers; none where none were read."""
        with suppress(KeysError):
            return tuple(read_keys(self._kept_keys)) if self._kept_keys else ()
        return ()


def _sign(path: Path) -> Sign:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
