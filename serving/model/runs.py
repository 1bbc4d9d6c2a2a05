"""The model's runs that have to end in time.

onnxruntime ends a run, between two nodes of its graph, once the run's options say so; whoever looks
at the clock anyway lets `end_overdue` say it.
"""

from time import perf_counter

import onnxruntime

under_way: dict[onnxruntime.RunOptions, float] = {}  # by when, on perf_counter's clock


class OverdueError(Exception):
    """A run that was ended, because its time was up."""


class TimedRun:
    """The options of a run that has to end by `until`, for the block that runs it.

    Raises OverdueError in the place of the error with which such a run ends.
    """

    # No generator of contextlib's: that takes a microsecond of each request.
    __slots__ = ("_options",)

    def __init__(self, until: float) -> None:
        self._options = onnxruntime.RunOptions()
        under_way[self._options] = until

    def __enter__(self) -> onnxruntime.RunOptions:
        return self._options

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        del under_way[self._options]
        if error is not None and self._options.terminate:
            raise OverdueError from error


def check_time(until: float | None) -> None:
    """Raise OverdueError if it is later."""
    if until is not None and perf_counter() > until:
        raise OverdueError


def end_overdue() -> None:
    """Let the runs end whose time is up; their threads raise OverdueError."""
    now = perf_counter()
    for options, until in list(under_way.items()):
        if now > until:
            options.terminate = True
