"""MLflow's registry: for each model's digest exactly one version, and the stages it stands in.

A stage is a registered-model alias of that name.
"""

import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.onnx
import onnx
import pandas as pd
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from pipeline.errors import one_line
from pipeline.registry.ledger_store import NOT_FOUND, LedgerStore
from pipeline.registry.stages import MOST_VERSIONS, absent_as_model_error
from pipeline.tracking.experiment import Tracking
from serving.model.contract import Contract
from serving.model.scorer import Scorer, probability_outputs
from serving.model.version_files import DIGEST_TAG, MODEL_FILE, ModelError, files_in

LOGGED_MODEL = "models:/"  # before a logged model's id: where a version's files are

DESCRIPTION = (
    "Models of this project: each version is one ONNX file, from missing values to the decision "
    "threshold. The service answers with the version in the stage `production`; "
    "`python -m pipeline history` shows who moved which stage, when and why."
)
SERVED_WITH = ("mlflow", "onnx", "onnxruntime", "numpy", "pandas")


@dataclass(frozen=True)
class TrainedModel:
    """A trained model on its way into the registry: its folder, and its scorer."""

    folder: Path
    scorer: Scorer
    example: pd.DataFrame


def ensure_version(
    tracking: Tracking, name: str, candidate: TrainedModel, run_id: str, tags: Mapping[str, str]
) -> tuple[str, bool]:
    """Return the number of the one version with the candidate's digest, and whether it is new."""
    client, digest = tracking.client, candidate.scorer.digest
    LedgerStore(tracking, name).ensure_model()
    if not client.get_registered_model(name).description:
        client.update_registered_model(name, DESCRIPTION)
    found = client.search_model_versions(f"name = '{name}' and tags.{DIGEST_TAG} = '{digest}'")
    if found:
        return str(min(int(version.version) for version in found)), False
    model_id = _log_model(tracking, name, candidate, run_id)
    version = client.create_model_version(
        name,
        source=f"{LOGGED_MODEL}{model_id}",
        run_id=run_id,
        model_id=model_id,
        tags={**tags, DIGEST_TAG: digest},
    )
    return str(version.version), True


def numbers(tracking: Tracking, name: str) -> list[str]:
    """Return the numbers of all versions, the oldest first."""
    found = tracking.client.search_model_versions(f"name = '{name}'", max_results=MOST_VERSIONS)
    return sorted((str(version.version) for version in found), key=int)


def newest(tracking: Tracking, name: str) -> int:
    """Return the highest number of a version, 0 where there is none."""
    found = tracking.client.search_model_versions(
        f"name = '{name}'", max_results=1, order_by=["version_number DESC"]
    )
    return int(found[0].version) if found else 0


@dataclass(frozen=True)
class VersionFacts:
    """A version's tags, stages, params and metrics; `params` is None if its run is gone."""

    tags: dict[str, str]
    stages: list[str]
    params: dict[str, str] | None
    metrics: dict[str, float]


def facts_of(tracking: Tracking, name: str, number: str) -> VersionFacts:
    version = tracking.client.get_model_version(name, number)
    tags, stages = dict(version.tags), sorted(version.aliases)
    try:
        run = tracking.client.get_run(str(version.run_id))
    except MlflowException as error:
        if error.error_code not in NOT_FOUND:
            raise
        return VersionFacts(tags, stages, None, {})
    if run.info.lifecycle_stage != "active":
        return VersionFacts(tags, stages, None, {})
    return VersionFacts(tags, stages, dict(run.data.params), dict(run.data.metrics))


def tags_of(tracking: Tracking, name: str, version: str) -> dict[str, str]:
    """Return a version's tags; raises ModelError where it is not there."""
    with absent_as_model_error():
        return dict(tracking.client.get_model_version(name, version).tags)


@contextmanager
def downloaded(tracking: Tracking, name: str, number: str) -> Iterator[Scorer]:
    """Download a version and open it as the service would.

    Raises ModelError where it is not whole.
    """
    with TemporaryDirectory() as folder:
        try:
            path = download_artifacts(f"models:/{name}/{number}", dst_path=folder)
        except (MlflowException, OSError, ImportError) as error:
            raise ModelError(f"version {number} cannot be downloaded: {one_line(error)}") from error
        yield Scorer.load(Path(path), tags_of(tracking, name, number).get(DIGEST_TAG))


def signature(contract: Contract) -> ModelSignature:
    """Declare every column `double`: an integer column could not be missing (mlflow#25593)."""
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double, feature.name, required=not feature.nullable)
        for feature in contract.features
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.long, "label"),
        *(ColSpec(DataType.double, name) for name in probability_outputs(contract)),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs))


def _log_model(tracking: Tracking, name: str, candidate: TrainedModel, run_id: str) -> str:
    """Upload the candidate as a logged model of the run; return the logged model's id."""
    client = tracking.client
    experiments = [tracking.experiment_id]
    # Another machine may have made other bytes of the same run, which are a version.
    versions = client.search_model_versions(f"name = '{name}'", max_results=MOST_VERSIONS)
    kept = {str(version.source).removeprefix(LOGGED_MODEL) for version in versions}
    for leftover in client.search_logged_models(experiments, f"source_run_id = '{run_id}'"):
        if leftover.model_id not in kept:
            client.delete_logged_model(leftover.model_id)
    logged = client.create_logged_model(
        tracking.experiment_id, name="model", source_run_id=run_id, model_type="onnx"
    )
    with TemporaryDirectory() as parent:
        folder = Path(parent, "model")
        mlflow.onnx.save_model(
            onnx.load(candidate.folder / MODEL_FILE),
            folder,
            mlflow_model=Model(run_id=run_id, model_id=logged.model_id, model_uuid=logged.model_id),
            signature=signature(candidate.scorer.contract),
            input_example=candidate.example,
            # Given, since to infer it MLflow starts the model in a process of its own.
            conda_env=_environment(),
            save_as_external_data=False,
            onnx_execution_providers=["CPUExecutionProvider"],
        )
        # The files themselves, since what MLflow saved went through a parser.
        for path in files_in(candidate.folder):
            shutil.copyfile(path, folder / path.name)
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def _environment() -> dict[str, Any]:
    """Name what `mlflow models serve` needs to answer with the model, as installed here."""
    pip = [f"{name}=={installed_version(name)}" for name in SERVED_WITH]
    python = f"python={platform.python_version()}"
    return {"channels": ["conda-forge"], "dependencies": [python, "pip", {"pip": pip}]}
