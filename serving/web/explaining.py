"""Explanations aside from predictions: in a thread of low priority, which requests wait for."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillAtWorkError
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeVar

from serving.errors import explanation_overdue

# In a request's environ: gives way to the next request while this one waits. The server sets it.
STEP_ASIDE = "serving.step_aside"
# A tenth of the time of a thread that predicts, where there is not enough for both; with the lowest
# priority explanations would end at their deadline on a busy machine.
NICENESS = 10
MARGIN = 1.0  # seconds after the deadline, for work that ends itself by then

T = TypeVar("T")


class ExplainingThread:
    """A thread of this process that does one piece of work after the other."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "explain", initializer=_give_way)

    def run(self, work: Callable[[], T], environ: dict[str, Any], until: float) -> T:
        """Do the work and wait for it; it should end by `until`, on perf_counter's clock.

        Raises OverloadedError where it does not, for so many stand before it.
        """
        waiting = self._pool.submit(work)
        step_aside = environ.get(STEP_ASIDE)
        if step_aside is not None:
            step_aside()
        try:
            return waiting.result(max(0.0, until - perf_counter()) + MARGIN)
        except StillAtWorkError as error:
            waiting.cancel()
            raise explanation_overdue() from error


def _give_way() -> None:
    # Linux has a priority for each thread; elsewhere it would be that of the whole process.
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
