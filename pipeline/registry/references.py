"""Which version a user means by a number, a stage, a run or an experiment; what is known of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import PipelineError
from pipeline.tracking.experiment import KIND_TAG, Tracking
from pipeline.tracking.result_runs import RESULT, names_of
from serving.model.version_files import DIGEST_TAG

SHORTEST_PREFIX = 4  # of a run's id
CONTEXT_TAG = "mlflow.data.context"


@dataclass(frozen=True)
class Dataset:
    """A table that went into a run: DVC's md5 of it, and its rows."""

    digest: str
    rows: int


@dataclass(frozen=True)
class Version:
    """A registered version with the finished run that shows its figures.

    `names` has all runs that reached its model, each with the names of its experiments; `datasets`
    are by what they were used for: training or test.
    """

    name: str
    number: str
    digest: str
    stages: tuple[str, ...]
    run_id: str
    run_name: str
    names: Mapping[str, Sequence[str]]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: Mapping[str, Dataset]

    def __str__(self) -> str:
        return f"version {self.number}"


def find_version(tracking: Tracking, name: str, reference: str) -> Version:
    """Find what a version's number, a stage, a run's id (or its beginning) or name stands for.

    Raises PipelineError where nothing does, or several runs do.
    """
    client = tracking.client
    stages = {
        alias: str(number)
        for model in client.search_registered_models(f"name = '{name}'")
        for alias, number in model.aliases.items()
    }
    digests = {
        str(version.version): (version.tags.get(DIGEST_TAG, ""), version.run_id)
        for version in client.search_model_versions(f"name = '{name}'")
    }
    results = tracking.search(f"tags.{KIND_TAG} = '{RESULT}' and attributes.status = 'FINISHED'")
    number = stages.get(reference, reference)
    if number in digests:
        run = _run_of_version(results, name, number, *digests[number])
    else:
        wanted = run_named({run.info.run_id: names_of(run) for run in results}, name, reference)
        run = next(run for run in results if run.info.run_id == wanted)
        number = _version_of_run(run, name, {n: digest for n, (digest, _) in digests.items()})
    return Version(
        name=name,
        number=number,
        digest=digests[number][0],
        stages=tuple(sorted(stage for stage, at in stages.items() if at == number)),
        run_id=run.info.run_id,
        run_name=run.info.run_name,
        names={
            each.info.run_id: names_of(each)
            for each in reversed(results)
            if each.data.tags.get(DIGEST_TAG) == digests[number][0]
        },
        params=run.data.params,
        metrics=run.data.metrics,
        tags=run.data.tags,
        datasets=_datasets(run.inputs),
    )


def _run_of_version(
    results: Sequence[Any], name: str, number: str, digest: str, own_id: str | None
) -> Any:
    """Return the version's own run before another with the same model, which was measured apart."""
    if not digest:
        raise PipelineError(
            f"version {number} of {name} was not registered by `dvc repro`: there are no figures "
            "and no rows to compare it by"
        )
    runs = [run for run in results if run.data.tags.get(DIGEST_TAG) == digest]
    runs.sort(key=lambda run: run.info.run_id != own_id)
    if not runs:
        raise PipelineError(
            f"the run of version {number} of {name} is no longer in the tracking store: "
            "run `dvc repro` at the commit that made it"
        )
    return runs[0]


def _version_of_run(run: Any, name: str, digests: Mapping[str, str]) -> str:
    digest = run.data.tags.get(DIGEST_TAG)
    numbers = [number for number, of in digests.items() if of == digest]
    if not numbers:
        raise PipelineError(
            f"the model of run {run.info.run_id} is no version of {name} any more: "
            "run `dvc repro` at its commit to register it again"
        )
    return min(numbers, key=int)


def run_named(names: Mapping[str, Sequence[str]], model: str, reference: str) -> str:
    """Return the id of the run that has this name, the newest of them, or whose id begins so."""
    named = [run_id for run_id, all_names in names.items() if reference in all_names]
    if named:
        return named[0]
    begun = [
        run_id
        for run_id in names
        if len(reference) >= SHORTEST_PREFIX and run_id.startswith(reference)
    ]
    if len(begun) > 1:
        raise PipelineError(f"{len(begun)} runs begin with {reference}: give more of the id")
    if not begun:
        raise PipelineError(
            f"{reference!r} is no version, stage, finished run or experiment of {model}: "
            "`python -m pipeline runs` lists them"
        )
    return begun[0]


def _datasets(inputs: Any) -> dict[str, Dataset]:
    return {
        tag.value: Dataset(
            entry.dataset.digest, json.loads(entry.dataset.profile or "{}").get("num_rows", 0)
        )
        for entry in inputs.dataset_inputs
        for tag in entry.tags
        if tag.key == CONTEXT_TAG
    }
