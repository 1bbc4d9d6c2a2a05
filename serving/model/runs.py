"""The model's runs that have to end in time.

onnxruntime ends a run, between two nodes of its graph, once the run's options say so; whoever looks
at the clock anyway lets `end_overdue` say it.
"""

from time import perf_counter
from typing import Any

under_way: dict[Any, float] = {}  # onnxruntime's RunOptions: by when, on perf_counter's clock


class OverdueError(Exception):
    """A run that was ended, because its time was up."""


def end_overdue() -> None:
    """Let the runs end whose time is up; their threads raise OverdueError."""
    now = perf_counter()
    for options, until in list(under_way.items()):
        if now > until:
            options.terminate = True
