"""Progress of a run: a bar on a terminal, a plain line now and then where there is none."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

EVERY_S = 10.0  # between two plain lines


class Progress:
    """Counts rows; how many there are in all is told from the share that has been read."""

    def __init__(self) -> None:
        self._rows = 0
        self._started = self._told = time.monotonic()
        self._bar = (
            tqdm(desc="score", unit=" rows", unit_scale=True, file=sys.stderr)
            if sys.stderr.isatty()
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def add(self, rows: int, share: float) -> None:
        """Count rows that are done; `share` of the file has been read with them."""
        self._rows += rows
        if self._bar is not None:
            self._bar.total = round(self._rows / share)
            self._bar.update(rows)
        elif time.monotonic() - self._told >= EVERY_S and share < 1:
            self._told = time.monotonic()
            left = self.seconds / share * (1 - share)
            self.say(f"{self._rows:,} rows, {share:.0%}, about {duration(left)} left")

    def say(self, line: str) -> None:
        """Write a line, above the bar where there is one."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Write seconds as a person would: 4.2 s, 42 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
