"""Progress of a search: a bar on a terminal, plain lines where there is none."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

EVERY_S = 10.0  # between two plain lines


class Progress:
    """Counts scored candidates and knows the best so far; `score` names what is compared."""

    def __init__(self, total: int, score: str, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._total, self._score, self._done = total, score, 0
        self._rows = 0
        self._best: tuple[float, float, float] | None = None
        self._started = self._told = time.monotonic()
        self._bar = (
            tqdm(total=total, desc="grid search", unit="candidate", file=self._stream)
            if self._stream.isatty()
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
        elif error is None:
            self._tell(f"in {duration(time.monotonic() - self._started)}")

    def add(self, C: float, gamma: float, score: float, rows: int = 0) -> None:
        """Count a candidate that is scored; the best is sought among those of the same rows."""
        if rows != self._rows:
            self._rows, self._best = rows, None
        self._done += 1
        if self._best is None or score > self._best[0]:
            self._best = (score, C, gamma)
        if self._bar is not None:
            self._bar.set_postfix_str(self._shown_best(), refresh=False)
            self._bar.update()
        elif time.monotonic() - self._told >= EVERY_S and self._done < self._total:
            self._told = time.monotonic()
            left = (self._told - self._started) / self._done * (self._total - self._done)
            self._tell(f"about {duration(left)} left")

    def _tell(self, time_told: str) -> None:
        counted = f"{self._done} of {self._total} candidates"
        parts = [counted, *([self._shown_best()] if self._best else []), time_told]
        print(f"grid search: {', '.join(parts)}", file=self._stream, flush=True)

    def _shown_best(self) -> str:
        if self._best is None:
            return ""
        score, C, gamma = self._best
        return f"best {self._score} {score:.4f} (C {C:.4g}, gamma {gamma:.4g})"


def duration(seconds: float) -> str:
    """Write seconds as a person would: 42 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
