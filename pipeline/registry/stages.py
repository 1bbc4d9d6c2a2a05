"""Stages of a registered model: aliases that name a version, shown on the runs of results too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.registry.ledger_store import NOT_FOUND
from pipeline.tracking.experiment import KIND_TAG, Tracking
from pipeline.tracking.result_runs import RESULT
from serving.model.version_files import DIGEST_TAG, ModelError

MOST_VERSIONS = 10_000  # that MLflow gives at once
VERSION_TAG, STAGE_TAG = "version", "stage"  # of a result: columns of MLflow's table of runs


def version_at(tracking: Tracking, name: str, stage: str) -> ModelVersion | None:
    """Return the version that a stage names, or None."""
    try:
        return tracking.client.get_model_version_by_alias(name, stage)
    except MlflowException as error:
        if error.error_code in NOT_FOUND:
            return None
        raise


def set_stage(tracking: Tracking, name: str, stage: str, version: str | None) -> None:
    """Let a stage name a version, or none; raises ModelError for one that is not there."""
    if version is None:
        tracking.client.delete_registered_model_alias(name, stage)
        return
    with absent_as_model_error():
        tracking.client.set_registered_model_alias(name, stage, version)


def number_at(tracking: Tracking, name: str, stage: str) -> str | None:
    """Return the number of the version that a stage names, or None."""
    now = version_at(tracking, name, stage)
    return None if now is None else str(now.version)


def stages(tracking: Tracking, name: str) -> list[str]:
    """Return the stages that name a version."""
    try:
        return sorted(tracking.client.get_registered_model(name).aliases)
    except MlflowException as error:
        if error.error_code in NOT_FOUND:
            return []
        raise


class Registered(NamedTuple):
    """The oldest version of each model by its digest, and the stages of each version."""

    numbers: dict[str, str]
    stages: dict[str, list[str]]


def registered(tracking: Tracking, name: str) -> Registered:
    """Return what the registry has of a model, also where it has nothing."""
    client, at = tracking.client, dict[str, list[str]]()
    for model in client.search_registered_models(f"name = '{name}'"):
        for stage, number in sorted(model.aliases.items()):
            at.setdefault(str(number), []).append(stage)
    versions = client.search_model_versions(f"name = '{name}'", max_results=MOST_VERSIONS)
    by_age = sorted(versions, key=lambda version: -int(version.version))
    return Registered({v.tags.get(DIGEST_TAG, ""): str(v.version) for v in by_age}, at)


def show_on_results(tracking: Tracking, name: str) -> None:
    """Tag each result with its model's version and stages: columns of MLflow's table of runs."""
    client, now = tracking.client, registered(tracking, name)
    for run in tracking.search(f"tags.{KIND_TAG} = '{RESULT}' and attributes.status = 'FINISHED'"):
        number = now.numbers.get(run.data.tags.get(DIGEST_TAG, ""), "")
        for tag, value in (
            (VERSION_TAG, number),
            (STAGE_TAG, ", ".join(now.stages.get(number, []))),
        ):
            if value and run.data.tags.get(tag) != value:
                client.set_tag(run.info.run_id, tag, value)
            elif not value and tag in run.data.tags:
                client.delete_tag(run.info.run_id, tag)


@contextmanager
def absent_as_model_error() -> Iterator[None]:
    """Raise ModelError for a version that was deleted, which is no failure of the store."""
    try:
        yield
    except MlflowException as error:
        if error.error_code not in NOT_FOUND:
            raise
        raise ModelError("it is no longer in the registry") from error
