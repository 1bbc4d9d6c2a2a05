"""The search's side of its tracking: tells the process beside it what is done, and never waits.

That process, `pipeline.tracking.recorder`, imports MLflow and talks to the tracking store. A search
must not fail, nor be held up, because a store is away: what is not tracked now, `register` logs.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.params import Selection
from pipeline.search.units import Candidate
from pipeline.tracking.messages import Begin, End, Finish, Message, Scored, process_id

# Without garbage collection, which would go through all that the imports make.
LIVE = "import gc; gc.disable(); from pipeline.tracking.recorder import main; main()"

# Longer than another may have the store, and a request to it may take; then it will never be done.
PATIENCE_S, PATIENCE_FOR_EACH_S = 900.0, 1.0

PATIENCE_TO_BREAK_OFF_S = 60.0


@contextmanager
def report_search() -> Iterator["SearchReport"]:
    """Start the process that tracks, and wait at the end until everything is logged."""
    report = SearchReport()
    try:
        yield report
    except BaseException as error:
        report.end("failed" if isinstance(error, Exception) else "killed")
        raise
    report.end("done")


class SearchReport:
    """Tells a process of its own, in the order of the calls, through a thread that may wait."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._given_up, self._total = threading.Event(), 0
        self._process = self._start()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def _start(self) -> subprocess.Popen[bytes] | None:
        # In a group of its own: Ctrl-C is for the stage, which says what follows from it.
        try:
            return subprocess.Popen(
                [sys.executable, "-c", LIVE], stdin=subprocess.PIPE, process_group=0
            )
        except OSError as error:
            self._give_up(f"its process cannot be started ({error})")
            return None

    def begin(
        self,
        experiment: str,
        key: str,
        params: Mapping[str, str],
        total: int,
        selection: Selection,
    ) -> None:
        self._total = total
        self._messages.put(Begin(experiment, key, process_id(), dict(params), total, selection))

    def candidate(
        self,
        candidate: Candidate,
        scores: Sequence[float],
        fit_s: float,
        score_s: float,
        extra: Mapping[str, int],
    ) -> None:
        self._messages.put(Scored(candidate, tuple(scores), fit_s, score_s, dict(extra)))

    def finish(self, cv_results: Path, learning_curve: Path) -> None:
        self._messages.put(Finish(str(cv_results.resolve()), str(learning_curve.resolve())))

    def end(self, how: Literal["done", "failed", "killed"]) -> None:
        """Report how the search ended and wait until it is logged; Ctrl-C ends the wait."""
        self._messages.put(End(how))
        self._messages.put(None)
        if self._process is None:
            return
        patience = PATIENCE_S + PATIENCE_FOR_EACH_S * self._total
        try:
            code = self._process.wait(patience if how == "done" else PATIENCE_TO_BREAK_OFF_S)
            if code != 0:
                self._give_up(f"its process ended with {code}")
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._give_up("its process did not come to an end")
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            raise

    def _write(self) -> None:
        if self._process is None:
            return
        pipe = self._process.stdin
        assert pipe is not None
        try:
            with pipe:
                while (message := self._messages.get()) is not None:
                    pipe.write(msgspec.json.encode(message) + b"\n")
                    if self._messages.empty():
                        pipe.flush()
        except OSError:
            self._give_up("its process is gone")

    def _give_up(self, reason: str) -> None:
        if not self._given_up.is_set():
            self._given_up.set()
            print(
                f"the search goes on, not tracked any more: {reason}; what is missing then, "
                "`register` will log",
                file=sys.stderr,
            )
