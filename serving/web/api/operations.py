"""For those who keep the service up: `/version`, what answers and what should; `/metrics`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Blueprint, Response, jsonify
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.predictor import ServedModel
from serving.store import sync_status
from serving.store.sync_status import Kind, Refusal, Status
from serving.web.api import state
from serving.web.metrics import CONTENT_TYPE

blueprint = Blueprint("operations", __name__)


@blueprint.get("/version")
def version() -> Response:
    here = state()
    followed = sync_status.read(here.settings.store)
    serving = here.served and here.served.version
    desired = followed.desired if followed else None
    due = here.settings.report_due
    follows = followed is not None and followed.good and not followed.is_overdue(due)
    body = {
        "model": _origin(here.served),
        "desired": desired and {"version": desired.version, "digest": desired.digest},
        "in_step": bool(serving and serving == desired and follows),
        "sync": _sync(followed, due),
        "refused": [_refusal(refusal) for refusal in followed.refused] if followed else [],
    }
    return jsonify(body)


@blueprint.get("/metrics")
def metrics() -> Response:
    here = state()
    followed = sync_status.read(here.settings.store)
    figures = SyncCollector(followed, here.settings.report_due)
    return Response(here.metrics.exposition(figures), content_type=CONTENT_TYPE)


class SyncCollector(Collector):
    """Return the state of following the registry, as its process wrote it last.

    What is older than `due` seconds is no state to rely on.
    """

    def __init__(self, followed: Status | None, due: float) -> None:
        self._followed = followed
        self._overdue = followed is not None and followed.is_overdue(due)

    def collect(self) -> Iterator[Metric]:
        followed = self._followed
        yield _gauge(
            "serving_sync_ok",
            "1 where the last sync left the service with what the stage names",
            float(followed is not None and followed.good and not self._overdue),
        )
        if followed is None:
            return
        yield _gauge(
            "serving_sync_overdue",
            "1 where the process that follows the registry has not reported in time",
            float(self._overdue),
        )
        contact = sync_status.age(followed.reached_at)
        yield _gauge(
            "serving_sync_age_seconds",
            "Time since the registry was asked last",
            sync_status.age(followed.checked_at),
        )
        if contact is not None:
            yield _gauge(
                "serving_registry_age_seconds", "Time since the registry answered last", contact
            )
        yield _gauge(
            "serving_sync_refused",
            "1 where the stage names a version that is refused",
            float(followed.outcome == Kind.REFUSED),
        )
        if followed.desired is not None:
            desired = GaugeMetricFamily(
                "serving_desired_version",
                "The version that the stage names",
                labels=["version", "digest"],
            )
            desired.add_metric([followed.desired.version, followed.desired.digest], 1)
            yield desired


def _gauge(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)


def _origin(served: ServedModel | None) -> dict[str, Any] | None:
    if served is None:
        return None
    return {**msgspec.structs.asdict(served.version), **msgspec.structs.asdict(served.facts)}


def _sync(followed: Status | None, due: float) -> dict[str, Any] | None:
    if followed is None:
        return None
    return {
        "outcome": followed.outcome,
        "detail": followed.detail,
        "overdue": followed.is_overdue(due),
        "checked_at": _time(followed.checked_at),
        "reached_at": _time(followed.reached_at),
        "seconds_since_contact": sync_status.age(followed.reached_at),
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "version": refusal.version,
        "digest": refusal.digest,
        "reason": refusal.reason,
        "at": _time(refusal.at),
    }


def _time(moment: float | None) -> datetime | None:
    return None if moment is None else datetime.fromtimestamp(round(moment), UTC)
