"""MLflow's registry: for each model's digest exactly one version, and the stages it stands in.

A stage is a registered-model alias of that name.
"""

import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.onnx
import onnx
import pandas as pd
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from pipeline.errors import PipelineError
from pipeline.tracking import Tracking
from serving.contract import Contract
from serving.scorer import (
    CONTRACT_FILE,
    DIGEST_TAG,
    GATES_FAILED,
    GATES_PASSED,
    GATES_TAG,
    GOLDEN_FILE,
    MODEL_FILE,
    ModelError,
    Scorer,
)

NOT_FOUND = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
SERVED_WITH = ("mlflow", "onnx", "onnxruntime", "numpy", "pandas")


@dataclass(frozen=True)
class Candidate:
    """A trained model on its way into the registry: its folder, and its scorer."""

    folder: Path
    scorer: Scorer
    example: pd.DataFrame


def ensure_version(
    tracking: Tracking, name: str, candidate: Candidate, run_id: str, tags: Mapping[str, str]
) -> tuple[str, bool]:
    """Give the number of the one version with the candidate's digest, and whether it is new."""
    client, digest = tracking.client, candidate.scorer.digest
    _ensure_registered_model(client, name)
    found = client.search_model_versions(f"name = '{name}' and tags.{DIGEST_TAG} = '{digest}'")
    if found:
        return str(min(int(version.version) for version in found)), False
    model_id = _log_model(tracking, candidate, run_id)
    version = client.create_model_version(
        name,
        source=f"models:/{model_id}",
        run_id=run_id,
        model_id=model_id,
        tags={**tags, DIGEST_TAG: digest},
    )
    return str(version.version), True


def version_at(tracking: Tracking, name: str, stage: str) -> ModelVersion | None:
    """Give the version that a stage names, or None."""
    try:
        return tracking.client.get_model_version_by_alias(name, stage)
    except MlflowException as error:
        if error.error_code in NOT_FOUND:
            return None
        raise


def stands_at(tracking: Tracking, name: str, stage: str, version: str) -> bool:
    now = version_at(tracking, name, stage)
    return now is not None and str(now.version) == version


def note_gates(tracking: Tracking, name: str, version: str, *, passed: bool) -> None:
    """Tag a version with what its gates said; the service takes only one that passed."""
    verdict = GATES_PASSED if passed else GATES_FAILED
    client = tracking.client
    if client.get_model_version(name, version).tags.get(GATES_TAG) != verdict:
        client.set_model_version_tag(name, version, GATES_TAG, verdict)


def move_stages(tracking: Tracking, name: str, stages: Sequence[str], version: str) -> None:
    """Let stages name a version, and read each back: the last writer wins, silently.

    First the version is downloaded and opened as the service will: what a stage names answers.
    """
    try:
        with downloaded(tracking.client.get_model_version(name, version)):
            pass
    except ModelError as error:
        raise PipelineError(
            f"version {version} of {name} is not put in stage {stages[0]}: the registry does not "
            f"give it back whole ({error}); delete the version, then run `dvc repro` again"
        ) from error
    for stage in stages:
        tracking.client.set_registered_model_alias(name, stage, version)
        if not stands_at(tracking, name, stage, version):
            raise PipelineError(
                f"the stage {stage} of {name} does not name version {version}: somebody else "
                "moved it at the same time; run `dvc repro` again if that was not meant"
            )


@contextmanager
def downloaded(version: ModelVersion) -> Iterator[Scorer]:
    """Download a version and open it as the service would.

    Raises ModelError where it is not whole.
    """
    with TemporaryDirectory() as folder:
        try:
            path = download_artifacts(f"models:/{version.name}/{version.version}", dst_path=folder)
        except (MlflowException, OSError) as error:
            what = " ".join(str(error).split())
            raise ModelError(f"version {version.version} cannot be downloaded: {what}") from error
        yield Scorer.load(Path(path), version.tags.get(DIGEST_TAG))


def signature(contract: Contract) -> ModelSignature:
    """Declare every column `double`: an integer column could not be missing (mlflow#25593)."""
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double, feature.name, required=not feature.nullable)
        for feature in contract.features
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.long, "label"),
        ColSpec(DataType.double, "probability"),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs))


def _ensure_registered_model(client: MlflowClient, name: str) -> None:
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code not in NOT_FOUND:
            raise
        client.create_registered_model(name)


def _log_model(tracking: Tracking, candidate: Candidate, run_id: str) -> str:
    """Upload the candidate as a logged model of the run; give the logged model's id."""
    client = tracking.client
    experiments = [tracking.experiment_id]
    for leftover in client.search_logged_models(experiments, f"source_run_id = '{run_id}'"):
        client.delete_logged_model(leftover.model_id)  # no version came of it
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
        for file in (MODEL_FILE, CONTRACT_FILE, GOLDEN_FILE):
            shutil.copyfile(candidate.folder / file, folder / file)
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def _environment() -> dict[str, Any]:
    """Name what `mlflow models serve` needs to answer with the model, as installed here."""
    pip = [f"{name}=={installed_version(name)}" for name in SERVED_WITH]
    python = f"python={platform.python_version()}"
    return {"channels": ["conda-forge"], "dependencies": [python, "pip", {"pip": pip}]}
