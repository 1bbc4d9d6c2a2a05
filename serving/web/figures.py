"""The service's metrics as Prometheus's client keeps them, and how requests are counted."""

from collections import Counter as Tally
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
PROBABILITIES = tuple(round(0.1 * n, 1) for n in range(1, 10))


# Their rows were answered before, by `/predict`, and not all are asked for: counted again, they
# would change the share of a class.
ASKED_AGAIN = frozenset({"/explain"})


class RequestNote(NamedTuple):
    route: str
    method: str
    status: str
    seconds: float


class PredictionsNote(NamedTuple):
    """The answers to one request; labels are places in `classes`."""

    route: str
    classes: tuple[str | int, ...]
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


class Figures:
    """One process's metrics; made once the folder that they are shared in can be written to."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
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
            "Predicted probability of the positive class; of more than two, of the predicted one",
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
        self._keys = Gauge(
            "serving_keys_ok",
            "1 where every worker has the keys of the keys file, or there is none",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._model = Gauge(
            "serving_model_workers",
            "Workers that answer with this version",
            ["version", "digest"],
            multiprocess_mode="livesum",
            registry=registry,
        )

    def keys(self, *, good: bool) -> None:
        self._keys.set(good)

    def model(self, version: str, digest: str) -> None:
        if self._model_now is not None:
            self._model_now.set(0)
        self._model_now = self._model.labels(version, digest)
        self._model_now.set(1)

    def count_dropped_lines(self, lines: int) -> None:
        self._dropped.inc(lines)

    def count_requests(self, notes: list[RequestNote]) -> None:
        for labels, count in Tally(note[:3] for note in notes).items():
            self._request_count.labels(*labels).inc(count)
        for route in {note.route for note in notes}:
            seconds = (note.seconds for note in notes if note.route == route)
            self._seconds.labels(route).observe_all(seconds)

    def count_predictions(self, notes: list[PredictionsNote]) -> None:
        rows: Tally[str] = Tally()
        outside: Tally[str] = Tally()
        for note in notes:
            rows[note.route] += len(note.labels)
            outside.update(note.outside)
        for route, count in rows.items():
            self._rows.labels(route).inc(count)
        for feature, count in outside.items():
            self._outside.labels(feature).inc(count)
        first = [note for note in notes if note.route not in ASKED_AGAIN]
        found = Tally(note.classes[label] for note in first for label in note.labels)
        for value, count in found.items():
            self._labels.labels(str(value)).inc(count)
        if first:
            self._probability.observe_all(p for note in first for p in note.probabilities)
