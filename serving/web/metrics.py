"""Prometheus metrics, added up over the workers.

Under gunicorn each worker keeps its figures in a file of `PROMETHEUS_MULTIPROC_DIR`, which must be
set before this is imported; whichever worker is asked adds all of them up. A request only leaves
a note; the worker's housekeeping counts the notes (`flush`) four times a second, since counting
them one by one costs more than a prediction.
"""

import os
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from serving import log

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
PROBABILITIES = tuple(round(0.1 * n, 1) for n in range(1, 10))

Note = TypeVar("Note")


class RequestNote(NamedTuple):
    route: str
    method: str
    status: str
    seconds: float


class PredictionsNote(NamedTuple):
    route: str
    labels: list[int]
    probabilities: list[float]
    outside: dict[str, int]


class BulkHistogram(Histogram):
    """A histogram that takes many observations at once."""

    def observe_all(self, values: Iterable[float]) -> None:
        x = np.fromiter(values, dtype=np.float64)
        places = np.searchsorted(self._upper_bounds, x)
        counts = np.bincount(places, minlength=len(self._buckets)).tolist()
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(float(x.sum()))


class Metrics:
    """One worker's figures."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests: deque[RequestNote] = deque()
        self._predictions: deque[PredictionsNote] = deque()
        self._flushing = Lock()
        self._model_now: Gauge | None = None
        self._request_count = Counter(
            "serving_requests",
            "Requests answered",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = BulkHistogram(
            "serving_request_seconds",
            "Time from the request's headers to the end of its answer",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self._rows = Counter("serving_rows", "Rows predicted", ["route"], registry=registry)
        self._labels = Counter(
            "serving_predictions", "Predictions by label", ["label"], registry=registry
        )
        self._probability = BulkHistogram(
            "serving_probability",
            "Predicted probability of the positive class",
            buckets=PROBABILITIES,
            registry=registry,
        )
        self._outside = Counter(
            "serving_out_of_range",
            "Values outside the range seen in training, or of no category",
            ["feature"],
            registry=registry,
        )
        self._dropped = Counter(
            "serving_log_lines_dropped",
            "Lines of the log that found no room, since nobody reads it",
            registry=registry,
        )
        self._drops_counted = 0
        self._keys = Gauge(
            "serving_keys_ok",
            "1 where every worker has the keys of the keys file, or there is none",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._keys.set(1)
        self._model = Gauge(
            "serving_model_workers",
            "Workers that answer with this version",
            ["version", "digest"],
            multiprocess_mode="livesum",
            registry=registry,
        )

    def keys(self, *, good: bool) -> None:
        """Record whether the keys in force are those of the keys file."""
        self._keys.set(good)

    def request(self, note: RequestNote) -> None:
        self._requests.append(note)

    def predictions(self, note: PredictionsNote) -> None:
        self._predictions.append(note)

    def model(self, version: str, digest: str) -> None:
        """Record which version this worker answers with from now on."""
        if self._model_now is not None:
            self._model_now.set(0)
        self._model_now = self._model.labels(version, digest)
        self._model_now.set(1)

    def flush(self) -> None:
        """Count what the requests left since the last time."""
        with self._flushing:
            self._count_requests(list(_taken(self._requests)))
            self._count_predictions(list(_taken(self._predictions)))
            drops = log.dropped()
            self._dropped.inc(drops - self._drops_counted)
            self._drops_counted = drops

    def exposition(self, *more: Collector) -> bytes:
        """Write all figures, those of the other workers included, and those of `more`."""
        self.flush()
        registry = CollectorRegistry() if DIRECTORY in os.environ else self.registry
        if DIRECTORY in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        extra = CollectorRegistry()
        for collector in more:
            extra.register(collector)
        return generate_latest(registry) + generate_latest(extra)

    def _count_requests(self, notes: list[RequestNote]) -> None:
        for labels, count in Tally(note[:3] for note in notes).items():
            self._request_count.labels(*labels).inc(count)
        for route in {note.route for note in notes}:
            seconds = (note.seconds for note in notes if note.route == route)
            self._seconds.labels(route).observe_all(seconds)

    def _count_predictions(self, notes: list[PredictionsNote]) -> None:
        rows: Tally[str] = Tally()
        outside: Tally[str] = Tally()
        for note in notes:
            rows[note.route] += len(note.labels)
            outside.update(note.outside)
        for route, count in rows.items():
            self._rows.labels(route).inc(count)
        for feature, count in outside.items():
            self._outside.labels(feature).inc(count)
        for label, count in Tally(label for note in notes for label in note.labels).items():
            self._labels.labels(str(label)).inc(count)
        if notes:
            self._probability.observe_all(p for note in notes for p in note.probabilities)


def _taken(notes: deque[Note]) -> Iterator[Note]:
    """Take all notes there are; others may be added meanwhile."""
    with suppress(IndexError):
        while True:
            yield notes.popleft()
