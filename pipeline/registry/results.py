"""The project's results: finished runs, with the version and the stages of the model of each."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.registry.stages import Registered, registered
from pipeline.tracking.experiment import ACTOR_TAG, KIND_TAG, Tracking
from pipeline.tracking.result_runs import RESULT, names_of
from serving.model.version_files import DIGEST_TAG

FINISHED_RESULTS = f"tags.{KIND_TAG} = '{RESULT}' and attributes.status = 'FINISHED'"


class ResultRun(msgspec.Struct, frozen=True):
    """A result's run; `also` are later experiments that reached it.

    `version` is empty where its model is no version any more.
    """

    run_id: str
    name: str
    also: tuple[str, ...]
    actor: str
    time: datetime
    version: str
    stages: tuple[str, ...]
    params: dict[str, str]
    metrics: dict[str, float]


def results(tracking: Tracking, name: str) -> list[ResultRun]:
    """Return all results, the newest first."""
    now = registered(tracking, name)
    return [_result(run, now) for run in tracking.search(FINISHED_RESULTS)]


def _result(run: Any, now: Registered) -> ResultRun:
    number = now.numbers.get(run.data.tags.get(DIGEST_TAG, ""), "")
    name, *also = names_of(run)
    return ResultRun(
        run_id=run.info.run_id,
        name=name,
        also=tuple(also),
        actor=run.data.tags.get(ACTOR_TAG, ""),
        time=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        version=number,
        stages=tuple(now.stages.get(number, ())),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
    )
