"""Prometheus metrics, added up over the workers.

Under gunicorn each worker keeps its figures in files of `PROMETHEUS_MULTIPROC_DIR`, which must be
set before this is imported; whichever worker is asked adds all of them up. A request only leaves
a note; the worker's housekeeping counts the notes (`flush`) four times a second, since counting
them one by one costs more than a prediction.

The service answers without metrics rather than not at all: while their folder is full nothing is
counted, and one that was removed is made anew, with figures from zero.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path
from threading import Lock
from typing import TypeVar

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from serving import log
from serving.web import metrics_folder
from serving.web.figures import Figures, PredictionsNote, RequestNote

CONTENT_TYPE = CONTENT_TYPE_LATEST

Note = TypeVar("Note")


class Metrics:
    """One worker's metrics."""

    def __init__(self) -> None:
        self._requests: deque[RequestNote] = deque()
        self._predictions: deque[PredictionsNote] = deque()
        self._lock = Lock()
        folder = os.environ.get(metrics_folder.VARIABLE)
        self._folder = Path(folder) if folder else None
        self._files: set[Path] = set()
        self._figures: Figures | None = None
        self._complaint = ""
        self._keys_good = True
        self._version: tuple[str, str] | None = None
        self._dropped = 0
        self._usable()

    @property
    def registry(self) -> CollectorRegistry:
        """Return this worker's own figures, none while they cannot be kept."""
        return self._figures.registry if self._figures else CollectorRegistry()

    def keys(self, *, good: bool) -> None:
        """Record whether the keys in force are those of the keys file."""
        with self._lock:
            self._keys_good = good
            if figures := self._usable():
                figures.keys(good=good)

    def model(self, version: str, digest: str) -> None:
        """Record which version this worker answers with from now on."""
        with self._lock:
            self._version = version, digest
            if figures := self._usable():
                figures.model(version, digest)

    def request(self, note: RequestNote) -> None:
        self._requests.append(note)

    def predictions(self, note: PredictionsNote) -> None:
        self._predictions.append(note)

    def flush(self) -> None:
        """Count what the requests left since the last time."""
        with self._lock:
            requests, predictions = list(_taken(self._requests)), list(_taken(self._predictions))
            figures = self._usable()
            if figures is None:
                return
            figures.count_requests(requests)
            figures.count_predictions(predictions)
            dropped = log.dropped()
            figures.count_dropped_lines(dropped - self._dropped)
            self._dropped = dropped
            self._remember_files()

    def exposition(self, *more: Collector) -> bytes:
        """Write all figures, those of the other workers included, and those of `more`."""
        self.flush()
        try:
            text = generate_latest(self._of_all_workers())
        except (OSError, ValueError) as error:  # removed under our hands
            self._complain(f"the metrics cannot be read: {error}")
            text = b""
        extra = CollectorRegistry()
        for collector in (Health(not self._complaint), *more):
            extra.register(collector)
        return text + generate_latest(extra)

    def _of_all_workers(self) -> CollectorRegistry:
        if self._folder is None or self._figures is None:
            return self.registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return registry

    def _usable(self) -> Figures | None:
        """Return the figures, opened anew where need be; None while they cannot be kept."""
        try:
            if self._folder is not None:
                self._check_folder(self._folder)
            if self._figures is None:
                self._figures = self._opened()
        except OSError as error:
            self._complain(f"no metrics are kept in {self._folder}: {error.strerror or error}")
            return None
        self._complaint = ""
        return self._figures

    def _check_folder(self, folder: Path) -> None:
        """Raise OSError where writing would fail; let go of files that were removed."""
        if self._figures is not None and not all(map(Path.exists, self._files)):
            self._figures = None
            values.ValueClass.close_all_files()
        if not folder.is_dir():
            metrics_folder.make(folder)
        if not metrics_folder.has_room(folder):
            raise OSError(ENOSPC, os.strerror(ENOSPC))

    def _opened(self) -> Figures:
        figures = Figures()
        figures.keys(good=self._keys_good)
        if self._version is not None:
            figures.model(*self._version)
        self._files = set()
        return figures

    def _remember_files(self) -> None:
        if self._folder is not None:
            self._files |= set(self._folder.glob(f"*_{os.getpid()}.db"))

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            log.logger.error("%s", complaint)
        self._complaint = complaint


class Health(Collector):
    """Return whether metrics are kept, which they themselves cannot tell."""

    def __init__(self, ok: bool) -> None:
        self._ok = ok

    def collect(self) -> Iterator[Metric]:
        meaning = "1 where the worker that was asked keeps its metrics"
        yield GaugeMetricFamily("serving_metrics_ok", meaning, value=float(self._ok))


def _taken(notes: deque[Note]) -> Iterator[Note]:
    """Take all notes there are; others may be added meanwhile."""
    with suppress(IndexError):
        while True:
            yield notes.popleft()
